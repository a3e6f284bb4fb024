"""A rival's run, epoch by epoch, from its start or from where it stands.

Everything random follows from (seed, epoch), so an interrupted run that goes on equals one that was
not, to the bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from epg_tf.inner_loop.episodes import learning_curves
from epg_tf.outer_loop.stop import StopRequest
from epg_tf.rivals.meta_training.checkpoint import RivalCheckpoint
from epg_tf.rivals.meta_training.folder import RivalFolder
from epg_tf.rivals.meta_training.rival import Arrays, MetaLearner
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.seeds import validation_seed
from epg_tf.statistics import iqm

_EPOCH_STREAM = 0x5A11  # apart from the streams of the epoch's tasks


class RivalEpoch(NamedTuple):
    """What is known of an epoch when it is over.

    Attributes:
        checkpoint: Where the run stands.
        metrics: Numbers by name, for metrics.jsonl.
        stopped: Whether the run ends here before its last epoch, because a signal has asked for it.
    """

    checkpoint: RivalCheckpoint
    metrics: dict[str, float]
    stopped: bool


def train(
    settings: RivalTraining, learner: MetaLearner, run: RivalFolder, stop: StopRequest
) -> bool:
    """Meta-trains a rival, or goes on where its run stands, written down as it goes.

    Args:
        settings: The settings of the run.
        learner: The learner of `settings.rival`.
        run: Where it is written down.
        stop: Where a signal that comes meanwhile is noted.

    Returns:
        Whether all epochs are done; False if a signal has stopped it at the end of an earlier one.
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
    """Meta-trains a rival from where a run stands.

    Args:
        settings: The settings of the run.
        learner: What trains it.
        checkpoint: Where the run stands.
        on_progress: Called with the share of an epoch that is done since the last call.
        stop_requested: Whether the run has been asked to stop; looked at in every epoch.

    Yields:
        One record per epoch, until the last one or one in which the run was asked to stop.
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
    """The interquartile mean over validation tasks of the return arrived at by each update, [K]."""
    seeds = [validation_seed(settings.seed, task) for task in range(settings.num_validation_tasks)]
    lifetime = settings.validation_updates, settings.steps_per_update
    episodes = learner.learn(state, settings.family, seeds, *lifetime, settings.num_threads)
    curves = learning_curves(episodes, *lifetime)
    return np.array([iqm(at_update) for at_update in curves.T])


def _generator(settings: RivalTraining, epoch: int) -> np.random.Generator:
    return np.random.default_rng(
        np.random.SeedSequence(settings.seed, spawn_key=(epoch, _EPOCH_STREAM))
    )
