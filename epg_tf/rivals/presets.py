"""Registers the settings of meta-learned rivals with gin, and reads their presets."""

from __future__ import annotations

from collections.abc import Sequence

from epg_tf import config
from epg_tf.rivals.es_maml.settings import ESMAML
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.rivals.rl2.settings import RL2

_make_training = config.register(RivalTraining, "train_rival")
for _settings in (RL2, MAML, ESMAML):
    config.register(_settings)


def read(files: Sequence[str], bindings: Sequence[str]) -> RivalTraining:
    """Reads the settings of a rival's training, like `config.read` for a loss.

    Raises:
        ValueError: If a file is missing, a name is unknown or a value is bad; in one sentence.
    """
    return config.read_with(_make_training, files, bindings)
