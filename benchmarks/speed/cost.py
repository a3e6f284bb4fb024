"""The cost of an update, a lifetime and `tell` against W, K and P: at most proportional to them.

Each row is a fresh set of workers, compiled and warmed up. The exponent is the slope of log(cost)
against log(size) over the larger half of the sizes, where constant costs matter least.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.speed import presets, processes
from benchmarks.speed.communication import tell_seconds
from benchmarks.speed.instruments import stopwatches
from benchmarks.speed.lifetimes import clocked
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.ranks import Ranks

_REPETITIONS = 3


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Returns x of cost ~ size^x, fitted to the larger half of the sizes."""
    order = np.argsort(sizes)
    half = order[(len(order) - 1) // 2 :]
    return float(np.polyfit(np.log(np.take(sizes, half)), np.log(np.take(costs, half)), 1)[0])


def measure(
    ranks: Ranks, family: str, axis: str, sizes: list[int], bindings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Measures the cost along one axis.

    Args:
        ranks: One process.
        family: The preset.
        axis: "workers" (W; an update of the lifetime), "updates" (K; a lifetime) or "parameters"
            (P, through the units of the context; the update of theta, and `tell` per worker).
        sizes: The sizes along the axis.
        bindings: Changes to the preset.

    Returns:
        `sizes`, the values of W, K or P, and `milliseconds` and `exponent` of each measurement.
    """
    del ranks
    along, costs = [], {}
    for size in sizes:
        measured, row = _COSTS[axis](family, size, bindings)
        along.append(measured)
        for name, seconds in row.items():
            costs.setdefault(name, []).append(1e3 * seconds)
    return {
        "sizes": along,
        **{
            name: {"milliseconds": values, "exponent": exponent(along, values)}
            for name, values in costs.items()
        },
    }


def _lifetime(family: str, workers: int, updates: int, bindings: Sequence[str]):
    """Returns a lifetime that has run once, and the number of parameters of its loss."""
    settings = presets.read(family, [*bindings, f"InnerLoop.num_updates = {updates}"])
    population = Workers(settings.inner_loop, settings.family, workers)
    phi, seeds = presets.first_epoch(settings, population, range(workers))
    live = functools.partial(population.live, phi, seeds, presets.GUIDANCE[family])
    live()
    return live, phi.shape[1]


def _of_workers(family: str, size: int, bindings: Sequence[str]):
    live, _ = _lifetime(family, size, 4, bindings)
    return size, {"update": np.median([clocked(live).per_update for _ in range(_REPETITIONS)])}


def _of_updates(family: str, size: int, bindings: Sequence[str]):
    live, _ = _lifetime(family, 4, size, bindings)
    times = []
    for _ in range(_REPETITIONS):
        start = time.perf_counter()
        live()
        times.append(time.perf_counter() - start)
    return size, {"lifetime": np.median(times)}


def _of_parameters(family: str, size: int, bindings: Sequence[str]):
    updates = 4
    binding = f"LearnedLoss.context_size = {size}"
    live, num_parameters = _lifetime(family, 8, updates, [*bindings, binding])
    times = []
    for _ in range(_REPETITIONS):
        with stopwatches() as watches:
            live()
        times.append(sum(watches.seconds["update"]) / updates)
    tell = tell_seconds(num_parameters)
    return num_parameters, {"theta_update": np.median(times), "tell_per_worker": tell}


_COSTS = {"workers": _of_workers, "updates": _of_updates, "parameters": _of_parameters}

if __name__ == "__main__":
    processes.serve(measure)
