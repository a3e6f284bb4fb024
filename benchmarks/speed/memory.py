"""Memory over thousands of updates: a rank's memory must not grow with the work done.

The updates are small, so that there can be many. They belong to many lifetimes, so that a leak per
lifetime would show as well.
"""

from __future__ import annotations

from typing import Any

import psutil

from benchmarks.speed import presets, processes
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.ranks import Ranks

_SMALL = (
    "InnerLoop.steps_per_update = 32",
    "InnerLoop.buffer_size = 32",
)
_WORKERS = 2


def measure(
    ranks: Ranks, family: str, updates: int, lifetime: int, bindings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Runs many small lifetimes.

    Args:
        ranks: One process.
        family: The preset.
        updates: The number of updates in all.
        lifetime: K.
        bindings: Changes to the preset.

    Returns:
        `updates`, `growth_mb` (the growth of the resident size since the first lifetimes) and
        `resident_mb` (that size at intervals).
    """
    small = [*_SMALL, *bindings, f"InnerLoop.num_updates = {lifetime}"]
    settings = presets.read(family, small)
    workers = Workers(settings.inner_loop, settings.family, _WORKERS)
    phi, seeds = presets.first_epoch(settings, workers, range(_WORKERS))
    process = psutil.Process()
    for _ in range(2):  # compiles, and lets the allocator settle
        workers.live(phi, seeds, presets.GUIDANCE[family])
    lifetimes = max(1, updates // lifetime)
    sizes = [process.memory_info().rss / 2**20]
    for _ in range(lifetimes):
        workers.live(phi, seeds, presets.GUIDANCE[family])
        sizes.append(process.memory_info().rss / 2**20)
    return {
        "updates": lifetimes * lifetime,
        "growth_mb": sizes[-1] - sizes[0],
        "resident_mb": sizes[:: max(1, lifetimes // 10)],
    }


if __name__ == "__main__":
    processes.serve(measure)
