"""GymnasiumTasks: any gymnasium environment as a family of tasks."""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from epg_tf.tasks.environments import requirements
from epg_tf.tasks.environments.settings import EnvironmentSettings
from epg_tf.tasks.environments.simulator import EnvironmentSimulator
from epg_tf.tasks.family import Description, Quantity, Task, TaskFamily, uniform


@dataclasses.dataclass(frozen=True)
class GymnasiumTasks(EnvironmentSettings, TaskFamily):
    """Tasks that differ in attributes, arguments or options of one gymnasium environment.

    `EnvironmentSettings` documents the attributes.
    """

    frame_skip = 1
    simulator_type = EnvironmentSimulator

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "time_limit", requirements.check(self))

    @property
    def observation_size(self) -> int:
        """The length of a flat observation."""
        return int(np.prod(self.spaces[0].shape))

    @property
    def action_size(self) -> int:
        """The length of the box action; 1 for a finite set."""
        return int(np.prod(self.spaces[1].shape or (1,)))

    @property
    def num_actions(self) -> int | None:
        """The size of a finite set of actions; None for a box."""
        space = self.spaces[1]
        return int(space.n) if isinstance(space, Discrete) else None

    def draw(self, rng: np.random.Generator) -> Task:
        """Draws what the task differs in, in the order of the names."""
        drawn = {}
        for name, (low, high) in sorted(self.ranges.items()):
            nominal = getattr(self.nominal.unwrapped, name, low)
            are_whole = all(isinstance(number, int) for number in (low, high, nominal))
            drawn[name] = rng.integers(low, high + 1) if are_whole else rng.uniform(low, high)
        return Task(None, drawn)

    def describe(self) -> Description:
        """Describes the environment and what its tasks differ in."""
        spaces = self.nominal.unwrapped
        what = "attribute, argument or option of the environment"
        drawn = sorted(self.ranges.items())
        return Description(
            f"The gymnasium environment {self.id}.",
            tuple(Quantity(name, what, uniform(bounds)) for name, bounds in drawn),
            f"The environment's, {_shown(spaces.observation_space)}, flattened.",
            "The environment's.",
            f"Where the environment ends it; otherwise it is truncated after {self.time_limit} "
            "steps.",
            (f"An action of 1 is the highest of {_shown(spaces.action_space)}, -1 the lowest.",)
            if self.num_actions is None
            else (),
        )

    def initial_state(self, task: Task, rng: np.random.Generator) -> Any:
        """Raises: an environment starts by itself, and observes and ends episodes too."""
        raise NotImplementedError

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters) -> np.ndarray:
        """Raises: an environment rewards by itself."""
        raise NotImplementedError


def _shown(space: gymnasium.Space) -> str:
    shape = "x".join(map(str, space.shape or ()))
    return f"a box of {shape} numbers" if isinstance(space, Box) else str(space)
