"""R_i: the return of a lifetime (footnote 1), from the returns of its episodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from epg_tf.agent.experience import Experience

LAST_EPISODES = 3

Objective = Callable[[Sequence[float]], float]


class EpisodeReturns:
    """Sums up undiscounted episode returns as experience arrives.

    Attributes:
        completed: The returns of each worker's completed episodes, oldest first.
        last_steps: The number of the step that ended each of them.
    """

    def __init__(self, num_workers: int):
        self.completed: list[list[float]] = [[] for _ in range(num_workers)]
        self.last_steps: list[list[int]] = [[] for _ in range(num_workers)]
        self._running = np.zeros(num_workers)
        self._steps = 0

    @classmethod
    def side_by_side(cls, parts: Sequence[EpisodeReturns]) -> EpisodeReturns:
        """Concatenates the returns of groups of workers after equally many steps."""
        joined = cls(0)
        for part in parts:
            joined.completed += part.completed
            joined.last_steps += part.last_steps
        joined._running = np.concatenate([part._running for part in parts])
        joined._steps = parts[0]._steps
        return joined

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns the state as arrays by name."""
        return {
            "number": np.array([len(episodes) for episodes in self.completed]),
            "completed": np.array(list(itertools.chain(*self.completed)), np.float64),
            "last_steps": np.array(list(itertools.chain(*self.last_steps)), np.int64),
            "running": self._running.copy(),
            "steps": np.array(self._steps),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> EpisodeReturns:
        """Restores the result of `as_arrays`."""
        ends = np.cumsum(arrays["number"])[:-1]
        returns = cls(len(arrays["number"]))
        returns.completed = [part.tolist() for part in np.split(arrays["completed"], ends)]
        returns.last_steps = [part.tolist() for part in np.split(arrays["last_steps"], ends)]
        returns._running = arrays["running"]
        returns._steps = int(arrays["steps"])
        return returns

    def add(self, experience: Experience) -> None:
        """Adds T more steps of every worker."""
        for worker, ended in enumerate(experience.ended):
            start = 0
            for end in np.flatnonzero(ended) + 1:
                total = self._running[worker] + experience.reward[worker, start:end].sum()
                self.completed[worker].append(float(total))
                self.last_steps[worker].append(self._steps + int(end))
                self._running[worker] = 0.0
                start = end
            self._running[worker] += experience.reward[worker, start:].sum()
        self._steps += experience.length

    def of_lifetimes(self) -> list[list[float]]:
        """Returns each worker's completed episodes, or the running one if none was completed."""
        return [
            episodes or [float(running)]
            for episodes, running in zip(self.completed, self._running, strict=True)
        ]


def last_episodes(returns: Sequence[float]) -> float:
    """Returns the final return: the mean of the last three episodes."""
    return float(np.mean(returns[-LAST_EPISODES:]))


def learning_curves(
    episodes: EpisodeReturns, num_updates: int, steps_per_update: int
) -> np.ndarray:
    """Returns each agent's learning curve.

    Its value at update k is the mean return of the last three episodes that were completed by the
    agent's step k M. Before that it is the return of the first episode, or of the running episode
    if a lifetime completes none. The last value is the final return.

    Args:
        episodes: The returns of W lifetimes.
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


def weighted_episodes(returns: Sequence[float]) -> float:
    """Returns footnote 1's fitness, which counts the final return and how soon it came.

    `R = R_last + mean_t((t + 1) / T * R_t)` over the T episodes, R_last the mean of the last three.
    """
    weights = np.arange(1, len(returns) + 1) / len(returns)
    return last_episodes(returns) + float(np.mean(weights * np.asarray(returns)))


OBJECTIVES: dict[str, Objective] = {
    "weighted_episodes": weighted_episodes,
    "last_episodes": last_episodes,
}
