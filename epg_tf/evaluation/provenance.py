"""Where a loss comes from, for the record that goes out with it."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import pathlib
import platform
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf.evolution.checkpoint import Checkpoint, CheckpointFolder
from epg_tf.evolved_loss import EvolvedLoss, run_of
from epg_tf.loss.saved_model import read_description
from epg_tf.run_files import CONFIG_FILE, METRICS_FILE

_STACK = ("epg_tf", "tf-agents", "numpy", "mujoco", "gymnasium")


def provenance(loss: EvolvedLoss) -> dict[str, Any]:
    """What is known of how a loss was made.

    Args:
        loss: As it was read; its own config, not overridden.

    Returns:
        `made`, how it came to be (see `EvolvedLoss`), and `taught_epochs`, the epochs of its run in
        which it was taught; `epoch` and `env_steps`, what was spent on it, or None where nothing
        tells; `seed` and
        `num_workers` of the run; `num_updates` and `guidance`, K and alpha of Eq. 6 in the last of
        those epochs (or of the run, where the epoch is not known), and `guide`, what the latter is
        the weight of; `command`, which evolves the loss again from a folder with its config, or
        None; `versions`, of what it was exported with.
    """
    known = read_description(loss.path).get("provenance")
    if known:  # exported before, by a stack that may have been another
        return known
    settings = loss.settings
    epoch, env_steps = _spent(loss)
    last_epoch = settings.num_epochs if epoch is None else max(1, epoch)
    return {
        "made": loss.made,
        "taught_epochs": settings.teacher.num_epochs if settings.teacher is not None else 0,
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


def _spent(loss: EvolvedLoss) -> tuple[int | None, int | None]:
    """Epochs and environment steps that led to a loss, as far as its run can tell."""
    if loss.epoch is not None:
        return loss.epoch, loss.env_steps
    run = run_of(loss.path)
    checkpoint = None if run is None else CheckpointFolder(run / "checkpoints").latest()
    if run is None or checkpoint is None:
        return None, None
    if np.array_equal(loss.phi, checkpoint.state.phi.astype(np.float32)):
        return checkpoint.state.epoch, checkpoint.env_steps
    if np.array_equal(loss.phi, checkpoint.best_phi.astype(np.float32)):
        return _spent_on_best(run, checkpoint)
    return None, None


def _spent_on_best(run: pathlib.Path, checkpoint: Checkpoint) -> tuple[int | None, int | None]:
    """What had been spent before the epoch in which the best loss showed itself."""
    path, best = run / METRICS_FILE, (checkpoint.best_return, checkpoint.best_guidance)
    epoch, env_steps = 0, 0
    for line in path.read_text().splitlines() if path.is_file() else ():
        with contextlib.suppress(ValueError, KeyError):  # of a line cut short by a kill
            metrics = json.loads(line)
            if metrics.get("validation_return") == checkpoint.best_return:  # of phi after it
                return metrics["epoch"], metrics["env_steps"]
            if (metrics["return_mean"], metrics["guidance"]) == best:
                return epoch, env_steps
            epoch, env_steps = metrics["epoch"], metrics["env_steps"]
    return None, None
