"""Where a loss comes from, for the record that goes out with it."""

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
    """What is known of how a loss was made.

    Args:
        loss: As it was read; its own config, not overridden.

    Returns:
        `made`, how it came to be (see `EvolvedLoss`); `taught_epochs`, the epochs of its run in
        which it was taught, and `teacher`, by whom, or None; `epoch` and `env_steps`, what was
        spent on it, or None where nothing tells; `seed` and `num_workers` of the run; `num_updates`
        and `guidance`, K and alpha of Eq. 6 in the last of those epochs (or of the run, where the
        epoch is not known), and `guide`, what the latter is the weight of; `command`, which evolves
        the loss again from a folder with its config, or None; `versions`, of what it was exported
        with.
    """
    known = read_description(loss.path).get("provenance")
    if known:  # exported before, by a stack that may have been another
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
            "tensorflow": tf.__version__,  # a package of another name with and without GPUs
            **{name: _version(name) for name in _STACK},
        },
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"  # as epg_tf, where it is used from a checkout
