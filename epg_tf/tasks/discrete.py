"""A finite action space for a family whose actions are a box.

The paper's policies may be categorical (section 3.3), but its robots take torques.
`DiscreteActions` lays a grid over the box, so that the same robots serve both kinds of policy.
"""

import dataclasses
import functools
import itertools
from typing import Annotated

import numpy as np

from epg_tf.checks import Settings, at_least
from epg_tf.tasks.family import Description, TaskFamily
from epg_tf.tasks.wrapped import WrappedFamily


@dataclasses.dataclass(frozen=True)
class DiscreteActions(Settings, WrappedFamily):
    """The tasks of another family, with the points of a grid as actions.

    Action i is row i of `grid`; the last dimension of the box varies fastest. Everything else comes
    from the family, whose reward gets the box action.

    Attributes:
        family: The family to wrap; its actions must be a box.
        actions_per_dimension: Points along each dimension, evenly spaced from -1 to 1.
    """

    family: TaskFamily
    actions_per_dimension: Annotated[int, at_least(2)] = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._require("family", self.family.num_actions is None, "be a family with box actions")
        is_model = self.family.simulator_type is None
        self._require("family", is_model, "be a family of MuJoCo models")

    @functools.cached_property
    def grid(self) -> np.ndarray:
        """The box actions, `[num_actions, A]`."""
        points = np.linspace(-1.0, 1.0, self.actions_per_dimension)
        return np.array(list(itertools.product(points, repeat=self.action_size)))

    @property
    def num_actions(self) -> int:
        """The size of the grid."""
        return self.actions_per_dimension**self.action_size

    def describe(self) -> Description:
        """Describes the grid; the other family describes itself."""
        return Description(
            "The tasks of another family, acted on with the points of a grid of "
            f"{self.actions_per_dimension} points along each dimension of its actions; the last "
            "dimension varies fastest."
        )

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Looks up the box actions and rewards them as the family does."""
        box = self.grid[action]
        return super().reward(qpos_before, qpos, qvel, observation, box, parameters)

    def control(self, action: np.ndarray) -> np.ndarray:
        """Looks up the integers `[W]` in the grid and lets the family control the actuators."""
        return super().control(self.grid[action])
