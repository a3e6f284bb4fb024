"""R_i: the return of a lifetime (footnote 1), from the returns of its episodes."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from epg_tf.agent.experience import Experience

LAST_EPISODES = 3

Objective = Callable[[Sequence[float]], float]


class EpisodeReturns:
    """Adds up undiscounted episode returns as experience comes in.

    Attributes:
        completed: For each worker the returns of its completed episodes, oldest first.
        last_steps: For each of them, the number of the worker's step that ended it.
        areas: For each of them, the sum over its steps of the return so far.
    """

    def __init__(self, num_workers: int):
        self.completed: list[list[float]] = [[] for _ in range(num_workers)]
        self.last_steps: list[list[int]] = [[] for _ in range(num_workers)]
        self.areas: list[list[float]] = [[] for _ in range(num_workers)]
        self._running, self._area = np.zeros(num_workers), np.zeros(num_workers)
        self._steps = 0

    @classmethod
    def side_by_side(cls, parts: Sequence[EpisodeReturns]) -> EpisodeReturns:
        """The returns of several groups of workers that have lived equally long."""
        joined = cls(0)
        for part in parts:
            joined.completed += part.completed
            joined.last_steps += part.last_steps
            joined.areas += part.areas
        joined._running = np.concatenate([part._running for part in parts])
        joined._area = np.concatenate([part._area for part in parts])
        joined._steps = parts[0]._steps
        return joined

    def as_arrays(self) -> dict[str, np.ndarray]:
        """All of this by name."""
        return {
            "number": np.array([len(episodes) for episodes in self.completed]),
            "completed": np.array(list(itertools.chain(*self.completed)), np.float64),
            "last_steps": np.array(list(itertools.chain(*self.last_steps)), np.int64),
            "areas": np.array(list(itertools.chain(*self.areas)), np.float64),
            "running": self._running.copy(),
            "area": self._area.copy(),
            "steps": np.array(self._steps),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> EpisodeReturns:
        """The returns that `as_arrays` gave."""
        ends = np.cumsum(arrays["number"])[:-1]
        returns = cls(len(arrays["number"]))
        returns.completed = [part.tolist() for part in np.split(arrays["completed"], ends)]
        returns.last_steps = [part.tolist() for part in np.split(arrays["last_steps"], ends)]
        returns.areas = [part.tolist() for part in np.split(arrays["areas"], ends)]
        returns._running, returns._area = arrays["running"], arrays["area"]
        returns._steps = int(arrays["steps"])
        return returns

    def add(self, experience: Experience) -> None:
        """Takes in T more steps of every worker."""
        for worker, ended in enumerate(experience.ended):
            start = 0
            for end in np.flatnonzero(ended) + 1:
                self._add_segment(worker, experience.reward[worker, start:end])
                self.completed[worker].append(float(self._running[worker]))
                self.areas[worker].append(float(self._area[worker]))
                self.last_steps[worker].append(self._steps + int(end))
                self._running[worker] = self._area[worker] = 0.0
                start = end
            self._add_segment(worker, experience.reward[worker, start:])
        self._steps += experience.length

    def _add_segment(self, worker: int, rewards: np.ndarray) -> None:
        """Adds steps of one episode."""
        self._area[worker] += (self._running[worker] + np.cumsum(rewards)).sum()
        self._running[worker] += rewards.sum()

    def of_lifetimes(self) -> list[list[float]]:
        """Each worker's completed episodes, or the running one where none was completed."""
        return [
            episodes or [float(running)]
            for episodes, running in zip(self.completed, self._running, strict=True)
        ]

    def mean_so_far(self, num_steps: int) -> np.ndarray:
        """Returns each worker's mean over steps of the return of the episode so far, [W].

        Args:
            num_steps: Episodes count that overlap so many of the newest steps, the running one
                among them.
        """
        means = np.zeros(len(self.completed))
        for worker, last_steps in enumerate(self.last_steps):
            first = bisect.bisect_right(last_steps, self._steps - num_steps)
            begin = last_steps[first - 1] if first else 0
            total = self._area[worker] + sum(self.areas[worker][first:])
            means[worker] = total / max(self._steps - begin, 1)
        return means


def last_episodes(returns: Sequence[float]) -> float:
    """The mean return of the last three episodes: what a lifetime arrived at."""
    return float(np.mean(returns[-LAST_EPISODES:]))


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


def weighted_episodes(returns: Sequence[float]) -> float:
    """Footnote 1: what a lifetime arrived at, and how soon.

    `R = R_last + mean_t((t + 1) / T * R_t)` over the T episodes, R_last the mean of the last three.
    """
    weights = np.arange(1, len(returns) + 1) / len(returns)
    return last_episodes(returns) + float(np.mean(weights * np.asarray(returns)))


OBJECTIVES: dict[str, Objective] = {
    "weighted_episodes": weighted_episodes,
    "last_episodes": last_episodes,
}
