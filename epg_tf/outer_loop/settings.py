"""The settings of a run: what is evolved, how, and for how long."""

from __future__ import annotations

import dataclasses

from epg_tf.checks import require_integer
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.schedules import Schedule, require_schedule
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.teacher import Teacher


@dataclasses.dataclass(frozen=True)
class MetaTraining:
    """The settings of a run; all but the last three fix its numbers.

    Attributes:
        family: p(M), the distribution of tasks.
        inner_loop: What a lifetime is like.
        strategy: How phi is searched.
        guidance: The weight alpha of Eq. 6 over epochs.
        num_workers: n, lifetimes per epoch.
        seed: The seed of everything random.
        num_updates: K over epochs, for lifetimes that grow, or that are shorter in the search than
            those that the loss is for; None for `InnerLoop.num_updates` in every epoch.
        training_family: The tasks on which losses are evolved where these are not `family`: with
            other rewards or other ends of episodes, say. phi is validated, and losses are meant,
            for `family`.
        teacher: Who teaches phi in the first epochs, before evolution goes on; None (the paper) for
            evolution alone.
        validate_every: Epochs from one look at phi itself, without noise, to the next: the
            interquartile mean of the final returns of n reward-free agents on validation tasks,
            which then also decides which loss is the best; 0 for none.
        start_from: A loss to start from, as --loss of the other commands takes one; None for a
            fresh one.
        num_epochs: E; may be raised to carry a finished run on.
        threads_per_rank: Each lives a group of the rank's workers; 0 for none but the main one,
            None for the host's cores over its ranks.
        compare_at_end: Whether to end with lifetimes on held-out tasks, without reward, of the
            first and the last loss.

    Raises:
        ValueError: If a value is outside its range.
    """

    family: TaskFamily
    inner_loop: InnerLoop
    strategy: EvolutionStrategy
    guidance: Schedule
    num_workers: int = 32
    seed: int = 0
    num_updates: Schedule | None = None
    training_family: TaskFamily | None = None
    teacher: Teacher | None = None
    validate_every: int = 0
    start_from: str | None = None
    num_epochs: int = 1
    threads_per_rank: int | None = None
    compare_at_end: bool = False

    def __post_init__(self) -> None:
        require_integer("meta_train.num_epochs", self.num_epochs)
        require_integer("meta_train.seed", self.seed, at_least=0)
        require_integer("meta_train.num_workers", self.num_workers)
        if self.threads_per_rank is not None:
            require_integer("meta_train.threads_per_rank", self.threads_per_rank, at_least=0)
        require_integer("meta_train.validate_every", self.validate_every, at_least=0)
        self.inner_loop.check(self.family)
        if self.teacher is not None:
            self.teacher.check(self.inner_loop, self.family)
        self.strategy.check_population(self.num_workers)
        require_schedule("meta_train.guidance", self.guidance, self.num_epochs, highest=1.0)
        strategy = self.strategy
        for name, value in (
            ("noise_std", strategy.noise_std),
            ("learning_rate", strategy.learning_rate),
        ):
            if callable(value):
                require_schedule(f"EvolutionStrategy.{name}", value, self.num_epochs)
        if self.num_updates is not None:
            require_schedule("meta_train.num_updates", self.num_updates, self.num_epochs, lowest=1)
        if self.training_family is not None:
            self._require_same_sizes(self.training_family)

    def _require_same_sizes(self, other: TaskFamily) -> None:
        for name in ("observation_size", "action_size", "num_actions"):
            ours, theirs = (getattr(family, name) for family in (self.family, other))
            if ours != theirs:
                raise ValueError(
                    f"`meta_train.training_family` (of {name} {theirs}) must be like "
                    f"`meta_train.family` (of {name} {ours})."
                )

    def num_updates_in(self, epoch: int) -> int:
        """K in `epoch` (1, 2, ...)."""
        if self.num_updates is None:
            return self.inner_loop.num_updates
        return round(self.num_updates(epoch))

    def env_steps_in(self, epoch: int) -> int:
        """The environment steps of all workers, and of a teacher, in `epoch` (1, 2, ...)."""
        steps = self.num_workers * self.num_updates_in(epoch) * self.inner_loop.steps_per_update
        if self.teacher is not None and self.is_taught(epoch):
            steps += self.teacher.own_env_steps
        return steps

    def guidance_in(self, epoch: int) -> float:
        """The guidance alpha (Eq. 6) in `epoch` (1, 2, ...); 0 while phi is taught."""
        return 0.0 if self.is_taught(epoch) else self.guidance(epoch)

    @property
    def guidance_in_use(self) -> float:
        """The alpha of Eq. 6 for agents of a finished loss: the last one if it sees the reward."""
        return self.guidance(self.num_epochs) if self.inner_loop.learned_loss.sees_reward else 0.0

    def is_taught(self, epoch: int) -> bool:
        """Whether phi is taught in `epoch` (1, 2, ...), rather than evolved."""
        return self.teacher is not None and epoch <= self.teacher.num_epochs

    def is_validated(self, epoch: int) -> bool:
        """Whether phi itself is looked at after `epoch`."""
        return self.validate_every > 0 and epoch % self.validate_every == 0
