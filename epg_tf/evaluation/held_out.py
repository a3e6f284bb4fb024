"""Lifetimes on tasks that training can never draw, without reward: what a loss is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epg_tf.evaluation.statistics import iqm
from epg_tf.evolution.ranks import Ranks
from epg_tf.inner_loop import LifetimeSeed
from epg_tf.tasks.family import HELD_OUT_TASK_SEEDS, VALIDATION_TASK_SEEDS
from epg_tf.worker_groups import WorkerGroups

if TYPE_CHECKING:
    from epg_tf.outer_loop import MetaTraining


def held_out_seed(seed: int, task: int, *repetition: int) -> LifetimeSeed:
    """The seed of a lifetime on a held-out task.

    Args:
        seed: The run's.
        task: The task's number, from 0.
        repetition: Which of several lifetimes on the same task, where there are several.
    """
    task_seed = HELD_OUT_TASK_SEEDS[task]
    return LifetimeSeed(task_seed, (seed, task_seed, *repetition))


def validation_return(
    workers: WorkerGroups, ranks: Ranks, share: range, settings: MetaTraining, phi: np.ndarray
) -> float:
    """What a loss itself is worth: n fresh agents without guidance, on n validation tasks.

    Returns:
        The interquartile mean of their final returns (means of the last three episodes).
    """
    seeds = [
        LifetimeSeed(VALIDATION_TASK_SEEDS[worker], (settings.seed, VALIDATION_TASK_SEEDS[worker]))
        for worker in share
    ]
    phi = np.broadcast_to(phi.astype(np.float32), (len(share), len(phi)))
    finals = ranks.allgather(workers.live(phi, seeds, guidance=0.0).final_returns)
    return iqm(finals)


def compare_held_out(
    workers: WorkerGroups,
    ranks: Ranks,
    share: range,
    settings: MetaTraining,
    first_phi: np.ndarray,
    last_phi: np.ndarray,
) -> dict[str, list[float]]:
    """Trains n fresh agents with each of two losses, guidance 0, on the same n held-out tasks.

    Returns:
        `first` and `last`: the final return (mean of the last three episodes) of every agent.
    """
    seeds = [held_out_seed(settings.seed, task) for task in share]
    finals = {}
    for name, phi in (("first", first_phi), ("last", last_phi)):
        phi = np.broadcast_to(phi.astype(np.float32), (len(share), len(phi)))
        finals[name] = ranks.allgather(workers.live(phi, seeds, guidance=0.0).final_returns)
    return {name: list(map(float, returns)) for name, returns in finals.items()}
