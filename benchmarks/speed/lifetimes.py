"""The main figure: a lifetime's steps per second over those of the physics alone.

Lifetime and limit take turns, with all ranks in the same phase. The figure is the median of the
turns' ratios. Both leave out the first update, since its end separates setting up from living.
Setting up (tasks, simulator, fresh agents) is spread over the K updates of the preset. The speeds
of the ranks are added up. For the scaling, in each turn one rank also lives alone on the same work
while the others wait; the ranks alternate.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks.speed import communication, presets, processes
from benchmarks.speed.instruments import stopwatches, with_percent
from benchmarks.speed.open_loop import OpenLoop, recorded
from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Lifetimes
from epg_tf.ranks import Ranks


class LifetimeSeconds(NamedTuple):
    """The seconds that a lifetime took.

    Attributes:
        set_up: The seconds of setting up, once per lifetime.
        per_update: The mean of all updates except the first.
    """

    set_up: float
    per_update: float


def clocked(live: Callable[..., Lifetimes]) -> LifetimeSeconds:
    """Times `live`, a function that runs a lifetime and takes `on_update`."""
    ends = []
    start = time.perf_counter()
    live(on_update=lambda update: ends.append(time.perf_counter()))
    total = time.perf_counter() - start
    per_update = (ends[-1] - ends[0]) / (len(ends) - 1)
    return LifetimeSeconds(total - len(ends) * per_update, per_update)


def measure(
    ranks: Ranks,
    family: str,
    workers: int,
    updates: int,
    repetitions: int,
    exchanges: int = 0,
    bindings: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Measures one family.

    Args:
        ranks: The processes; with several, they are also measured one at a time.
        family: The preset.
        workers: W of each rank.
        updates: K of the timed lifetimes.
        repetitions: The number of turns of lifetime and limit.
        exchanges: The number of timed exchanges, as at an epoch's end.
        bindings: Changes to the preset.

    Returns:
        `share`, `steps_per_second`, `limit_steps_per_second`, `scaling`, `breakdown`, `rss_mb` and
        related figures.
    """
    whole = presets.read(family, bindings).inner_loop.num_updates
    settings = presets.read(family, [*bindings, f"InnerLoop.num_updates = {updates}"])
    threads = ranks.threads()
    population = WorkerGroups(settings.inner_loop, settings.family, workers, threads)
    share = ranks.share(workers * ranks.size)
    phi, seeds = presets.first_epoch(settings, population, share)
    live = functools.partial(population.live, phi, seeds, presets.GUIDANCE[family])
    live()  # compiles
    rss = psutil.Process().memory_info().rss / 2**20
    with recorded() as recordings:
        live()
    limit = OpenLoop(recordings, threads, skip=settings.inner_loop.steps_per_update)
    limit.run()

    rows = []
    for turn in range(repetitions):
        processes.wait_for_all(ranks)
        lifetime = clocked(live)
        processes.wait_for_all(ranks)
        limit_seconds = limit.run() / (updates - 1)
        processes.wait_for_all(ranks)
        gain = np.nan
        if ranks.size > 1 and ranks.rank == turn % ranks.size:
            gain = ranks.size * clocked(live).per_update / lifetime.per_update
        rows.append([*lifetime, limit_seconds, gain])
    # [ranks, turns] each.
    set_up, per_update, limit_seconds, gains = np.moveaxis(ranks.allgather(np.array([rows])), 2, 0)

    parts = []
    for _ in range(max(1, repetitions // 3)):
        processes.wait_for_all(ranks)
        with stopwatches() as watches:
            live()
            parts.append(watches.breakdown(updates, len(population.groups)))
    breakdown = {name: float(np.median([part[name] for part in parts])) for name in parts[0]}
    steps = workers * settings.inner_loop.steps_per_update  # per update and rank
    speed = np.sum(steps / (per_update + set_up / whole), axis=0)
    limit_speed = np.sum(steps / limit_seconds, axis=0)
    limit.close()
    return {
        "share": float(np.median(speed / limit_speed)),
        "share_spread": [float(part) for part in np.quantile(speed / limit_speed, (0.25, 0.75))],
        "steps_per_second": float(np.median(speed)),
        "limit_steps_per_second": float(np.median(limit_speed)),
        "scaling": float(np.nanmedian(gains)) if ranks.size > 1 else 1.0,
        "set_up_ms": 1e3 * float(np.median(set_up)),
        "limit_ms_per_update": 1e3 * float(np.median(limit_seconds)),
        "breakdown": with_percent(breakdown),
        "rss_mb": float(ranks.allgather(np.array([[rss]])).max()),
        "threads": threads,
        "parameters": phi.shape[1],
        "tell_seconds_per_worker": communication.tell_seconds(phi.shape[1]),
        "exchange_seconds": communication.exchange_seconds(ranks, workers, exchanges),
    }


if __name__ == "__main__":
    processes.serve(measure)
