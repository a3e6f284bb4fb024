"""The base of MAML's and ES-MAML's learners: how agents learn tasks, and states as arrays."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import numpy as np

from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.rivals.adaptation.agents import AdaptingAgents
from epg_tf.rivals.adaptation.inner_step import InnerStep
from epg_tf.rivals.adaptation.policy import AdaptablePolicy
from epg_tf.rivals.adaptation.settings import Adaptation
from epg_tf.rivals.meta_training.rival import Arrays, MetaLearner
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

_STATISTICS = ("count", "total", "total_of_squares")


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
    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """Returns the initial weights of agents in a state, [1, ...] each."""

    def learn(
        self,
        state: Arrays,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_updates: int,
        steps_per_update: int,
        num_threads: int = 0,
        on_update: Callable[[int], object] | None = None,
    ) -> EpisodeReturns:
        """Takes K times M steps of each task, with an inner step after each M; see `MetaLearner`.

        The first `num_inner_steps` inner steps have `step_size`, as in meta-training. All later
        ones have `later_step_size` (Finn et al. halve it); neither a meta-gradient nor a fitness
        takes them into account. The statistics of observations stay those of meta-training.
        """
        settings = self._adaptation
        agents = self._begin(
            state, self.first_weights(state), family, seeds, steps_per_update, num_threads
        )
        episodes = EpisodeReturns(len(seeds))
        for k in range(1, num_updates + 1):
            lived, batch = agents.live()
            episodes.add(lived)
            is_later = k > settings.num_inner_steps
            agents.adapt(batch, settings.later_step_size if is_later else settings.step_size)
            if on_update is not None:
                on_update(k)
        return episodes

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
        how = self._adaptation, self._inner_step, weights, statistics_of(state)
        return AdaptingAgents(*how, family, seeds, num_steps, num_threads)


def statistics_of(state: Arrays) -> RunningStatistics:
    """Returns the statistics of observations in a state, of one worker."""
    count, *sums = (state[f"observations_{name}"] for name in _STATISTICS)
    return RunningStatistics(float(count), *sums)


def as_arrays(statistics: RunningStatistics) -> dict[str, np.ndarray]:
    """Returns the statistics of observations as arrays for a state."""
    return {f"observations_{name}": np.asarray(getattr(statistics, name)) for name in _STATISTICS}


def updated_statistics(state: Arrays, lives: Sequence[Experience]) -> RunningStatistics:
    """Returns the statistics of observations in a state, updated with some lives."""
    statistics = statistics_of(state)
    for life in lives:
        flat = life.observation.reshape(1, -1, life.observation.shape[-1])
        statistics = statistics.updated(flat)
    return statistics
