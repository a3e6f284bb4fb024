"""The settings of a run."""

from __future__ import annotations

import dataclasses

from epg_tf.checks import NonNegativeInt, PositiveInt, Settings
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.schedules import Schedule, require_schedule
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.teacher import Teacher


@dataclasses.dataclass(frozen=True)
class MetaTraining(Settings, named="meta_train."):
    """The settings of a run. All but the last three determine its numbers.

    Attributes:
        family: p(M), the distribution of tasks.
        inner_loop: The settings of a lifetime.
        strategy: The evolution strategy that searches phi.
        guidance: The weight alpha of Eq. 6 over epochs.
        num_workers: n, the lifetimes per epoch.
        seed: The seed of all random numbers.
        num_updates: K over epochs, if lifetimes of the search are shorter than later ones or grow;
            None for `InnerLoop.num_updates` in every epoch.
        teacher: The teacher of phi in the first epochs; None (the paper) for evolution alone.
        validate_every: Epochs between two validations of phi without noise; 0 for none. A
            validation is the interquartile mean of the final returns of n agents without guidance
            on validation tasks. It also decides which loss is the best.
        start_from: A loss to start from, as for --loss of the other commands; None for a fresh one.
        num_epochs: E; a higher number continues a finished run.
        threads_per_rank: The threads among which a rank splits its workers; 0 for the main thread
            alone, None for the host's cores over its ranks.
        compare_at_end: True to compare the first and the last loss on held-out tasks at the end.
    """

    family: TaskFamily
    inner_loop: InnerLoop
    strategy: EvolutionStrategy
    guidance: Schedule
    num_workers: PositiveInt = 32
    seed: NonNegativeInt = 0
    num_updates: Schedule | None = None
    teacher: Teacher | None = None
    validate_every: NonNegativeInt = 0
    start_from: str | None = None
    num_epochs: PositiveInt = 1
    threads_per_rank: NonNegativeInt | None = None
    compare_at_end: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.inner_loop.check(self.family)
        if self.teacher is not None:
            self.teacher.check(self.inner_loop, self.family)
        self.strategy.check_population(self.num_workers)
        require_schedule("meta_train.guidance", self.guidance, self.num_epochs, highest=1.0)
        for name in ("noise_std", "learning_rate"):
            value = getattr(self.strategy, name)
            require_schedule(f"EvolutionStrategy.{name}", value, self.num_epochs)
        require_schedule("meta_train.num_updates", self.num_updates, self.num_epochs, lowest=1)

    def num_updates_in(self, epoch: int) -> int:
        """K in `epoch` (1, 2, ...)."""
        if self.num_updates is None:
            return self.inner_loop.num_updates
        return round(self.num_updates(epoch))

    def env_steps_in(self, epoch: int) -> int:
        """The environment steps of all workers and of the teacher in `epoch` (1, 2, ...)."""
        steps = self.num_workers * self.num_updates_in(epoch) * self.inner_loop.steps_per_update
        if self.teacher is not None and self.is_taught(epoch):
            steps += self.teacher.own_env_steps
        return steps

    def guidance_in(self, epoch: int) -> float:
        """The guidance alpha (Eq. 6) in `epoch` (1, 2, ...); 0 while phi is taught."""
        return 0.0 if self.is_taught(epoch) else self.guidance(epoch)

    @property
    def guidance_in_use(self) -> float:
        """The guidance of agents with the final loss: the last alpha if the loss sees rewards."""
        return self.guidance(self.num_epochs) if self.inner_loop.learned_loss.sees_reward else 0.0

    def is_taught(self, epoch: int) -> bool:
        """Returns True if phi is taught in `epoch` (1, 2, ...), False if it evolves."""
        return self.teacher is not None and epoch <= self.teacher.num_epochs

    def is_validated(self, epoch: int) -> bool:
        """Returns True if phi is validated after `epoch`."""
        return self.validate_every > 0 and epoch % self.validate_every == 0
