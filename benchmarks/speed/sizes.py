"""The sizes of the measurements: those of the full benchmark and of the quick one."""

from __future__ import annotations

import dataclasses

FAMILIES = ("reacher", "hopper", "dir_hopper")
BODIES = ("walker", "half_cheetah", "dir_half_cheetah", "swimmer", "ant", "own_robot")


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The settings that determine the benchmark's duration and the noise of its figures.

    Attributes:
        workers: W per rank with two ranks; a single rank has twice as many.
        updates: K of the timed lifetimes, at least 2. Short lifetimes alternate with the limit
            often, so that both see the same disturbances.
        repetitions: The number of turns of lifetime and limit.
        memory_updates: The number of updates over which memory is measured.
        memory_lifetime: K of the lifetimes that contain them.
        memory_apart: True to measure memory in a separate process; False to do so at the end of the
            warm start's process, which saves a start.
        communication_ranks: The numbers of ranks for which communication is measured.
        communication_repetitions: Exchanges per number of ranks.
        cost_workers: Values of W, for the cost of an update.
        cost_updates: Values of K, for the cost of a lifetime.
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
