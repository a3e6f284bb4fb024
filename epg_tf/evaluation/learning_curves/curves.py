"""Learning curves as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

COLUMNS = ("method", "task_seed", "seed", "update", "env_steps", "return")


def curve_rows(
    curves: Mapping[str, np.ndarray], task_seeds: Sequence[int], steps_per_update: int
) -> Iterator[tuple]:
    """Yields every run's curve as rows of `COLUMNS`.

    Args:
        curves: The curves by method, [tasks, seeds, K].
        task_seeds: The seed of each task.
        steps_per_update: M.
    """
    for method, runs in curves.items():
        for (task, seed, update), value in np.ndenumerate(runs):
            k = update + 1
            # A float prints as the shortest digits that read back as the same number.
            yield method, task_seeds[task], seed, k, k * steps_per_update, float(value)
