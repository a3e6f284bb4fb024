"""A family that delegates to another one; subclasses override parts of it."""

import numpy as np

from epg_tf.tasks.family import Description, Parameters, Task, TaskFamily
from epg_tf.tasks.rules import Rules, rules_in_force


class WrappedFamily(TaskFamily):
    """The tasks of another family, unchanged.

    Attributes:
        family: The other family.
    """

    family: TaskFamily

    @property
    def observation_size(self) -> int:
        """The length of the family's observations."""
        return self.family.observation_size

    @property
    def action_size(self) -> int:
        """The length of the family's box action."""
        return self.family.action_size

    @property
    def num_actions(self) -> int | None:
        """The size of the family's finite action space; None for a box."""
        return self.family.num_actions

    @property
    def frame_skip(self) -> int:
        """MuJoCo steps per environment step of the family."""
        return self.family.frame_skip

    @property
    def time_limit(self) -> int:
        """Environment steps after which the family truncates an episode."""
        return self.family.time_limit

    @property
    def rules(self) -> Rules | None:
        """The family's rules; None if they do not describe it completely."""
        return rules_in_force(self.family)

    def describe(self) -> Description:
        """Returns the family's description."""
        return self.family.describe()

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws a task of the family: the same one for the same seed."""
        return self.family.draw(rng)

    def initial_state(self, task: Task, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Starts an episode as the family does."""
        return self.family.initial_state(task, rng)

    def observe(self, qpos, qvel, parameters, out=None) -> np.ndarray:
        """Observes as the family does."""
        return self.family.observe(qpos, qvel, parameters, out=out)

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Rewards as the family does."""
        return self.family.reward(qpos_before, qpos, qvel, observation, action, parameters)

    def terminated(self, qpos: np.ndarray, qvel: np.ndarray, parameters: Parameters) -> np.ndarray:
        """Ends episodes as the family does."""
        return self.family.terminated(qpos, qvel, parameters)

    def control(self, action: np.ndarray) -> np.ndarray:
        """Controls the actuators as the family does."""
        return self.family.control(action)
