"""What a meta-learned rival is to the frame: settings that make a learner, and what that can do."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

Arrays = Mapping[str, np.ndarray]


class EpochOutcome(NamedTuple):
    """What an epoch of meta-training came to.

    Attributes:
        state: All that the next epoch needs, arrays by name.
        num_steps: The environment steps of the epoch, of all tasks.
        metrics: Numbers by name, the same names in every epoch, for the records; NaN where one is
            not known. `return_mean` is among them.
    """

    state: Arrays
    num_steps: int
    metrics: Mapping[str, float]


class MetaLearner(abc.ABC):
    """Meta-trains a rival, and has what was meta-trained learn single tasks.

    What it holds, such as compiled calls, is no part of where a run stands: that is `state` alone.
    """

    @abc.abstractmethod
    def first_state(self, seed: int) -> Arrays:
        """Where a run with a seed begins."""

    @abc.abstractmethod
    def train_epoch(
        self,
        state: Arrays,
        seeds: Sequence[LifetimeSeed],
        generator: np.random.Generator,
        on_progress: Callable[[float], object],
    ) -> EpochOutcome:
        """One epoch from where a run stands.

        Args:
            state: Where it stands; not changed.
            seeds: Of the epoch's tasks, one each.
            generator: For what else is random in the epoch.
            on_progress: Called now and then with the share of the epoch that is done since the last
                call; the shares add up to 1.
        """

    @abc.abstractmethod
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
        """Lets what was meta-trained learn tasks of its own, for K times M steps.

        What comes out for an agent depends on its own seed alone, not on its neighbours nor on W.

        Args:
            state: Where the run stands that meta-trained it.
            family: Where tasks come from; sizes are those that it was trained on.
            seeds: One per agent, W of them; task, resets and action noise are those of every
                lifetime with that seed.
            num_updates: K.
            steps_per_update: M.
            num_threads: Simulator threads; 0 for none but the caller's.
            on_update: Called with k after each M steps.

        Returns:
            The returns of all episodes.
        """


class Rival(abc.ABC):
    """The settings of a meta-learned rival: a frozen dataclass that gin configures."""

    @property
    @abc.abstractmethod
    def method(self) -> str:
        """Its name in `evaluation.methods.METHODS`."""

    @property
    @abc.abstractmethod
    def sees_reward(self) -> bool:
        """Whether it is shown rewards while it learns a task that it was not trained on."""

    @abc.abstractmethod
    def check(self, family: TaskFamily) -> None:
        """Raises ValueError, in one sentence, where it cannot learn a family's tasks."""
