"""The base of MAML's and ES-MAML's learners: how agents learn tasks, and an epoch of training."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.arrays import Arrays, named, record
from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.rivals.adaptation.agents import AdaptingAgents, returns_since
from epg_tf.rivals.adaptation.inner_step import Batch, InnerStep
from epg_tf.rivals.adaptation.policy import AdaptablePolicy
from epg_tf.rivals.adaptation.settings import Adaptation
from epg_tf.rivals.meta_training.rival import EpochOutcome, MetaLearner
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily


class OuterStep(NamedTuple):
    """An epoch's agents, and the step that follows their adaptation.

    Attributes:
        weights: The initial weights of the agents, [W, ...] each, or [1, ...] for all.
        seeds: Their seeds, W of them.
        take: Makes the step from the batches before each inner step, the batch after them and the
            returns of the adapted agents [W]; returns the arrays of the new state but those of the
            statistics, and numbers by name.
    """

    weights: Sequence[np.ndarray]
    seeds: Sequence[LifetimeSeed]
    take: Callable[
        [Sequence[Batch], Batch, np.ndarray], tuple[dict[str, np.ndarray], Mapping[str, float]]
    ]


class AdaptationLearner(MetaLearner):
    """Adapts agents that start from meta-learned weights to tasks."""

    def __init__(self, settings: Adaptation, family: TaskFamily, num_threads: int = 0):
        """Builds the policy.

        Args:
            settings: The settings of adaptation.
            family: The distribution of tasks for meta-training.
            num_threads: Threads of the simulator; 0 for the caller's alone.
        """
        self._adaptation, self._family, self._num_threads = settings, family, num_threads
        self._policy = AdaptablePolicy(settings, family)
        self._inner_step = InnerStep(self._policy)

    @abc.abstractmethod
    def first_arrays(self, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the arrays of a new run but those of the statistics.

        Args:
            weights: The initial weights of agents, [1, ...] each.
        """

    @abc.abstractmethod
    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """Returns the initial weights of agents in a state, [1, ...] each."""

    @abc.abstractmethod
    def outer_step(
        self, state: Arrays, seeds: Sequence[LifetimeSeed], generator: np.random.Generator
    ) -> OuterStep:
        """Begins an epoch; arguments as for `train_epoch`."""

    def first_state(self, seed: int) -> Arrays:
        """Returns the initial state of a run with a seed."""
        drawn = self._policy.draw(np.random.default_rng(seed))
        statistics = RunningStatistics.start(1, self._family.observation_size)
        return {**self.first_arrays(drawn), **named(observations=statistics)}

    def train_epoch(
        self,
        state: Arrays,
        seeds: Sequence[LifetimeSeed],
        generator: np.random.Generator,
        on_progress: Callable[[float], object],
    ) -> EpochOutcome:
        """Adapts agents to every task, then makes the outer step; see `MetaLearner`."""
        settings, step = self._adaptation, self.outer_step(state, seeds, generator)
        part = 1.0 / (settings.num_inner_steps + 2)
        how = self._family, step.seeds, settings.batch_steps, self._num_threads
        agents = self._begin(state, step.weights, *how)
        lives, before = [], []
        for _ in range(settings.num_inner_steps):
            lived, batch = agents.live()
            agents.adapt(batch, settings.step_size)
            lives.append(lived)
            before.append(batch)
            on_progress(part)
        lived, after = agents.live(settings.num_outer_batches)
        lives.append(lived)
        on_progress(part)
        returns = returns_since(lived)
        arrays, logs = step.take(before, after, returns)
        on_progress(part)
        statistics = _statistics_of(state)
        for life in lives:
            flat = life.observation.reshape(1, -1, life.observation.shape[-1])
            statistics = statistics.updated(flat)
        means = {
            "return_mean": float(returns.mean()),
            "return_before_adaptation": float(returns_since(lives[0]).mean()),
        }
        found = {**arrays, **named(observations=statistics)}
        return EpochOutcome(found, sum(life.reward.size for life in lives), {**means, **logs})

    def rollouts(
        self,
        state: Arrays,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_steps: int,
        num_threads: int = 0,
    ) -> Iterator[Experience]:
        """Takes M steps of each task again and again, each with an inner step; see `MetaLearner`.

        The first `num_inner_steps` inner steps have `step_size`, as in meta-training. All later
        ones have `later_step_size` (Finn et al. halve it); neither a meta-gradient nor a fitness
        takes them into account. The statistics of observations stay those of meta-training.
        """
        how = family, seeds, num_steps, num_threads
        agents, number = self._begin(state, self.first_weights(state), *how), 0
        while True:
            lived, batch = agents.live()
            is_early = number < self._adaptation.num_inner_steps
            size = self._adaptation.step_size if is_early else self._adaptation.later_step_size
            agents.adapt(batch, size)
            number += 1
            yield lived

    def _begin(
        self,
        state: Arrays,
        weights: Sequence[np.ndarray],
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_steps: int,
        num_threads: int,
    ) -> AdaptingAgents:
        """Makes agents with given weights on new tasks."""
        how = self._adaptation, self._inner_step, weights, _statistics_of(state)
        return AdaptingAgents(*how, family, seeds, num_steps, num_threads)


def _statistics_of(state: Arrays) -> RunningStatistics:
    """Returns the statistics of observations in a state, of one worker."""
    return record(RunningStatistics, state, "observations_")
