"""Drivers for Algorithm 1, lines 8-11: M steps of W agents, without boundary steps.

A stock TF-Agents driver spends a step on every reset and calls its observers at each step. But a
lifetime counts transitions. So these drivers start the next episode within the step that ends the
last one, and return all M steps at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from tf_agents.drivers import driver

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.native.trial import runs_here
from epg_tf.tasks.compiled_simulator import CompiledSimulator, Rollout, is_compilable
from epg_tf.tasks.environment import BatchedEnvironment

_STATE = ("state", "observation", "steps", "warnings")  # attributes of the simulator


class LifetimeDriver(driver.Driver):
    """Collects exactly M transitions per worker at every `run`, step by step.

    Attributes:
        physics_seconds: The total time spent in the simulator; `CompiledDriver` includes acting.
        rollout: The steps of the last `run`, physics included.
    """

    rollout: Rollout

    def __init__(self, env: BatchedEnvironment, policy: ActingPolicy, num_steps: int):
        """Makes a driver.

        Args:
            env: W workers.
            policy: The policy of all workers.
            num_steps: M.
        """
        super().__init__(env, policy, observers=None, transition_observers=None)
        self._num_steps = num_steps
        self.physics_seconds = 0.0

    def run(self) -> Experience:
        """Takes the next M steps from the environment's current state.

        Returns:
            The steps; at the end of an episode, the next observation is the one before the reset.
        """
        simulator, policy, num_steps = self.env.simulator, self.policy, self._num_steps
        noise = policy.draw_noise(num_steps)
        before = np.empty((num_steps, *simulator.state.shape))
        after = np.empty_like(before)
        observations = np.empty((num_steps, *simulator.observation.shape), np.float32)
        arrivals = np.empty_like(observations)
        rewards = np.empty((num_steps, simulator.num_workers))
        terminated = np.empty(rewards.shape, bool)
        truncated = np.empty_like(terminated)
        actions = []
        clock = time.perf_counter
        for t in range(num_steps):
            observations[t] = simulator.observation
            before[t] = simulator.state
            action = policy.act(observations[t], noise[:, t])
            start = clock()
            step = self.env.advance(action, after[t])
            self.physics_seconds += clock() - start
            actions.append(action)
            arrivals[t], rewards[t], terminated[t], truncated[t] = step
        ended = terminated | truncated
        actions = np.stack(actions)
        parts = (observations, actions, rewards, terminated, ended, arrivals, before, after)
        self.rollout = Rollout(*map(_workers_first, parts))
        return _experience(self.rollout)

    def state(self) -> dict[str, np.ndarray]:
        """Returns copies of the tasks' states, [W, ...] each, without the random generators."""
        simulator = self.env.simulator
        return {name: getattr(simulator, name).copy() for name in _STATE}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restores the result of `state`, for tasks that were drawn in the same way."""
        for name in _STATE:
            getattr(self.env.simulator, name)[:] = state[name]


class CompiledDriver(LifetimeDriver):
    """Collects the same M transitions in one call of machine code.

    The results differ from `LifetimeDriver`'s by rounding: the order of additions, fused
    multiply-adds and another tanh.
    """

    def __init__(self, env: BatchedEnvironment, policy: ActingPolicy, num_steps: int):
        """Makes a driver, for a plain `ActingPolicy` and a simulator that `is_compilable`."""
        super().__init__(env, policy, num_steps)
        self._simulator = CompiledSimulator(env.simulator, num_steps)

    def run(self) -> Experience:
        """Takes the next M steps from the environment's current state; see `LifetimeDriver`."""
        noise = self.policy.draw_noise(self._num_steps)
        actors = self.policy.actors
        start = time.perf_counter()
        self.rollout = self._simulator.collect(actors, noise)
        self.physics_seconds += time.perf_counter() - start
        return _experience(self.rollout)

    def state(self) -> dict[str, np.ndarray]:
        """Returns the tasks' states and the queued episode starts; see `LifetimeDriver`."""
        starts = self._simulator.starts._asdict()
        return super().state() | {name: array.copy() for name, array in starts.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restores the result of `state`, for tasks that were drawn in the same way."""
        for name, array in self._simulator.starts._asdict().items():
            array[:] = state[name]
        super().restore(state)


def make(env: BatchedEnvironment, policy: ActingPolicy, num_steps: int) -> LifetimeDriver:
    """Returns the fastest driver that supports this simulator, this policy and this machine.

    Rivals' policies are other classes, whose way of acting the compiled call does not implement.
    """
    compiled = type(policy) is ActingPolicy and is_compilable(env.simulator) and runs_here()
    return (CompiledDriver if compiled else LifetimeDriver)(env, policy, num_steps)


def _experience(rollout: Rollout) -> Experience:
    return Experience(*rollout[:6])


def _workers_first(array: np.ndarray) -> np.ndarray:
    """Turns [M, W, ...] into [W, M, ...]."""
    return np.ascontiguousarray(array.swapaxes(0, 1))
