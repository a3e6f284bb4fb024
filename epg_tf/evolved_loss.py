"""An evolved loss as the command lines take it: from a run's folder or from a SavedModel."""

# Pyright's TensorFlow stubs do not know what a loaded module holds.
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf import config
from epg_tf.evolution.checkpoint import CheckpointFolder
from epg_tf.inner_update import Learner
from epg_tf.outer_loop import MetaTraining

CONFIG_FILE = "operative_config.gin"


@dataclasses.dataclass(frozen=True)
class EvolvedLoss:
    """A loss, and the config that it was evolved with.

    Attributes:
        path: Where it was read from.
        phi: Its parameters, [P] float32.
        settings: Of the run that evolved it, with what the user changed.
        config_text: The same, as gin.
        epoch: After which epoch; None for a SavedModel.
        env_steps: Environment steps spent on it; None for a SavedModel.
    """

    path: pathlib.Path
    phi: np.ndarray
    settings: MetaTraining
    config_text: str
    epoch: int | None = None
    env_steps: int | None = None


def load(path: str, gin_files: Sequence[str] = (), bindings: Sequence[str] = ()) -> EvolvedLoss:
    """Reads a loss.

    Args:
        path: The folder of a run, whose latest checkpoint counts, or of a SavedModel.
        gin_files: Presets to read after the loss's own config.
        bindings: Bindings to read after those.

    Returns:
        The loss and its config.

    Raises:
        ValueError: In one sentence, if there is no loss, or it does not fit the config's sizes.
    """
    folder = pathlib.Path(path)
    checkpoint = CheckpointFolder(folder / "checkpoints").latest()
    if checkpoint is not None:
        phi, configs = checkpoint.state.phi, [folder]
        epoch, env_steps = checkpoint.state.epoch, checkpoint.env_steps
    elif (folder / "saved_model.pb").is_file():
        # What a run exports lies two folders below its config.
        phi, configs = _saved_phi(folder), [folder, folder.absolute().parent.parent]
        epoch = env_steps = None
    else:
        raise ValueError(
            f"`--loss` (={path}) must be the folder of a run or of an exported loss, with "
            "`checkpoints` or a `saved_model.pb` in it."
        )
    found = [str(place / CONFIG_FILE) for place in configs if (place / CONFIG_FILE).is_file()]
    if not found:
        raise ValueError(f"`--loss` (={path}) must have its {CONFIG_FILE} beside it.")
    settings = config.read([*found[:1], *gin_files], bindings)
    family = settings.family
    needed = Learner(settings.inner_loop, family, 1).loss.size
    if len(phi) != needed:
        raise ValueError(
            f"`--loss` (={path}) must fit the config: it has {len(phi):,} parameters, and a loss "
            f"for {type(family).__name__} (observations of {family.observation_size}, actions of "
            f"{family.action_features}) has {needed:,}."
        )
    return EvolvedLoss(
        folder, phi.astype(np.float32), settings, config.complete_config(), epoch, env_steps
    )


def _saved_phi(folder: pathlib.Path) -> np.ndarray:
    try:
        variables = tf.saved_model.load(str(folder)).phi
    except (OSError, ValueError, AttributeError) as error:
        raise ValueError(
            f"`--loss` (={folder}) must be a SavedModel that epg_tf exported."
        ) from error
    return np.concatenate([variable.numpy().ravel() for variable in variables])
