"""Teaching: a teacher trains phi before evolution. This is ours, not the paper's.

Guidance (Eq. 6) helps the agents, but phi learns nothing from it. A teacher that knows the rewards
instead gives the gradient that phi should have had. In each epoch agents live with phi, and phi is
fitted to the targets of the newest epochs (`fitting`). The states are those of phi's own agents, as
in DAgger (Ross et al. 2011). The teacher is a critic that learns from all agents' steps
(`critic_teacher`), or an expert that learns to act itself (`expert_teacher`).
"""

from __future__ import annotations

import abc
import dataclasses
import math

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.checks import PositiveInt, PositiveNumber, Settings
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.schedules import (
    Constant,
    Schedule,
    epochs_to_look_at,
    require_schedule,
    value_in,
)
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.demonstrations import Demonstrations


class TeacherPolicy(ActingPolicy):
    """A teacher's policy that holds each action for several steps.

    Attributes:
        steps: The steps in each worker's episode, as the simulator counts them.
        hold: The number of steps per action.
    """

    steps: np.ndarray
    hold: int
    _held: np.ndarray | float = 0.0

    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Returns actions [W, A]; an action changes after `hold` steps."""
        is_due = (self.steps % self.hold == 0)[:, np.newaxis]
        self._held = np.where(is_due, super().act(observation, noise), self._held)
        return self._held


@dataclasses.dataclass(frozen=True)
class Teacher(Settings, abc.ABC):
    """Settings of teaching, the first epochs of a run, in which phi is fitted instead of evolved.

    Every rank keeps the demonstrations of `num_kept_epochs` epochs in memory. An epoch takes n K N
    steps of the loss's inputs and of targets or transitions, as float32.

    Attributes:
        num_epochs: The taught epochs; evolution has the later ones.
        num_passes: Passes over the kept demonstrations per epoch.
        minibatch_size: Demonstrations, of M steps each, per step of the fit.
        learning_rate: The step size of the Adam that fits phi, a number or a schedule over epochs.
        num_kept_epochs: The number of newest epochs whose demonstrations phi is fitted to.
        log_std_floor: A lower bound of the agents' log standard deviation in taught epochs, if
            higher than in `InnerLoop.log_std_bounds`. None, a number, or a schedule over epochs
            with few values, since agents are compiled for each value.
    """

    num_epochs: PositiveInt = 10
    num_passes: PositiveInt = 3
    minibatch_size: PositiveInt = 32
    learning_rate: PositiveNumber | Schedule = 1e-3
    num_kept_epochs: PositiveInt = 6
    log_std_floor: float | Schedule | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_schedule(self._named("learning_rate"), self.learning_rate, self.num_epochs)
        floor = self._named("log_std_floor")
        require_schedule(floor, self.log_std_floor, self.num_epochs, lowest=-math.inf)

    @property
    def own_env_steps(self) -> int:
        """The environment steps of the teacher itself per epoch."""
        return 0

    @abc.abstractmethod
    def demonstrate(self, learner: Learner, update: Update) -> Demonstrations:
        """Returns a demonstration per worker from an update before its gradient steps."""

    def check(self, inner_loop: InnerLoop, family: TaskFamily) -> None:
        """Checks that the teacher can teach with such lifetimes.

        Raises:
            ValueError: If a bound of the noise contradicts the lifetimes' settings.
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
        """Returns the settings of the lifetimes of a taught epoch."""
        floor = self._log_std_floor_in(epoch)
        if floor is None:
            return inner_loop
        low, high = inner_loop.log_std_bounds or (-math.inf, math.inf)
        return dataclasses.replace(inner_loop, log_std_bounds=(max(low, floor), high))

    def _log_std_floor_in(self, epoch: int) -> float | None:
        return None if self.log_std_floor is None else value_in(self.log_std_floor, epoch)

    def _require_box(self, family: TaskFamily) -> None:
        """Checks that actions are a box.

        Raises:
            ValueError: If there is a finite set of actions.
        """
        if family.num_actions is not None:
            raise ValueError(
                f"`meta_train.teacher` (={type(self).__name__}) must be None where "
                "`meta_train.family` has a finite set of actions."
            )
