"""A replay buffer of all steps of W agents.

It resembles TF-Agents' `TFUniformReplayBuffer`, but is in NumPy, never drops a step, and samples
each agent's steps with a separate generator. It has no boundary steps, which TF-Agents' drivers put
between episodes. From those SAC would learn that the end of an episode leads to the start of the
next.
"""

from __future__ import annotations

import numpy as np
from tf_agents.trajectories import policy_step, trajectory
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.experience import Experience


class ReplayBuffer:
    """The steps of W agents.

    Attributes:
        num_steps: The number of stored steps per agent.
    """

    def __init__(self, num_agents: int, capacity: int, observation_size: int, action_size: int):
        """Allocates the buffer.

        Args:
            num_agents: W.
            capacity: The largest number of steps per agent.
            observation_size: S.
            action_size: A.
        """
        self.num_steps = 0
        of_all = (num_agents, capacity)
        self._observation = np.empty((*of_all, observation_size), np.float32)
        self._next_observation = np.empty_like(self._observation)
        self._action = np.empty((*of_all, action_size), np.float32)
        self._reward = np.empty(of_all, np.float32)
        self._discount = np.empty(of_all, np.float32)

    def add(self, experience: Experience) -> None:
        """Adds T steps of every agent.

        The discount is 0 where the task itself ended an episode, and 1 elsewhere, so that time
        limits bootstrap.
        """
        new = slice(self.num_steps, self.num_steps + experience.length)
        self._observation[:, new] = experience.observation
        self._next_observation[:, new] = experience.next_observation
        self._action[:, new] = experience.action
        self._reward[:, new] = experience.reward
        self._discount[:, new] = np.where(experience.terminated, 0.0, 1.0)
        self.num_steps = new.stop

    def sample(
        self, agent: int, num_batches: int, batch_size: int, generator: np.random.Generator
    ) -> trajectory.Transition:
        """Draws steps of one agent, uniformly and with replacement.

        Args:
            agent: The agent whose steps are drawn.
            num_batches: G.
            batch_size: B.
            generator: The generator that draws them.

        Returns:
            G batches for `SacAgent.train`, as arrays [G, B, ...].
        """
        steps = generator.integers(self.num_steps, size=(num_batches, batch_size))
        ones = np.ones(steps.shape, np.float32)
        # SAC ignores both step types, and reward and discount of the first time step.
        kind = np.full(steps.shape, ts.StepType.MID)
        return trajectory.Transition(
            ts.TimeStep(kind, 0.0 * ones, ones, self._observation[agent][steps]),
            policy_step.PolicyStep(self._action[agent][steps]),  # pyright: ignore[reportCallIssue]
            ts.TimeStep(
                kind,
                self._reward[agent][steps],
                self._discount[agent][steps],
                self._next_observation[agent][steps],
            ),
        )
