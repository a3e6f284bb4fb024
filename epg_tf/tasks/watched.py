"""A family that somebody watches: what its tasks are and do stays what it was."""

from collections.abc import Callable

import numpy as np

from epg_tf.tasks.family import Parameters, Task, TaskFamily

Watcher = Callable[[np.ndarray, np.ndarray], object]


class WatchedFamily(TaskFamily):
    """A family whose simulators tell of every step, for what no observation or reward shows.

    Attributes:
        family: The family to watch.
        watcher: Called once per step of all workers with the positions before it and after it,
            before any reset, `[W, nq]` each, valid until the next step.
    """

    def __init__(self, family: TaskFamily, watcher: Watcher):
        self.family = family
        self.watcher = watcher
        self.observation_size = family.observation_size
        self.action_size = family.action_size
        self.num_actions = family.num_actions
        self.frame_skip = family.frame_skip
        self.time_limit = family.time_limit

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws a task of the family."""
        return self.family.draw(rng)

    def initial_state(self, task: Task, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Starts an episode as the family does."""
        return self.family.initial_state(task, rng)

    def observe(
        self,
        qpos: np.ndarray,
        qvel: np.ndarray,
        parameters: Parameters,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Observes as the family does."""
        return self.family.observe(qpos, qvel, parameters, out=out)

    def reward(
        self,
        qpos_before: np.ndarray,
        qpos: np.ndarray,
        qvel: np.ndarray,
        observation: np.ndarray,
        action: np.ndarray,
        parameters: Parameters,
    ) -> np.ndarray:
        """Tells the watcher, and rewards as the family does."""
        self.watcher(qpos_before, qpos)
        return self.family.reward(qpos_before, qpos, qvel, observation, action, parameters)

    def terminated(self, qpos: np.ndarray, qvel: np.ndarray, parameters: Parameters) -> np.ndarray:
        """Ends episodes as the family does."""
        return self.family.terminated(qpos, qvel, parameters)

    def control(self, action: np.ndarray) -> np.ndarray:
        """Controls the actuators as the family does."""
        return self.family.control(action)
