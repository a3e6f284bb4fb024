"""Memory over thousands of updates: what a rank keeps must not grow with what it has done.

The updates are small, so that there can be many, and come in lifetimes, so that what is left behind
by a lifetime would show as well.
"""

from __future__ import annotations

from typing import Any

import psutil

from epg_tf.benchmarking import presets, processes
from epg_tf.evolution.ranks import Ranks
from epg_tf.inner_loop import Workers

_SMALL = (
    "InnerLoop.steps_per_update = 32",
    "InnerLoop.buffer_size = 32",
)
_WORKERS = 2


def measure(
    ranks: Ranks, family: str, updates: int, lifetime: int, bindings: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Lives many small lifetimes.

    Args:
        ranks: One process.
        family: Which preset.
        updates: In all.
        lifetime: K.
        bindings: Changes to the preset.

    Returns:
        `updates`, `before_mb` and `growth_mb`, of the resident size, from after the first lifetimes
        on.
    """
    small = [*_SMALL, *bindings, f"InnerLoop.num_updates = {lifetime}"]
    settings = presets.read(family, small)
    workers = Workers(settings.inner_loop, settings.family, _WORKERS, ranks.threads())
    phi, seeds = presets.first_epoch(settings, workers, range(_WORKERS))
    process = psutil.Process()
    for _ in range(2):  # compiles, and lets the allocator settle
        workers.live(phi, seeds, presets.GUIDANCE[family])
    before = process.memory_info().rss
    lifetimes = max(1, updates // lifetime)
    for _ in range(lifetimes):
        workers.live(phi, seeds, presets.GUIDANCE[family])
    growth = process.memory_info().rss - before
    return {
        "updates": lifetimes * lifetime,
        "before_mb": before / 2**20,
        "growth_mb": growth / 2**20,
    }


if __name__ == "__main__":
    processes.serve(measure)
