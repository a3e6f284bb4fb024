"""gymnasium environments for TF-Agents, whose own wrapper supports only the older gym."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts


class GymnasiumEnvironment(py_environment.PyEnvironment):
    """A gymnasium environment that TF-Agents' drivers can step."""

    def __init__(self, env: gymnasium.Env, seed: int | None = None):
        """Wraps an environment.

        Args:
            env: An environment with observations in a box, and actions in a box or a finite set.
            seed: The seed of its first reset.

        Raises:
            ValueError: If a space is neither a box nor a finite set, or actions are a box of whole
                numbers.
        """
        super().__init__()
        self._env, self._seed = env, seed
        self._observation_spec = _spec_of("observation_space", env.observation_space)
        self._action_spec = _spec_of("action_space", env.action_space)

    def observation_spec(self) -> array_spec.ArraySpec:
        """Returns the spec of observations."""
        return self._observation_spec

    def action_spec(self) -> array_spec.BoundedArraySpec:
        """Returns the spec of actions."""
        return self._action_spec

    def close(self) -> None:
        """Closes the environment."""
        self._env.close()

    def _reset(self) -> ts.TimeStep:
        observation, _ = self._env.reset(seed=self._seed)
        self._seed = None
        return ts.restart(np.asarray(observation, np.float32))

    def _step(self, action: Any) -> ts.TimeStep:
        if self._current_time_step is not None and self._current_time_step.is_last():
            return self.reset()
        observation, reward, terminated, truncated, _ = self._env.step(action)
        observation, reward = np.asarray(observation, np.float32), float(reward)
        if terminated:
            return ts.termination(observation, reward)
        step = ts.truncation if truncated else ts.transition
        return step(observation, reward)


def _spec_of(name: str, space: gymnasium.Space) -> array_spec.BoundedArraySpec:
    if isinstance(space, gymnasium.spaces.Discrete):
        return array_spec.BoundedArraySpec(
            (), np.int32, int(space.start), int(space.start + space.n - 1)
        )
    if not isinstance(space, gymnasium.spaces.Box):
        raise ValueError(f"`{name}` (={space}) must be a box or finitely many.")
    if name == "action_space" and not np.issubdtype(space.dtype, np.floating):
        raise ValueError(f"`{name}` (={space}) must be a box of floats or finitely many.")
    low, high = (bound.astype(np.float32) for bound in (space.low, space.high))
    return array_spec.BoundedArraySpec(space.shape, np.float32, low, high)
