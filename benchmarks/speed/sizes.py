"""How large the measurements are: the full benchmark, and the quick one."""

from __future__ import annotations

import dataclasses

FAMILIES = ("reacher", "hopper", "dir_hopper")
BODIES = ("walker", "half_cheetah", "dir_half_cheetah", "swimmer", "ant", "own_robot")


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What decides how long the benchmark takes and how steady its figures are.

    Attributes:
        workers: W per rank with two ranks; a lone rank has twice as many.
        updates: K of the timed lifetimes, at least 2; short ones, taking turns with the limit
            often, see the same disturbances as it does.
        repetitions: How often lifetime and limit take turns.
        memory_updates: Updates over which memory is watched.
        memory_lifetime: K of the lifetimes that make them up.
        memory_apart: Whether memory is watched in a process of its own, or, to save its start, at
            the end of the one that has measured a warm start.
        communication_ranks: Numbers of ranks that communication is measured for.
        communication_repetitions: Exchanges per number of ranks.
        cost_workers: W, for the cost of an update.
        cost_updates: K, for the cost of a lifetime.
        cost_context_sizes: Units of the loss's context, for the cost against P.
        bindings: Changes to every preset.
    """

    workers: int = 16
    updates: int = 8
    repetitions: int = 15
    memory_updates: int = 10_000
    memory_lifetime: int = 100
    memory_apart: bool = True
    communication_ranks: tuple[int, ...] = (2, 8, 32)
    communication_repetitions: int = 300
    cost_workers: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    cost_updates: tuple[int, ...] = (4, 8, 16, 32, 64)
    cost_context_sizes: tuple[int, ...] = (32, 128, 512, 2048)
    bindings: tuple[str, ...] = ()


FULL = Sizes()
QUICK = Sizes(
    updates=4,
    repetitions=9,
    memory_updates=300,
    memory_lifetime=50,
    memory_apart=False,
    communication_ranks=(),
    communication_repetitions=100,
    cost_workers=(),
    cost_updates=(),
    cost_context_sizes=(),
)
