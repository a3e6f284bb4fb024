"""The settings of a meta-learned rival's training."""

from __future__ import annotations

import dataclasses

from epg_tf.checks import NonNegativeInt, PositiveInt, Settings
from epg_tf.rivals.meta_training.rival import Rival
from epg_tf.seeds import LifetimeSeed, training_seed
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class RivalTraining(Settings, named="train_rival."):
    """The settings of a run of `epg_tf.train_rival`; all but the last two determine its results.

    Attributes:
        family: p(M), the distribution of tasks.
        rival: The settings of the rival.
        num_tasks: Tasks per epoch.
        seed: The seed of everything random.
        validate_every: Epochs between validations, which choose the best state; 0 for none, so that
            the latest state counts as the best.
        num_validation_tasks: The number of validation tasks.
        validation_updates: K in validation.
        steps_per_update: M in validation: the steps between two points of a learning curve.
        num_epochs: The number of epochs; a higher one continues a finished run.
        num_threads: Threads of the simulator; 0 for the main one alone.
    """

    family: TaskFamily
    rival: Rival
    num_tasks: PositiveInt = 32
    seed: NonNegativeInt = 0
    validate_every: NonNegativeInt = 0
    num_validation_tasks: PositiveInt = 32
    validation_updates: PositiveInt = 32
    steps_per_update: PositiveInt = 128
    num_epochs: PositiveInt = 1
    num_threads: NonNegativeInt = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.rival.check(self.family)

    def seeds_of(self, epoch: int) -> list[LifetimeSeed]:
        """Returns the seeds of an epoch's tasks; epochs count from 1."""
        return [training_seed(self.seed, epoch, task) for task in range(self.num_tasks)]

    def is_validated(self, epoch: int) -> bool:
        """Returns whether there is a validation after `epoch`."""
        return self.validate_every > 0 and epoch % self.validate_every == 0
