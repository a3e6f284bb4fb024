"""Algorithm 1, lines 8-11: M steps of W agents, without boundary steps.

A stock TF-Agents driver spends a step on every reset and calls its observers at each step. A
lifetime counts transitions, so these drivers start the next episode within the step that ended the
last, and hand over all M steps at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from tf_agents.drivers import driver

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.native.trial import runs_here
from epg_tf.tasks.compiled_simulator import CompiledSimulator, Passage, is_compilable
from epg_tf.tasks.environment import BatchedEnvironment

_STATE = ("state", "observation", "steps", "warnings")  # of the simulator


class LifetimeDriver(driver.Driver):
    """Collects exactly M transitions per worker at every `run`, step by step.

    Attributes:
        physics_seconds: Time spent in the simulator since the start; where many steps are one call,
            with acting.
        passage: What the last run came through, physics included.
    """

    passage: Passage

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
        self.passage = Passage(*map(_workers_first, parts))
        return _experience(self.passage)

    def state(self) -> dict[str, np.ndarray]:
        """Where the tasks stand, [W, ...] each; the generators are not among it."""
        simulator = self.env.simulator
        return {name: getattr(simulator, name).copy() for name in _STATE}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` gave, of tasks that were drawn in the same way."""
        for name in _STATE:
            getattr(self.env.simulator, name)[:] = state[name]


class CompiledDriver(LifetimeDriver):
    """Collects the same M transitions in one call that needs no Python.

    What is seen and done differs from what it is step by step by rounding: sums in another order,
    products fused with them, another tanh.
    """

    def __init__(self, env: BatchedEnvironment, policy: ActingPolicy, num_steps: int):
        """Makes a driver of workers for which `is_compilable` holds, and a plain policy."""
        super().__init__(env, policy, num_steps)
        self._simulator = CompiledSimulator(env.simulator, num_steps)

    def run(self) -> Experience:
        """Takes the next M steps from where the environment stands; see `LifetimeDriver`."""
        noise = self.policy.draw_noise(self._num_steps)
        actors = self.policy.actors
        start = time.perf_counter()
        self.passage = self._simulator.collect(actors, noise)
        self.physics_seconds += time.perf_counter() - start
        return _experience(self.passage)

    def state(self) -> dict[str, np.ndarray]:
        """Where the tasks stand, and the starts that are drawn; see `LifetimeDriver`."""
        starts = self._simulator.starts._asdict()
        return super().state() | {name: array.copy() for name, array in starts.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from what `state` gave, of tasks that were drawn in the same way."""
        for name, array in self._simulator.starts._asdict().items():
            array[:] = state[name]
        super().restore(state)


def make(env: BatchedEnvironment, policy: ActingPolicy, num_steps: int) -> LifetimeDriver:
    """The faster of the two that does for this simulator and this policy.

    Rivals' policies are classes of their own, and act in ways that the call does not know.
    """
    compiled = type(policy) is ActingPolicy and is_compilable(env.simulator) and runs_here()
    return (CompiledDriver if compiled else LifetimeDriver)(env, policy, num_steps)


def _experience(passage: Passage) -> Experience:
    return Experience(*passage[:6])


def _workers_first(array: np.ndarray) -> np.ndarray:
    """[M, W, ...] -> [W, M, ...]."""
    return np.ascontiguousarray(array.swapaxes(0, 1))
