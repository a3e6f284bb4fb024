"""The guide teaches phi before evolution goes on from there; ours, not the paper's.

Guidance as in Eq. 6 helps the agents, and phi learns nothing from it. Teaching turns it round: the
guide says what phi's own gradient should have been. Epoch by epoch agents live with phi as it is
(in the first one with the guide alone), a value function learns beside them which never reaches
their policies, and phi is fitted to what the guide said in the newest epochs (`fitting`). As in
DAgger (Ross et al. 2011) phi is thus taught where its own agents go.
"""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from epg_tf.checks import require_integer, require_number
from epg_tf.evolution import sampling
from epg_tf.evolution.checkpoint import Checkpoint
from epg_tf.evolution.ranks import Ranks
from epg_tf.inner_loop import InnerLoop, Lifetimes, LifetimeSeed, Update
from epg_tf.loss.guidance import PolicyGradientGuide
from epg_tf.schedules import Schedule, require_schedule
from epg_tf.tasks.family import TRAINING_TASK_SEEDS
from epg_tf.teaching.fitting import Fit, FitErrors, FitState
from epg_tf.teaching.lessons import Lessons, LessonTaker, joined
from epg_tf.worker_groups import WorkerGroups

if TYPE_CHECKING:
    from epg_tf.outer_loop import MetaTraining

_LESSONS_STREAM = 0x1E55  # keeps the order of lessons apart from all else that is drawn


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


@dataclasses.dataclass(frozen=True)
class TeachingState:
    """Where teaching stands; a checkpoint holds this record.

    Attributes:
        fit: phi, and the Adam that fits it.
        lived_with: phi of the newest epochs, from which their lessons can be had again,
            [up to `num_kept_epochs`, P] float32.
    """

    fit: FitState
    lived_with: np.ndarray

    @classmethod
    def start(cls, phi: np.ndarray) -> TeachingState:
        """The state before the first epoch, from phi [P]."""
        return cls(FitState.start(phi), np.empty((0, len(phi)), np.float32))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> TeachingState:
        """Where teaching stands in a run: what `as_arrays` gave, or the start."""
        arrays = checkpoint.teaching
        if not arrays:
            return cls.start(checkpoint.state.phi)
        moments = arrays["first_moment"], arrays["second_moment"]
        fit = FitState(arrays["phi"], *moments, int(arrays["num_steps"]))
        return cls(fit, arrays["lived_with"])

    def as_arrays(self) -> dict[str, np.ndarray]:
        """The state as arrays by name, for a checkpoint."""
        fit = {name: np.asarray(value) for name, value in vars(self.fit).items()}
        return {**fit, "lived_with": self.lived_with}


