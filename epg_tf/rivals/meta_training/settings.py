"""The settings of a meta-learned rival's training."""

from __future__ import annotations

import dataclasses

from epg_tf.checks import require_integer
from epg_tf.rivals.meta_training.rival import Rival
from epg_tf.seeds import LifetimeSeed, training_seed
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class RivalTraining:
    """The settings of a run of `epg_tf.train_rival`; all but the last two fix its numbers.

    Attributes:
        family: p(M), the distribution of tasks.
        rival: What is meta-trained.
        num_tasks: Tasks per epoch.
        seed: The seed of everything random.
        validate_every: Epochs from one look at validation tasks to the next, which also decides
            which state is the best; 0 for none, and the latest is the best.
        num_validation_tasks: How many there are.
        validation_updates: K there.
        steps_per_update: M there; the steps from one point of a learning curve to the next.
        num_epochs: May be raised to carry a finished run on.
        num_threads: Simulator threads; 0 for none but the main one.

    Raises:
        ValueError: If a value is outside its range.
    """

    family: TaskFamily
    rival: Rival
    num_tasks: int = 32
    seed: int = 0
    validate_every: int = 0
    num_validation_tasks: int = 32
    validation_updates: int = 32
    steps_per_update: int = 128
    num_epochs: int = 1
    num_threads: int = 0

    def __post_init__(self) -> None:
        for name in (
            *("num_tasks", "num_validation_tasks", "validation_updates"),
            *("steps_per_update", "num_epochs"),
        ):
            require_integer(f"train_rival.{name}", getattr(self, name))
        for name in ("seed", "validate_every", "num_threads"):
            require_integer(f"train_rival.{name}", getattr(self, name), at_least=0)
        self.rival.check(self.family)

    def seeds_of(self, epoch: int) -> list[LifetimeSeed]:
        """The seeds of the tasks of an epoch (1, 2, ...)."""
        return [training_seed(self.seed, epoch, task) for task in range(self.num_tasks)]

    def is_validated(self, epoch: int) -> bool:
        """Whether there is a look at validation tasks after `epoch`."""
        return self.validate_every > 0 and epoch % self.validate_every == 0
