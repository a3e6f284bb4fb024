"""Learning curves: what an agent's episodes say of it at every update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from epg_tf.inner_loop.episodes import EpisodeReturns, last_episodes

COLUMNS = ("method", "task_seed", "seed", "update", "env_steps", "return")


def learning_curves(
    episodes: EpisodeReturns, num_updates: int, steps_per_update: int
) -> np.ndarray:
    """The return that each agent had arrived at by each update.

    At update k it is the mean return of the last three episodes that were completed by the agent's
    step k M. Until one is completed it is the first one's return (or the running episode's, in a
    lifetime that completes none). The last value is the lifetime's final return.

    Args:
        episodes: Of W lifetimes.
        num_updates: K.
        steps_per_update: M.

    Returns:
        [W, K].
    """
    steps = steps_per_update * np.arange(1, num_updates + 1)
    curves = np.empty((len(episodes.completed), num_updates))
    for worker, returns in enumerate(episodes.of_lifetimes()):
        last_steps = episodes.last_steps[worker]
        completed = np.maximum(1, np.searchsorted(last_steps, steps, side="right"))
        arrived = {count: last_episodes(returns[:count]) for count in np.unique(completed)}
        curves[worker] = [arrived[count] for count in completed]
    return curves


def curve_rows(
    curves: Mapping[str, np.ndarray], task_seeds: Sequence[int], steps_per_update: int
) -> Iterator[tuple]:
    """Every run's curve as rows of `COLUMNS`.

    Args:
        curves: By method, [tasks, seeds, K].
        task_seeds: The seed of each task.
        steps_per_update: M.
    """
    for method, runs in curves.items():
        for (task, seed, update), value in np.ndenumerate(runs):
            k = update + 1
            # float(): the shortest digits that read back as the same number.
            yield method, task_seeds[task], seed, k, k * steps_per_update, float(value)
