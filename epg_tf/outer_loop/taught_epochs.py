"""Teaching as one of two searches for phi; see `teaching.teacher`."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Callable, Mapping

import numpy as np

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Lifetimes, Update
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.checkpoint import Checkpoint
from epg_tf.outer_loop.explorers import Explorers
from epg_tf.outer_loop.search import Step
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.ranks import Ranks
from epg_tf.schedules import value_in
from epg_tf.seeds import training_seed
from epg_tf.teaching.critic import Critic
from epg_tf.teaching.critic_teacher import CriticTeacher
from epg_tf.teaching.demonstrations import DemonstrationRecorder, Demonstrations, joined
from epg_tf.teaching.expert_teacher import ExpertTeacher
from epg_tf.teaching.fitting import Fit, FitErrors, FitState

# Random streams of the order of demonstrations and of the critic.
_DEMONSTRATIONS_STREAM, _CRITIC_STREAM = 0x1E55, 0xC21C
_TEACHER = "teacher_"  # the prefix of its arrays' names


@dataclasses.dataclass(frozen=True)
class TeachingState:
    """The state of teaching; checkpoints hold it as arrays.

    Attributes:
        fit: phi, and the Adam that fits it.
        lived_with: phi of the newest epochs, [up to `num_kept_epochs` - 1, P] float32. A new
            process collects their demonstrations again from these.
        teacher: The state of the critic or expert; empty before its first epoch.
    """

    fit: FitState
    lived_with: np.ndarray
    teacher: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @classmethod
    def start(cls, phi: np.ndarray) -> TeachingState:
        """Returns the initial state from phi [P]."""
        return cls(FitState.start(phi), np.empty((0, len(phi)), np.float32))

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint) -> TeachingState:
        """Returns the state in a checkpoint, or the initial state."""
        arrays = checkpoint.teaching
        if not arrays:
            return cls.start(checkpoint.state.phi)
        moments = arrays["first_moment"], arrays["second_moment"]
        fit = FitState(arrays["phi"], *moments, int(arrays["num_steps"]))
        return cls(fit, arrays["lived_with"], teacher_arrays(arrays))

    def as_arrays(self, goes_on: bool = True) -> dict[str, np.ndarray]:
        """Returns arrays by name for a checkpoint; the teacher's alone once teaching is over."""
        teacher = {_TEACHER + name: array for name, array in self.teacher.items()}
        if not goes_on:
            return teacher
        fit = {name: np.asarray(value) for name, value in vars(self.fit).items()}
        return {**fit, "lived_with": self.lived_with, **teacher}


def teacher_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the arrays of the critic or expert from a checkpoint's `teaching`."""
    found = (name for name in arrays if name.startswith(_TEACHER))
    return {name.removeprefix(_TEACHER): arrays[name] for name in found}


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedTeacher:
    """A trained teacher of a run: an expert or a critic's actor.

    Attributes:
        run: The settings of that run. Its tasks determine how the networks normalise their inputs.
        state: The networks as arrays by name.
    """

    run: MetaTraining
    state: Mapping[str, np.ndarray]

    @property
    def settings(self) -> ExpertTeacher | CriticTeacher:
        """The teacher's settings."""
        assert isinstance(self.run.teacher, ExpertTeacher | CriticTeacher)
        return self.run.teacher