class Teaching:
    """The epochs of a run that are taught."""

    def __init__(self, settings: MetaTraining, ranks: Ranks):
        """Makes this rank's workers.

        Args:
            settings: The run's, with a teacher.
            ranks: The processes that share the workers.
        """
        assert settings.teacher is not None
        self._settings, self._teacher, self._ranks = settings, settings.teacher, ranks
        self._share = ranks.share(settings.num_workers)
        self._lifetime: InnerLoop | None = None  # what the workers are made for
        self._fit = Fit(settings.inner_loop, settings.family)
        self._kept: collections.deque[Lessons] = collections.deque(
            maxlen=self._teacher.num_kept_epochs
        )

    def guidance(self, epoch: int) -> float:
        """The agents' alpha in Eq. 6: the guide alone at first, when phi knows nothing yet."""
        return 1.0 if epoch == 1 else 0.0

    def live(
        self,
        state: TeachingState,
        epoch: int,
        on_update: Callable[[Update], object] | None = None,
    ) -> Lifetimes:
        """Lives an epoch with phi as it is, and keeps the lessons of all ranks.

        In a process that has just begun, the epochs are lived again whose lessons are kept.

        Args:
            state: Where teaching stands.
            epoch: From 1.
            on_update: Called K times, whenever the last group comes to an update.

        Returns:
            What this rank's lifetimes came to.
        """
        missing = min(epoch, self._teacher.num_kept_epochs) - 1 - len(self._kept)
        if missing > 0:
            self._kept.clear()
            for earlier, phi in enumerate(state.lived_with, epoch - len(state.lived_with)):
                self._live(phi, earlier)
        return self._live(state.fit.phi, epoch, on_update)

    def fit(self, state: TeachingState, epoch: int) -> tuple[TeachingState, dict[str, float]]:
        """Fits phi to the kept lessons: the same on every rank.

        Args:
            state: Where teaching stood when the epoch was lived.
            epoch: From 1.

        Returns:
            Where it stands then, and of the last pass `teaching_error`, `teaching_target` (see
            `FitErrors`) and `teaching_explained`; with them `phi_norm`, and `gradient_norm`, which
            is not known. Where there was no lesson, every worker having diverged, nothing changes
            and the errors are NaN.
        """
        lived_with = np.concatenate([state.lived_with, state.fit.phi[np.newaxis]])
        lived_with = lived_with[max(0, len(lived_with) - self._teacher.num_kept_epochs + 1) :]
        lessons = joined(self._kept)
        rng = np.random.default_rng((self._settings.seed, epoch, _LESSONS_STREAM))
        rate = self._teacher.learning_rate
        rate = rate(epoch) if callable(rate) else rate
        fit, errors = state.fit, FitErrors(math.nan, math.nan)
        for _ in range(self._teacher.num_passes if lessons.number else 0):
            order = rng.permutation(lessons.number).astype(np.int32)
            size = min(self._teacher.minibatch_size, len(order))
            minibatches = order[: len(order) // size * size].reshape(-1, size)
            fit, errors = self._fit.run(fit, lessons, minibatches, rate)
        logs = {
            "teaching_error": errors.error,
            "teaching_target": errors.target,
            "teaching_explained": errors.explained,
            "phi_norm": float(np.linalg.norm(fit.phi)),
            "gradient_norm": math.nan,
        }
        return TeachingState(fit, lived_with), logs

    def _live(
        self,
        phi: np.ndarray,
        epoch: int,
        on_update: Callable[[Update], object] | None = None,
    ) -> Lifetimes:
        self._make_workers_for(self._teacher.inner_loop(self._settings.inner_loop, epoch))
        lifetimes = self._workers.live(
            np.broadcast_to(phi, (len(self._share), len(phi))),
            [self._seed(epoch, worker) for worker in self._share],
            guidance=self.guidance(epoch),
            on_update=on_update,
            num_updates=self._settings.num_updates_in(epoch),
            lesson_takers=self._takers,
        )
        mine = joined([taker.hand_over() for taker in self._takers])
        sound = self._ranks.allgather(mine.are_finite & ~lifetimes.diverged)
        # A lifetime after the other, in the order of the workers: the same for any number of ranks.
        everyone = mine.mapped(self._ranks.allgather)
        self._kept.append(everyone.mapped(lambda a: a[sound].reshape(-1, *a.shape[2:])))
        return lifetimes

    def _make_workers_for(self, lifetime: InnerLoop) -> None:
        """Makes this rank's workers, unless those that are there live such lifetimes already."""
        if lifetime == self._lifetime:
            return
        self._lifetime = lifetime
        threads = self._settings.simulator_threads
        self._workers = WorkerGroups(
            lifetime,
            self._settings.family,
            len(self._share),
            self._ranks.threads() if threads is None else threads,
        )
        self._takers = [LessonTaker(group.learner) for group in self._workers.groups]

    def _seed(self, epoch: int, worker: int) -> LifetimeSeed:
        seed = self._settings.seed
        return LifetimeSeed(
            sampling.task_seed(seed, epoch, worker, "independent", TRAINING_TASK_SEEDS),
            sampling.lifetime_key(seed, epoch, worker, "independent"),
        )
