"""A family around another: everything is the other's until a subclass says otherwise."""

import numpy as np

from epg_tf.tasks.family import Description, Parameters, Task, TaskFamily


class WrappedFamily(TaskFamily):
    """The tasks of another family, passed on.

    Attributes:
        family: The other family.
    """

    family: TaskFamily

    @property
    def observation_size(self) -> int:
        """The family's."""
        return self.family.observation_size

    @property
    def action_size(self) -> int:
        """The family's."""
        return self.family.action_size

    @property
    def num_actions(self) -> int | None:
        """The family's."""
        return self.family.num_actions

    @property
    def frame_skip(self) -> int:
        """The family's."""
        return self.family.frame_skip

    @property
    def time_limit(self) -> int:
        """The family's."""
        return self.family.time_limit

    def describe(self) -> Description:
        """The family's words."""
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