class Teaching:
    """The search of the taught epochs."""

    def __init__(self, settings: MetaTraining, ranks: Ranks):
        """Makes this rank's workers.

        Args:
            settings: The settings of a run with a teacher.
            ranks: The processes that share the workers.
        """
        assert settings.teacher is not None
        self._settings, self._teacher, self._ranks = settings, settings.teacher, ranks
        self._share = ranks.share(settings.num_workers)
        self._lifetime: InnerLoop | None = None  # what the workers are made for
        self._fit = Fit(settings.inner_loop, settings.family)
        self._critic: Critic | None = None
        self._explorers: Explorers | None = None
        if isinstance(settings.teacher, ExpertTeacher):
            self._explorers = Explorers(settings.teacher, settings, ranks)
        self._kept: collections.deque[Demonstrations] = collections.deque(
            maxlen=self._teacher.num_kept_epochs
        )

    def live(self, before: Checkpoint, on_update: Callable[[Update], object]) -> Lifetimes:
        """Runs lifetimes with phi itself, and keeps the demonstrations of all ranks.

        A new process first runs the earlier epochs again whose demonstrations are kept.
        """
        state, epoch = TeachingState.from_checkpoint(before), before.state.epoch + 1
        missing = min(epoch, self._teacher.num_kept_epochs) - 1 - len(self._kept)
        if missing > 0:
            self._kept.clear()
            for earlier, phi in enumerate(state.lived_with, epoch - len(state.lived_with)):
                self._live(phi, earlier)
        return self._live(state.fit.phi, epoch, on_update)

    def learn(
        self, before: Checkpoint, returns: np.ndarray, on_steps: Callable[[int], object]
    ) -> Step:
        """Fits phi to the kept demonstrations.

        If every worker has diverged there is no demonstration: phi stays, and the errors are NaN.

        Returns:
            A step that starts evolution anew from phi. Its logs are, of the last pass,
            `teaching_error`, `teaching_target` (see `FitErrors`) and `teaching_explained`, with
            `phi_norm` and `gradient_norm` (NaN). With a critic they have `critic_error` too (see
            `Critic.train`), with an expert `expert_return` (see `Explorers.train`).
        """
        del returns
        before_fit, epoch = TeachingState.from_checkpoint(before), before.state.epoch + 1
        after, logs = self._fitted(before_fit, epoch, on_steps)
        goes_on = self._settings.is_taught(epoch + 1)
        state = self._settings.strategy.init(after.fit.phi, epoch)
        return Step(state, after.as_arrays(goes_on), logs)

    def _fitted(
        self, state: TeachingState, epoch: int, on_steps: Callable[[int], object]
    ) -> tuple[TeachingState, dict[str, float]]:
        lived_with = np.concatenate([state.lived_with, state.fit.phi[np.newaxis]])
        lived_with = lived_with[max(0, len(lived_with) - self._teacher.num_kept_epochs + 1) :]
        demonstrations, teacher, logs = self._with_targets(
            state, joined(self._kept), epoch, on_steps
        )
        rng = np.random.default_rng((self._settings.seed, epoch, _DEMONSTRATIONS_STREAM))
        rate = value_in(self._teacher.learning_rate, epoch)
        fit, errors = state.fit, FitErrors(math.nan, math.nan)
        for _ in range(self._teacher.num_passes if demonstrations.number else 0):
            order = rng.permutation(demonstrations.number).astype(np.int32)
            size = min(self._teacher.minibatch_size, len(order))
            minibatches = order[: len(order) // size * size].reshape(-1, size)
            fit, errors = self._fit.run(fit, demonstrations, minibatches, rate)
        logs |= {
            "teaching_error": errors.error,
            "teaching_target": errors.target,
            "teaching_explained": errors.explained,
            "phi_norm": float(np.linalg.norm(fit.phi)),
            "gradient_norm": math.nan,
        }
        return TeachingState(fit, lived_with, teacher), logs

    def _with_targets(
        self,
        state: TeachingState,
        demonstrations: Demonstrations,
        epoch: int,
        on_steps: Callable[[int], object],
    ) -> tuple[Demonstrations, Mapping[str, np.ndarray], dict[str, float]]:
        """Trains the teacher; returns demonstrations with targets, its state and its logs."""
        teacher = self._teacher
        if self._explorers is not None:
            expert, logs = self._explorers.train(state.teacher, epoch, on_steps)
            return self._explorers.expert.with_targets(expert, demonstrations), expert, logs
        if not isinstance(teacher, CriticTeacher):
            return demonstrations, state.teacher, {}
        if not demonstrations.number:
            return demonstrations, state.teacher, {"critic_error": math.nan}
        self._critic = self._critic or teacher.make_critic(demonstrations)
        rng = np.random.default_rng((self._settings.seed, epoch, _CRITIC_STREAM))
        critic, error = teacher.train(self._critic, state.teacher, demonstrations, rng)
        return self._critic.with_targets(critic, demonstrations), critic, {"critic_error": error}

    def _live(
        self,
        phi: np.ndarray,
        epoch: int,
        on_update: Callable[[Update], object] | None = None,
    ) -> Lifetimes:
        self._make_workers_for(self._teacher.inner_loop(self._settings.inner_loop, epoch))
        lifetimes = self._workers.live(
            np.broadcast_to(phi, (len(self._share), len(phi))),
            [training_seed(self._settings.seed, epoch, w) for w in self._share],
            guidance=0.0,
            on_update=on_update,
            num_updates=self._settings.num_updates_in(epoch),
            recorders=self._recorders,
        )
        mine = joined([recorder.pop() for recorder in self._recorders])
        sound = self._ranks.allgather(mine.are_finite & ~lifetimes.diverged)
        # The order of the workers does not depend on the number of ranks.
        everyone = mine.mapped(self._ranks.allgather)
        self._kept.append(everyone.mapped(lambda a: a[sound].reshape(-1, *a.shape[2:])))
        return lifetimes

    def _make_workers_for(self, lifetime: InnerLoop) -> None:
        """Makes workers for such lifetimes, unless the present ones have the same settings."""
        if lifetime == self._lifetime:
            return
        self._lifetime = lifetime
        threads = self._ranks.threads(self._settings.threads_per_rank)
        self._workers = WorkerGroups(lifetime, self._settings.family, len(self._share), threads)
        self._recorders = [
            DemonstrationRecorder(group.backends.reference, self._teacher.demonstrate)
            for group in self._workers.groups
        ]
