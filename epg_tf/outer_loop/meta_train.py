"""Algorithm 1, lines 2-3 and 13-14: evolve phi over epochs. The first epochs may be taught.

All random numbers follow from (seed, epoch, worker). Every rank takes the same step from the same
n returns. So phi depends on the seed alone, not on the number of ranks nor on interruptions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from epg_tf.files import crc32_of
from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Lifetimes
from epg_tf.outer_loop.checkpoint import Checkpoint
from epg_tf.outer_loop.partial_epochs import PartialEpochs
from epg_tf.outer_loop.search import Evolution, Search
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.outer_loop.taught_epochs import Teaching
from epg_tf.outer_loop.validation import validation_return
from epg_tf.ranks import Ranks


class EpochRecord(NamedTuple):
    """The results of an epoch, the same on every rank.

    Attributes:
        checkpoint: The checkpoint after the epoch.
        num_steps: The environment steps of all workers in the epoch.
        workers: Columns with a row per worker, [n] each: `returns`, `diverged`, `failed_steps`, and
            `physics_seconds` and `update_seconds` of its rank.
        logs: Numbers by name: `guidance`, `seconds`, those of the step of phi, and
            `validation_return` after a validation.
        stopped: True if a signal ends the run here, before its last epoch.
    """

    checkpoint: Checkpoint
    num_steps: int
    workers: dict[str, np.ndarray]
    logs: dict[str, float]
    stopped: bool


def meta_train(
    settings: MetaTraining,
    ranks: Ranks,
    workers: WorkerGroups,
    checkpoint: Checkpoint,
    on_steps: Callable[[int], object] = lambda num_steps: None,
    stop_requested: Callable[[], bool] = lambda: False,
    partial_epochs: PartialEpochs | None = None,
) -> Iterator[EpochRecord]:
    """Evolves a loss epoch by epoch, starting from a checkpoint.

    Args:
        settings: The settings of the run.
        ranks: The processes that share the n workers.
        workers: This rank's workers, on tasks of `settings.family`.
        checkpoint: The checkpoint to start from, the same on every rank.
        on_steps: Called with a number of environment steps of all ranks: K times per epoch for the
            workers, and once per iteration of an expert for its explorers.
        stop_requested: Returns True once this rank has been asked to stop; called every epoch.
        partial_epochs: The folder of interrupted epochs; taught epochs do not use it.

    Yields:
        One record per epoch, until the last epoch or until any rank was asked to stop.
    """
    share = ranks.share(settings.num_workers)
    steps_at_a_time = settings.num_workers * settings.inner_loop.steps_per_update
    search: Search | None = None
    for epoch in range(checkpoint.state.epoch + 1, settings.num_epochs + 1):  # line 2
        began, before, taught = time.perf_counter(), checkpoint, settings.is_taught(epoch)
        if search is None or taught != settings.is_taught(epoch - 1):
            search = (
                Teaching(settings, ranks)  # not in the paper
                if taught
                else Evolution(settings, ranks, workers, partial_epochs)
            )
        lifetimes = search.live(before, lambda update: on_steps(steps_at_a_time))  # lines 3-12
        gathered = _gather(ranks, lifetimes, before.state, stop_requested())  # line 13
        state, kept, logs = search.learn(before, gathered["returns"], on_steps)  # line 14
        validated = None if settings.validate_every == 0 else math.nan
        if settings.is_validated(epoch):
            validated = logs["validation_return"] = validation_return(
                workers, ranks, settings.seed, share, state.phi, settings.guidance_in_use
            )
        guidance, num_steps = settings.guidance_in(epoch), settings.env_steps_in(epoch)
        logs |= {"guidance": guidance, "seconds": time.perf_counter() - began}
        checkpoint = before.followed_by(
            state, num_steps, gathered["returns"], guidance, taught, validated, kept
        )
        stopped = bool(gathered.pop("stop").any()) and epoch < settings.num_epochs
        yield EpochRecord(checkpoint, num_steps, gathered, logs, stopped)
        if stopped:
            return


def _gather(
    ranks: Ranks, lifetimes: Lifetimes, state: EvolutionState, stop: bool
) -> dict[str, np.ndarray]:
    """Line 13: gathers the results of all workers on every rank, [n] each."""
    num_workers = len(lifetimes.returns)
    columns = {
        "returns": lifetimes.returns,
        "diverged": lifetimes.diverged,
        "failed_steps": lifetimes.failed_steps,
        "physics_seconds": np.full(num_workers, lifetimes.physics_seconds),
        "update_seconds": np.full(num_workers, lifetimes.update_seconds),
        "stop": np.full(num_workers, stop),
        "checksum": np.full(num_workers, crc32_of(state.phi)),
    }
    table = ranks.allgather(np.stack(list(columns.values()), axis=1).astype(np.float64))
    gathered = dict(zip(columns, table.T, strict=True))
    if len(set(gathered.pop("checksum"))) > 1:
        raise RuntimeError("the ranks hold different phi; are all hosts of the same kind?")
    return gathered
