"""A family that somebody watches: what its tasks are and do stays what it was."""

from collections.abc import Callable

import numpy as np

from epg_tf.tasks.family import TaskFamily
from epg_tf.tasks.wrapped import WrappedFamily

Watcher = Callable[[np.ndarray, np.ndarray], object]


class WatchedFamily(WrappedFamily):
    """A family whose simulators tell of every step, for what no observation or reward shows.

    Attributes:
        family: The family to watch.
        watcher: Called once per step of all workers with the positions before it and after it,
            before any reset, `[W, nq]` each, valid until the next step.
    """

    def __init__(self, family: TaskFamily, watcher: Watcher):
        self.family = family
        self.watcher = watcher

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Tells the watcher, and rewards as the family does."""
        self.watcher(qpos_before, qpos)
        return super().reward(qpos_before, qpos, qvel, observation, action, parameters)
