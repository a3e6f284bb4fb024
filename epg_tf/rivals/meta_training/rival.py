"""The interface of meta-learned rivals: their settings and their learner."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.arrays import Arrays
from epg_tf.agent.experience import Experience
from epg_tf.checks import Settings
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily


class EpochOutcome(NamedTuple):
    """The result of an epoch of meta-training.

    Attributes:
        state: All that the next epoch needs, arrays by name.
        num_steps: The environment steps of the epoch on all tasks.
        metrics: Numbers for the records, by the same names in every epoch; NaN if unknown. One is
            `return_mean`.
    """

    state: Arrays
    num_steps: int
    metrics: Mapping[str, float]


class MetaLearner(abc.ABC):
    """Meta-trains a rival, and lets the trained rival learn single tasks.

    A run's progress is in the `state` arguments alone, not in attributes such as compiled calls.
    """

    @abc.abstractmethod
    def first_state(self, seed: int) -> Arrays:
        """Returns the initial state of a run with a seed."""

    @abc.abstractmethod
    def train_epoch(
        self,
        state: Arrays,
        seeds: Sequence[LifetimeSeed],
        generator: np.random.Generator,
        on_progress: Callable[[float], object],
    ) -> EpochOutcome:
        """Runs one epoch of meta-training.

        Args:
            state: The state before the epoch; not changed.
            seeds: One per task of the epoch.
            generator: The source of all else that is random in the epoch.
            on_progress: Called several times with the fraction of the epoch since the last call;
                the fractions add up to 1.
        """

    @abc.abstractmethod
    def rollouts(
        self,
        state: Arrays,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        num_steps: int,
        num_threads: int = 0,
    ) -> Iterator[Experience]:
        """Lets the meta-trained rival learn new tasks, for as long as the caller iterates.

        The steps of an agent depend only on its seed, not on its neighbours or on W.

        Args:
            state: The state of the run that meta-trained the rival.
            family: The distribution of tasks; observations and actions have the sizes of training.
            seeds: One per agent, W of them; a seed fixes task, resets and action noise for every
                method.
            num_steps: M.
            num_threads: Threads of the simulator; 0 for the caller's alone.

        Yields:
            The next M steps of all agents, which have then learned from them.
        """


class Rival(Settings, abc.ABC):
    """The settings of a meta-learned rival: a frozen dataclass that gin configures."""

    @property
    @abc.abstractmethod
    def method(self) -> str:
        """Its name in `evaluation.methods.METHODS`."""

    @property
    @abc.abstractmethod
    def sees_reward(self) -> bool:
        """True if the rival sees rewards while it learns a new task."""

    @abc.abstractmethod
    def check(self, family: TaskFamily) -> None:
        """Raises ValueError, with one sentence, if the rival cannot learn a family's tasks."""
