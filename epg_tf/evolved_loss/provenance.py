"""The provenance of a loss, for the record that is exported with it."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import tensorflow as tf

from epg_tf.evolved_loss.folder import read_description
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.files import CONFIG_FILE

_STACK = ("epg_tf", "tf-agents", "numpy", "mujoco", "gymnasium")


def provenance(loss: EvolvedLoss) -> dict[str, Any]:
    """Returns the known facts about the training of a loss.

    Args:
        loss: The loss with its own config, not overridden.

    Returns:
        `made`: the origin (see `EvolvedLoss`). `taught_epochs`: the number of taught epochs in its
        run. `teacher`: the teacher's class, or None. `epoch` and `env_steps`: those that led to the
        loss; None if unknown. `seed` and `num_workers`: those of the run. `num_updates` and
        `guidance`: K and alpha of Eq. 6 in its last epoch, or in the run's last one if `epoch` is
        unknown. `guide`: the surrogate that alpha weighs. `command`: evolves the loss again from a
        folder with its config; None if `epoch` is unknown. `versions`: those of the software that
        exported it.
    """
    known = read_description(loss.path).get("provenance")
    if known:  # of an earlier export, perhaps by other versions
        return known
    settings = loss.settings
    epoch, env_steps = loss.epoch, loss.env_steps
    last_epoch = settings.num_epochs if epoch is None else max(1, epoch)
    return {
        "made": loss.made,
        "taught_epochs": settings.teacher.num_epochs if settings.teacher is not None else 0,
        "teacher": type(settings.teacher).__name__ if settings.teacher is not None else None,
        "epoch": epoch,
        "env_steps": env_steps,
        "seed": settings.seed,
        "num_workers": settings.num_workers,
        "num_updates": settings.num_updates_in(last_epoch),
        "guidance": settings.guidance(last_epoch),
        "guide": type(settings.inner_loop.guide).__name__,
        "command": f"python -m epg_tf.train --gin_file {CONFIG_FILE} --gin_binding "
        f'"meta_train.num_epochs={epoch}" --root_dir runs/again'
        if epoch
        else None,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,  # its package's name depends on GPUs
            **{name: _version(name) for name in _STACK},
        },
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # such as epg_tf itself in a checkout
