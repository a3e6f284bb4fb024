"""The guide teaches phi before evolution goes on from there; ours, not the paper's.

Guidance as in Eq. 6 helps the agents, and phi learns nothing from it. Teaching turns it round: the
guide says what phi's own gradient should have been. Epoch by epoch agents live with phi as it is
(in the first one with the guide alone), a value function learns beside them which never reaches
their policies, and phi is fitted to what the guide said in the newest epochs (`fitting`). As in
DAgger (Ross et al. 2011) phi is thus taught where its own agents go.
"""

from __future__ import annotations

import dataclasses
import math

from epg_tf.checks import require_integer, require_number
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PolicyGradientGuide
from epg_tf.schedules import Schedule, require_schedule


@dataclasses.dataclass(frozen=True)
class PolicyGradientTeacher:
    """Settings of teaching: the first epochs of a run, in which phi is fitted instead of evolved.

    Every rank keeps the lessons of `num_kept_epochs` epochs in memory: for each n K N steps with
    all that the loss sees of them, and the targets, as float32.

    Attributes:
        num_epochs: Epochs that are taught; evolution has those that come after.
        num_passes: Passes over the kept lessons in each.
        minibatch_size: Lessons, of M steps each, in a step of the fit.
        learning_rate: The step size of the Adam that fits phi, a number or a schedule over epochs.
        num_kept_epochs: How many epochs' lessons phi is fitted to, the newest ones.
        log_std_floor: The least log standard deviation of the agents that phi is taught with, where
            it is higher than that of `InnerLoop.log_std_bounds`; None for no other, a number, or a
            schedule over epochs, with few values: agents are compiled anew for each. Where there is
            little noise the guide's gradient is nothing but noise, and where there is much it is
            that of a blurred task.

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
            require_integer(f"PolicyGradientTeacher.{name}", getattr(self, name))
        if callable(self.learning_rate):
            require_schedule(
                "PolicyGradientTeacher.learning_rate", self.learning_rate, self.num_epochs
            )
        else:
            require_number("PolicyGradientTeacher.learning_rate", self.learning_rate)
        if callable(self.log_std_floor):
            require_schedule(
                "PolicyGradientTeacher.log_std_floor",
                self.log_std_floor,
                self.num_epochs,
                lowest=-math.inf,
            )

    def check(self, inner_loop: InnerLoop) -> None:
        """Checks that lifetimes of such a kind can be taught from.

        Raises:
            ValueError: If they cannot.
        """
        if not isinstance(inner_loop.guide, PolicyGradientGuide):
            raise ValueError(
                f"`InnerLoop.guide` (={type(inner_loop.guide).__name__}) must have a gradient in "
                "each step, as PPO and Reinforce do, with `meta_train.teacher`."
            )
        for epoch in range(1, self.num_epochs + 1):
            floor = self._log_std_floor_in(epoch)
            if floor is not None and not floor <= inner_loop.initial_log_std:
                raise ValueError(
                    f"`PolicyGradientTeacher.log_std_floor` (={floor:g}) must in epoch {epoch} be "
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
        return self.log_std_floor(epoch) if callable(self.log_std_floor) else self.log_std_floor
