"""gin: what can be configured, reading presets, and the complete config of a run.

The only module that imports gin. Everything else is configured by plain arguments.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import gin

from epg_tf.inner_loop import InnerLoop
from epg_tf.loss.guidance import PPO, Reinforce
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.evolution.strategy import EvolutionStrategy
from epg_tf.outer_loop import MetaTraining
from epg_tf.schedules import Constant, Linear
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher

_PROJECT = pathlib.Path(__file__).resolve().parent.parent

_make_meta_training = gin.external_configurable(MetaTraining, name="meta_train")
for _class in (
    InnerLoop,
    EvolutionStrategy,
    LearnedLoss,
    PPO,
    Reinforce,
    Constant,
    Linear,
    RandomReacher,
    RandomHopper,
    DirHopper,
    DiscreteActions,
):
    gin.register(_class)

# Presets include one another by the path from the project's root, wherever they are read from.
gin.add_config_file_search_path(str(_PROJECT))


def read(files: Sequence[str], bindings: Sequence[str]) -> MetaTraining:
    """Reads presets and bindings, the bindings last.

    Args:
        files: Paths of gin files.
        bindings: Single bindings, such as "InnerLoop.num_updates=8".

    Returns:
        The settings of the run.

    Raises:
        ValueError: In one sentence, if a file is missing, a name unknown or a value bad.
    """
    gin.clear_config()
    for file in files:
        if not pathlib.Path(file).is_file() and not (_PROJECT / file).is_file():
            raise ValueError(f"`--gin_file` (={file}) must be an existing file.")
        _in_one_sentence(f"`--gin_file` (={file})", lambda: gin.parse_config_file(file))
    for binding in bindings:
        _in_one_sentence(f"`--gin_binding` (={binding})", lambda: gin.parse_config(binding))
    gin.finalize()
    return _in_one_sentence("", _make_meta_training)


def complete_config() -> str:
    """All values in force, defaults included, as a gin file that makes the same run."""
    return gin.operative_config_str()


def _in_one_sentence(where: str, action):
    """Runs `action`; what gin says over many lines becomes one ValueError of one line."""
    try:
        return action()
    except (ValueError, TypeError, OSError, SyntaxError, RuntimeError, NameError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        message = lines[0] if lines else type(error).__name__
        if isinstance(error, TypeError) and "missing" in message:
            message = f"`meta_train` is incomplete: {message}"
        raise ValueError(f"{where} {'is not understood: ' if where else ''}{message}".strip()) from error
