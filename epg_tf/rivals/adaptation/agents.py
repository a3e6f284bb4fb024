"""Agents that start from the meta-learned weights and adapt, each to a separate task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.agent import driver
from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.rivals.adaptation.baseline import (
    features,
    fitted_values,
    standardised_advantages,
    times_in_episode,
)
from epg_tf.rivals.adaptation.inner_step import Batch, InnerStep
from epg_tf.rivals.adaptation.settings import Adaptation
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import TaskFamily


class AdaptingAgents:
    """W agents, each with separate weights and a separate task.

    Attributes:
        weights: theta, [W, ...] each.
    """

    def __init__(
        self,
        settings: Adaptation,
        inner_step: InnerStep,
        weights: Sequence[np.ndarray],
        statistics: RunningStatistics,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_steps: int,
        num_threads: int = 0,
    ):
        """Starts the tasks.

        Args:
            settings: The settings of adaptation.
            inner_step: The gradient step that adapts them.
            weights: The initial weights, [W, ...] each, or [1, ...] if all agents share them.
            statistics: The statistics that normalise observations, of one worker.
            family: The distribution of tasks.
            seeds: One per agent, W of them.
            num_steps: M, the number of steps at a time.
            num_threads: Threads of the simulator; 0 for the caller's alone.
        """
        self.weights = [np.repeat(w, len(seeds) // len(w), axis=0) for w in weights]
        self._settings, self._inner_step, self._statistics = settings, inner_step, statistics
        self._driver = _make_driver(settings, family, seeds, num_steps, num_threads)
        self._times = np.zeros(len(seeds), np.int64)
        self._num_steps = num_steps

    def live(self, times: int = 1) -> tuple[Experience, Batch]:
        """Collects the next M steps, or `times` as many, with the present weights."""
        statistics = self._statistics
        for_all = [np.repeat(sums, len(self._times), axis=0) for sums in _sums(statistics)]
        self._driver.policy.load(self.weights, RunningStatistics(statistics.count, *for_all))
        lived = Experience.empty()
        for _ in range(times):
            lived = lived.followed_by(self._driver.run(), times * self._num_steps)
        return lived, self._batch(lived)

    def adapt(self, batch: Batch, step_size: float) -> None:
        """Takes an inner step."""
        self.weights = self._inner_step(self.weights, batch, step_size)

    def _batch(self, lived: Experience) -> Batch:
        settings, ended = self._settings, lived.ended.astype(np.float64)
        times = times_in_episode(lived.ended, self._times)
        self._times = times[:, -1]
        observation = self._statistics.normalise(lived.observation)
        arrived = self._statistics.normalise(lived.next_observation[:, -1:])
        known = features(np.concatenate([observation, arrived], axis=1), times)
        reward = lived.reward.astype(np.float64)
        values = fitted_values(known, reward, ended, settings.discount, settings.baseline_penalty)
        how = settings.discount, settings.gae_lambda
        gains = standardised_advantages(reward, values, ended, *how)
        log_prob = self._inner_step.log_prob(self.weights, observation, lived.action)
        return Batch(observation, lived.action, gains, log_prob)


def returns_since(lived: Experience) -> np.ndarray:
    """Returns the mean return of each worker's episodes that began and ended in these steps, [W].

    The first completed episode may have begun earlier, so it counts only if it is the only one.
    Without a completed episode, the return so far counts.
    """
    episodes = EpisodeReturns(len(lived.reward))
    episodes.add(lived)
    return np.array([np.mean(returns[1:] or returns) for returns in episodes.of_lifetimes()])


def _make_driver(
    settings: Adaptation,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    num_steps: int,
    num_threads: int,
) -> driver.LifetimeDriver:
    """Makes the agents' driver.

    A family with a method `make_simulator(seeds)` makes the simulator itself.
    """

    def make_policy(time_step_spec, action_spec, generators) -> ActingPolicy:
        return ActingPolicy(time_step_spec, action_spec, generators, settings.mean_activation)

    own = getattr(family, "make_simulator", None)
    if own is None:
        return make_driver(family, seeds, make_policy, num_steps, num_threads)
    environment = BatchedEnvironment(own(seeds))
    specs = environment.time_step_spec(), environment.action_spec()
    policy = make_policy(*specs, [seed.generator(Stream.ACTIONS) for seed in seeds])
    return driver.LifetimeDriver(environment, policy, num_steps)


def _sums(statistics: RunningStatistics) -> tuple[np.ndarray, np.ndarray]:
    return statistics.total, statistics.total_of_squares
