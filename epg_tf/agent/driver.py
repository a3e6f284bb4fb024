"""Algorithm 1, lines 8-11: M steps of W agents, without boundary steps.

A stock TF-Agents driver spends a step on every reset and calls its observers at each step. A
lifetime counts transitions, so this driver starts the next episode within the step that ended the
last, and hands over all M steps at once.
"""

from __future__ import annotations

import time

import numpy as np
from tf_agents.drivers import driver

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.tasks.environment import BatchedEnvironment


class LifetimeDriver(driver.Driver):
    """Collects exactly M transitions per worker at every `run`.

    Attributes:
        physics_seconds: Time spent in the simulator since the start.
    """

    def __init__(self, env: BatchedEnvironment, policy: ActingPolicy, num_steps: int):
        """Makes a driver.

        Args:
            env: W workers.
            policy: Acts for them.
            num_steps: M.
        """
        super().__init__(env, policy, observers=None, transition_observers=None)
        self._num_steps = num_steps
        self.physics_seconds = 0.0

    def run(self) -> Experience:
        """Takes the next M steps from where the environment stands.

        Returns:
            The steps; where an episode ended, the next observation is where it arrived, before the
            reset.
        """
        simulator, policy, num_steps = self.env.simulator, self.policy, self._num_steps
        noise = policy.draw_noise(num_steps)
        observations = np.empty((num_steps, *simulator.observation.shape), np.float32)
        arrivals = np.empty_like(observations)
        rewards = np.empty((num_steps, simulator.num_workers))
        terminated = np.empty(rewards.shape, bool)
        truncated = np.empty_like(terminated)
        actions = []
        clock = time.perf_counter
        for t in range(num_steps):
            observations[t] = simulator.observation
            action = policy.act(observations[t], noise[t])
            before = clock()
            step = self.env.advance(action)
            self.physics_seconds += clock() - before
            actions.append(action)
            arrivals[t], rewards[t], terminated[t], truncated[t] = step
        ended = terminated | truncated
        steps = (observations, np.stack(actions), rewards, terminated, ended, arrivals)
        return Experience(*map(_workers_first, steps))


def _workers_first(array: np.ndarray) -> np.ndarray:
    """[M, W, ...] -> [W, M, ...]."""
    return np.ascontiguousarray(array.swapaxes(0, 1))
