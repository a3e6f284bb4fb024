"""Agents that begin with the meta-learned weights, live on tasks of their own and adapt to them."""

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
    advantages,
    features,
    fitted_values,
    times_in_episode,
)
from epg_tf.rivals.adaptation.inner_step import Batch, InnerStep
from epg_tf.rivals.adaptation.settings import Adaptation
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import TaskFamily


class AdaptingAgents:
    """W agents, each with weights and a task of its own.

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
        """Begins the tasks.

        Args:
            settings: How they adapt.
            inner_step: What they adapt by.
            weights: The first ones, [W, ...] each, or [1, ...] for all of them.
            statistics: What observations are normalised by, of one worker.
            family: Where tasks come from.
            seeds: One per agent, W of them.
            num_steps: M, the steps that they live at a time.
            num_threads: Simulator threads; 0 for none but the caller's.
        """
        self.weights = [np.repeat(w, len(seeds) // len(w), axis=0) for w in weights]
        self._settings, self._inner_step, self._statistics = settings, inner_step, statistics
        self._driver = _make_driver(settings, family, seeds, num_steps, num_threads)
        self._times = np.zeros(len(seeds), np.int64)
        self._num_steps = num_steps

    def live(self, times: int = 1) -> tuple[Experience, Batch]:
        """Lives the next M steps, or several times as many, with the weights as they are."""
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
        gains = advantages(reward, values, ended, settings.discount, settings.gae_lambda)
        log_prob = self._inner_step.log_prob(self.weights, observation, lived.action)
        return Batch(observation, lived.action, gains, log_prob)


def returns_since(lived: Experience) -> np.ndarray:
    """The mean return of each worker's episodes that began and ended in these steps, [W].

    The first episode may have begun before: it counts where there is no other, as far as it is in
    these steps, and so does one that never ends.
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
    """What takes the agents through their tasks.

    A family that has a method `make_simulator(seeds)` of its own makes its simulator.
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
