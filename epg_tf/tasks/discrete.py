"""A finite action space for a family whose actions are a box.

The paper's policies may be categorical (section 3.3), and its robots take torques:
`DiscreteActions` lays a grid over the box, so that the same robots serve both kinds of policy.
"""

import dataclasses
import functools
import itertools

import numpy as np

from epg_tf.tasks.family import Parameters, Task, TaskFamily


@dataclasses.dataclass(frozen=True)
class DiscreteActions(TaskFamily):
    """The tasks of another family, acted on with the points of a grid.

    Action i is row i of `grid`; the last dimension of the box varies fastest. Everything else, and
    the reward's view of the action, is the family's own.

    Attributes:
        family: The family to wrap; its actions must be a box.
        actions_per_dimension: Points along each dimension, evenly spaced from -1 to 1.
    """

    family: TaskFamily
    actions_per_dimension: int = 3

    def __post_init__(self):
        self._require("family", self.family.num_actions is None, "a family with box actions")
        count = self.actions_per_dimension
        is_count = isinstance(count, int) and not isinstance(count, bool) and count >= 2
        self._require("actions_per_dimension", is_count, "an integer of at least 2")

    @functools.cached_property
    def grid(self) -> np.ndarray:
        """The actions, `[num_actions, A]`."""
        points = np.linspace(-1.0, 1.0, self.actions_per_dimension)
        return np.array(list(itertools.product(points, repeat=self.action_size)))

    @property
    def num_actions(self) -> int:
        """The size of the grid."""
        return self.actions_per_dimension**self.action_size

    @property
    def observation_size(self) -> int:
        """The family's."""
        return self.family.observation_size

    @property
    def action_size(self) -> int:
        """The family's: the length of the box action that is looked up."""
        return self.family.action_size

    @property
    def frame_skip(self) -> int:
        """The family's."""
        return self.family.frame_skip

    @property
    def time_limit(self) -> int:
        """The family's."""
        return self.family.time_limit

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws a task of the family: the same one for the same seed."""
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
        """Rewards as the family does, for the box action that was looked up."""
        box = self.grid[action]
        return self.family.reward(qpos_before, qpos, qvel, observation, box, parameters)

    def terminated(self, qpos: np.ndarray, qvel: np.ndarray, parameters: Parameters) -> np.ndarray:
        """Ends episodes as the family does."""
        return self.family.terminated(qpos, qvel, parameters)

    def control(self, action: np.ndarray) -> np.ndarray:
        """Looks up the integers `[W]` in the grid and lets the family control the actuators."""
        return self.family.control(self.grid[action])
