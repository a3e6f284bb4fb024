"""The interface of meta-learned rivals: their settings and their learner."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.checks import Settings
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

Arrays = Mapping[str, np.ndarray]


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
        """Lets the meta-trained rival learn new tasks for K times M steps.

        The result of an agent depends only on its seed, not on its neighbours or on W.

        Args:
            state: The state of the run that meta-trained the rival.
            family: The distribution of tasks; observations and actions have the sizes of training.
            seeds: One per agent, W of them; a seed fixes task, resets and action noise for every
                method.
            num_updates: K.
            steps_per_update: M.
            num_threads: Threads of the simulator; 0 for the caller's alone.
            on_update: Called with k after every M steps.

        Returns:
            The returns of all episodes.
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


def numbered(name: str, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Returns arrays by numbered names, for a state."""
    return {f"{name}_{number:03d}": array for number, array in enumerate(arrays)}


def in_order(state: Arrays, name: str) -> list[np.ndarray]:
    """Returns the arrays that `numbered` has named."""
    return [state[key] for key in sorted(state) if key.startswith(f"{name}_")]
