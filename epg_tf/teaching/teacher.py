"""Someone teaches phi before evolution goes on from there; ours, not the paper's.

Guidance as in Eq. 6 helps the agents, and phi learns nothing from it. Teaching turns it round: a
teacher who knows the rewards says what phi's own gradient should have been. Epoch by epoch agents
live with phi as it is, and phi is fitted to what the teacher says of the newest epochs (`fitting`).
As in DAgger (Ross et al. 2011) phi is thus taught where its own agents go. The teacher is a critic
that learns from all steps of all agents (`critic_teacher`), or an expert that has learned to act
itself (`expert_teacher`).
"""

from __future__ import annotations

import abc
import dataclasses
import math

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.checks import require_integer
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.schedules import (
    Constant,
    Schedule,
    epochs_to_look_at,
    require_rate,
    require_schedule,
    value_in,
)
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.lessons import Lessons


class TeacherPolicy(ActingPolicy):
    """Acts for a teacher that held each action for several steps while it learned.

    Attributes:
        steps: The steps in each worker's episode, as the simulator counts them.
        hold: The number of steps.
    """

    steps: np.ndarray
    hold: int
    _held: np.ndarray | float = 0.0

    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Returns actions [W, A]: new ones where the last were held long enough."""
        is_due = (self.steps % self.hold == 0)[:, np.newaxis]
        self._held = np.where(is_due, super().act(observation, noise), self._held)
        return self._held


@dataclasses.dataclass(frozen=True)
class Teacher(abc.ABC):
    """Settings of teaching: the first epochs of a run, in which phi is fitted instead of evolved.

    Every rank keeps the lessons of `num_kept_epochs` epochs in memory: for each n K N steps with
    all that the loss sees of them, and the targets or transitions, as float32.

    Attributes:
        num_epochs: Epochs that are taught; evolution has those that come after.
        num_passes: Passes over the kept lessons in each.
        minibatch_size: Lessons, of M steps each, in a step of the fit.
        learning_rate: The step size of the Adam that fits phi, a number or a schedule over epochs.
        num_kept_epochs: How many epochs' lessons phi is fitted to, the newest ones.
        log_std_floor: The least log standard deviation of the agents that phi is taught with, where
            it is higher than that of `InnerLoop.log_std_bounds`; None for no other, a number, or a
            schedule over epochs, with few values: agents are compiled anew for each.

    Raises:
        ValueError: If a value is outside its range.
    """

    num_epochs: int = 10
    num_passes: int = 3
    minibatch_size: int = 32
    learning_rate: float | Schedule = 1e-3
    num_kept_epochs: int = 6
    log_std_floor: float | Schedule | None = None

    def __post_init__(self) -> None:
        for name in ("num_epochs", "num_passes", "minibatch_size", "num_kept_epochs"):
            require_integer(self._named(name), getattr(self, name))
        require_rate(self._named("learning_rate"), self.learning_rate, self.num_epochs)
        if callable(self.log_std_floor):
            require_schedule(
                self._named("log_std_floor"), self.log_std_floor, self.num_epochs, lowest=-math.inf
            )

    @property
    def own_env_steps(self) -> int:
        """Environment steps that the teacher itself takes in an epoch."""
        return 0

    @abc.abstractmethod
    def lesson(self, learner: Learner, update: Update) -> Lessons:
        """What is to be kept of an update, before it is made: a lesson per worker."""

    def check(self, inner_loop: InnerLoop, family: TaskFamily) -> None:
        """Checks that lifetimes of such a kind can be taught from.

        Raises:
            ValueError: If they cannot.
        """
        del family
        floors = self.log_std_floor if callable(self.log_std_floor) else Constant(0.0)
        for epoch in epochs_to_look_at(floors, self.num_epochs):
            floor = self._log_std_floor_in(epoch)
            if floor is not None and not floor <= inner_loop.initial_log_std:
                raise ValueError(
                    f"`{self._named('log_std_floor')}` (={floor:g}) must in epoch {epoch} be "
                    f"at most `InnerLoop.initial_log_std` (={inner_loop.initial_log_std:g})."
                )

    def inner_loop(self, inner_loop: InnerLoop, epoch: int) -> InnerLoop:
        """What a lifetime is like from which phi is taught in an epoch."""
        floor = self._log_std_floor_in(epoch)
        if floor is None:
            return inner_loop
        low, high = inner_loop.log_std_bounds or (-math.inf, math.inf)
        return dataclasses.replace(inner_loop, log_std_bounds=(max(low, floor), high))

    def _log_std_floor_in(self, epoch: int) -> float | None:
        return None if self.log_std_floor is None else value_in(self.log_std_floor, epoch)

    def _require_box(self, family: TaskFamily) -> None:
        """Checks that actions are numbers that gradients can move.

        Raises:
            ValueError: If there is a finite set of them.
        """
        if family.num_actions is not None:
            raise ValueError(
                f"`meta_train.teacher` (={type(self).__name__}) must be None where "
                "`meta_train.family` has a finite set of actions."
            )

    def _named(self, setting: str) -> str:
        return f"{type(self).__name__}.{setting}"
