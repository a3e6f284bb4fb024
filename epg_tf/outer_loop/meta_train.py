"""Algorithm 1, lines 2-3 and 13-14: evolve phi over epochs, of which the first may be taught.

Everything random follows from (seed, epoch, worker), and every rank takes the same step from the
same n returns, so a seed gives the same phi whatever the number of ranks, interrupted or not.
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
from epg_tf.outer_loop.ranks import Ranks
from epg_tf.outer_loop.search import Evolution, Search
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.outer_loop.taught_epochs import Teaching
from epg_tf.outer_loop.validation import validation_return


class EpochRecord(NamedTuple):
    """What is known of an epoch when it is over, the same on every rank.

    Attributes:
        checkpoint: Where the run stands.
        num_steps: The environment steps of the epoch, of all workers.
        workers: Of every worker its `returns`, whether it `diverged`, and its rank's
            `physics_seconds` and `update_seconds`, [n] each.
        logs: Numbers by name: `guidance`, `seconds`, what the step of phi reported, and
            `validation_return` where phi was looked at.
        stopped: Whether the run ends here before its last epoch, because a signal has asked for it.
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
    """Evolves a loss from where a run stands, epoch by epoch.

    Args:
        settings: The settings of the run.
        ranks: The processes that share the n workers.
        workers: Those of this rank, which live on the tasks of `settings.family`.
        checkpoint: Where the run stands, the same on every rank.
        on_steps: Called with how many environment steps all ranks' agents are taking at a time, K
            times an epoch for the workers, and as often as an expert learns for its explorers.
        stop_requested: Whether this rank has been asked to stop; looked at in every epoch.
        partial_epochs: Where an epoch is kept that is cut off; not if it is taught.

    Yields:
        One record per epoch, until the last one or one in which any rank was asked to stop.
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
    """Line 13: what every rank must know of every worker, [n] each."""
    num_workers = len(lifetimes.returns)
    columns = {
        "returns": lifetimes.returns,
        "diverged": lifetimes.diverged,
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
