"""Algorithm 1, lines 8-11: M steps of W agents, without boundary steps.

A stock TF-Agents driver spends a step on every reset and calls its observers at each step. A
lifetime counts transitions, so this driver starts the next episode within the step that ended the
last, and hands over all M steps at once.
"""

# TF-Agents types every field as any nest of tensors.
# pyright: reportCallIssue=false

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from tf_agents.drivers import driver
from tf_agents.trajectories import policy_step, trajectory
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.acting import ActingPolicy
from epg_tf.tasks.environment import BatchedEnvironment


class LifetimeDriver(driver.Driver):
    """Collects exactly M transitions per worker at every `run`.

    Attributes:
        physics_seconds: Time spent in the simulator since the start.
    """

    def __init__(
        self,
        env: BatchedEnvironment,
        policy: ActingPolicy,
        transition_observers: Sequence[Callable[[trajectory.Transition], object]],
        num_steps: int,
    ):
        """Makes a driver.

        Args:
            env: W workers.
            policy: Acts for them.
            transition_observers: Called once per `run` with a transition whose arrays lead with
                [W, M]; a next step of type LAST is where an episode ended, and its observation is
                where the episode arrived, before the reset.
            num_steps: M.
        """
        super().__init__(env, policy, observers=None, transition_observers=transition_observers)
        self._num_steps = num_steps
        self.physics_seconds = 0.0
        # Whether each worker's coming step is the first of an episode.
        self._starts = np.ones(env.simulator.num_workers, bool)

    def run(self, time_step=None, policy_state=()):
        """Takes M steps from where the environment stands.

        Args:
            time_step: Ignored; the environment knows. For TF-Agents' interface.
            policy_state: Passed through.

        Returns:
            The environment's time step to act on next (made only if someone looks), and the policy
            state.
        """
        del time_step
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
        starts = np.concatenate([self._starts[np.newaxis], ended[:-1]])
        self._starts = ended[-1]
        transition = _transition(
            *map(_workers_first, (observations, np.stack(actions), rewards, arrivals)),
            *map(_workers_first, (terminated, ended, starts)),
        )
        for observer in self._transition_observers:
            observer(transition)
        return self.env.current_time_step, policy_state


def _transition(
    observation, action, reward, next_observation, terminated, ended, starts
) -> trajectory.Transition:
    ones = np.ones(reward.shape, np.float32)
    return trajectory.Transition(
        ts.TimeStep(
            np.where(starts, ts.StepType.FIRST, ts.StepType.MID), ones * 0, ones, observation
        ),
        policy_step.PolicyStep(action),
        ts.TimeStep(
            np.where(ended, ts.StepType.LAST, ts.StepType.MID),
            reward,
            np.where(terminated, 0.0, 1.0).astype(np.float32),
            next_observation,
        ),
    )


def _workers_first(array: np.ndarray) -> np.ndarray:
    """[M, W, ...] -> [W, M, ...]."""
    return np.ascontiguousarray(array.swapaxes(0, 1))
