"""What learners of MAML and of ES-MAML share: where runs stand, and how agents learn tasks."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import numpy as np

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
    """Has agents that begin with meta-learned weights adapt to tasks."""

    def __init__(self, settings: Adaptation, family: TaskFamily, num_threads: int = 0):
        """Lays out the policy.

        Args:
            settings: How agents adapt.
            family: Where the tasks of meta-training come from.
            num_threads: Simulator threads; 0 for none but the caller's.
        """
        self._adaptation, self._family, self._num_threads = settings, family, num_threads
        self._policy = AdaptablePolicy(settings, family)
        self._inner_step = InnerStep(self._policy)

    @abc.abstractmethod
    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """What agents begin with where a run stands, [1, ...] each."""

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
        """Lives K times M steps of each task, with an inner step after each M; see `MetaLearner`.

        The first inner steps are those that meta-training has made, of `step_size`. After them the
        agent goes on in the same way from where they have led it, with `later_step_size` (Finn et
        al. halve it), which no meta-gradient and no fitness has seen. Observations are normalised
        by what meta-training has met, throughout.
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
        """Agents that have met nothing yet, on new tasks."""
        how = self._adaptation, self._inner_step, weights, statistics_of(state)
        return AdaptingAgents(*how, family, seeds, num_steps, num_threads)


def statistics_of(state: Arrays) -> RunningStatistics:
    """What observations are normalised by where a run stands, of one worker."""
    count, *sums = (state[f"observations_{name}"] for name in _STATISTICS)
    return RunningStatistics(float(count), *sums)


def as_arrays(statistics: RunningStatistics) -> dict[str, np.ndarray]:
    """The same for a state."""
    return {f"observations_{name}": np.asarray(getattr(statistics, name)) for name in _STATISTICS}


def numbered(name: str, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays under numbers, for a state."""
    return {f"{name}_{number:02d}": array for number, array in enumerate(arrays)}


def in_order(state: Arrays, name: str) -> list[np.ndarray]:
    """What `numbered` was given."""
    return [state[key] for key in sorted(state) if key.startswith(f"{name}_")]
