"""Returns of fresh agents with phi itself on tasks that training cannot draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.ranks import Ranks
from epg_tf.seeds import LifetimeSeed, held_out_seed, validation_seed
from epg_tf.statistics import iqm


def validation_return(
    workers: WorkerGroups,
    ranks: Ranks,
    seed: int,
    share: range,
    phi: np.ndarray,
    guidance: float,
) -> float:
    """Returns the interquartile mean of the final returns of n agents on n validation tasks.

    Args:
        workers: This rank's workers.
        ranks: The processes that share the n workers.
        seed: The seed of the run.
        share: The numbers of this rank's workers.
        phi: The loss, [P].
        guidance: alpha in Eq. 6.
    """
    seeds = [validation_seed(seed, n) for n in share]
    return iqm(_final_returns(workers, ranks, phi, seeds, guidance))


def compare_held_out(
    workers: WorkerGroups, ranks: Ranks, seed: int, share: range, losses: dict[str, np.ndarray]
) -> dict[str, list[float]]:
    """Returns the final returns of n agents with each of several losses on n held-out tasks.

    Args:
        workers: This rank's workers.
        ranks: The processes that share the n workers.
        seed: The seed of the run.
        share: The numbers of this rank's workers.
        losses: Parameters [P] by name.
    """
    seeds = [held_out_seed(seed, task) for task in share]
    return {
        name: list(map(float, _final_returns(workers, ranks, phi, seeds)))
        for name, phi in losses.items()
    }


def _final_returns(
    workers: WorkerGroups,
    ranks: Ranks,
    phi: np.ndarray,
    seeds: Sequence[LifetimeSeed],
    guidance: float = 0.0,
) -> np.ndarray:
    """Returns the final return (mean of the last three episodes) of all ranks' agents, [n]."""
    phi = np.broadcast_to(phi.astype(np.float32), (len(seeds), len(phi)))
    return ranks.allgather(workers.live(phi, seeds, guidance).final_returns)
