"""The times of an epoch's exchange: the allgather of the workers' numbers, and `tell`."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmarks.speed import processes
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.ranks import Ranks

_COLUMNS = 6  # float64 numbers that `outer_loop.meta_train` gathers per worker
_WARM_UP = 20


def exchange_seconds(ranks: Ranks, rows: int, repetitions: int) -> float | None:
    """Returns the median time to gather `rows` rows from each rank; None without repetitions."""
    if not repetitions:
        return None
    table = np.zeros((rows, _COLUMNS))
    times = []
    for _ in range(_WARM_UP + repetitions):
        start = time.perf_counter()
        ranks.allgather(table)
        times.append(time.perf_counter() - start)
    mine = np.median(times[_WARM_UP:])
    return float(ranks.allgather(np.array([[mine]])).max())


def tell_seconds(num_parameters: int, num_workers: int = 512) -> float:
    """Returns the time of `tell` per worker."""
    strategy = EvolutionStrategy()
    state = strategy.init(np.zeros(num_parameters))
    returns = np.random.default_rng(0).standard_normal(num_workers)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        strategy.tell(state, 0, returns)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) / num_workers


def measure(ranks: Ranks, workers: int, repetitions: int) -> dict[str, Any]:
    """Times an epoch's exchange with `workers` workers on each rank."""
    return {"seconds": exchange_seconds(ranks, workers, repetitions)}


if __name__ == "__main__":
    processes.serve(measure)
