"""The training loop of a rival, from the start or from a checkpoint.

Everything random follows from (seed, epoch). So a resumed run equals an uninterrupted one bit by
bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from epg_tf.agent.arrays import Arrays
from epg_tf.inner_loop.episodes import learning_curves
from epg_tf.outer_loop.stop import StopRequest
from epg_tf.rivals.learning import returns_of
from epg_tf.rivals.meta_training.checkpoint import RivalCheckpoint
from epg_tf.rivals.meta_training.folder import RivalFolder
from epg_tf.rivals.meta_training.rival import MetaLearner
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.seeds import validation_seed
from epg_tf.statistics import iqm

_EPOCH_STREAM = 0x5A11  # separate from the streams of the epoch's tasks


class RivalEpoch(NamedTuple):
    """The record of a finished epoch.

    Attributes:
        checkpoint: The checkpoint after the epoch.
        metrics: Numbers by name, for metrics.jsonl.
        stopped: True if a stop request ends the run here, before its last epoch.
    """

    checkpoint: RivalCheckpoint
    metrics: dict[str, float]
    stopped: bool


def train(
    settings: RivalTraining, learner: MetaLearner, run: RivalFolder, stop: StopRequest
) -> bool:
    """Meta-trains a rival from its latest checkpoint, and records every epoch.

    Args:
        settings: The settings of the run.
        learner: The learner of `settings.rival`.
        run: The folder of the run.
        stop: The stop request, which notes signals meanwhile.

    Returns:
        True if all epochs are done; False if a signal stopped the run after an earlier one.
    """
    with run, stop:
        checkpoint = run.open(lambda: learner.first_state(settings.seed))
        epochs = train_rival(
            settings, learner, checkpoint, run.show_progress, lambda: stop.requested
        )
        for checkpoint, metrics, stopped in epochs:
            run.record_epoch(checkpoint, metrics, stopped)
            if stopped:
                return False
    return True


def train_rival(
    settings: RivalTraining,
    learner: MetaLearner,
    checkpoint: RivalCheckpoint,
    on_progress: Callable[[float], object] = lambda share: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> Iterator[RivalEpoch]:
    """Meta-trains a rival from a checkpoint.

    Args:
        settings: The settings of the run.
        learner: The learner of `settings.rival`.
        checkpoint: The checkpoint to start from.
        on_progress: Called with the fraction of an epoch since the last call.
        stop_requested: Returns whether the run should stop; called after every epoch.

    Yields:
        One record per epoch, up to the last one or the first with a stop request.
    """
    for epoch in range(checkpoint.epoch + 1, settings.num_epochs + 1):
        began = time.perf_counter()
        outcome = learner.train_epoch(
            checkpoint.state, settings.seeds_of(epoch), _generator(settings, epoch), on_progress
        )
        seconds = time.perf_counter() - began
        validated = None
        metrics = {
            "epoch": epoch,
            "env_steps": checkpoint.env_steps + outcome.num_steps,
            "seconds": seconds,
            "env_steps_per_second": outcome.num_steps / seconds,
            **outcome.metrics,
        }
        if settings.validate_every:
            metrics |= {"validation_return": np.nan, "validation_return_at_first": np.nan}
        if settings.is_validated(epoch):
            curve = validation_curve(settings, learner, outcome.state)
            validated = metrics["validation_return"] = float(curve[-1])
            metrics["validation_return_at_first"] = float(curve[0])
        checkpoint = checkpoint.followed_by(outcome, validated)
        stopped = stop_requested() and epoch < settings.num_epochs
        yield RivalEpoch(checkpoint, metrics, stopped)
        if stopped:
            return


def validation_curve(settings: RivalTraining, learner: MetaLearner, state: Arrays) -> np.ndarray:
    """Returns the learning curve on validation tasks, their interquartile mean per update, [K]."""
    seeds = [validation_seed(settings.seed, task) for task in range(settings.num_validation_tasks)]
    lifetime = settings.validation_updates, settings.steps_per_update
    how = settings.steps_per_update, settings.num_threads
    rollouts = learner.rollouts(state, settings.family, seeds, *how)
    episodes = returns_of(rollouts, len(seeds), *lifetime)
    curves = learning_curves(episodes, *lifetime)
    return np.array([iqm(at_update) for at_update in curves.T])


def _generator(settings: RivalTraining, epoch: int) -> np.random.Generator:
    return np.random.default_rng(
        np.random.SeedSequence(settings.seed, spawn_key=(epoch, _EPOCH_STREAM))
    )
