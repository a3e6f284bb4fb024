"""Settings of a loss's films, which show agents that learn with it on held-out tasks.

The agents are the first that an evaluation trains on each held-out task. They see the reward only
if the loss was evolved to see it.
"""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from epg_tf.checks import PositiveInt, Rule, Settings
from epg_tf.evaluation.films.episodes import Pace
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.seeds import LifetimeSeed, held_out_seed
from epg_tf.tasks.family import Task, TaskFamily

MOST_TASKS = 9
_LONGEST = 60  # s
_FEW = Rule(lambda number: number <= MOST_TASKS, f"at most {MOST_TASKS}")
_SHORT = Rule(lambda seconds: 0 < seconds <= _LONGEST, f"more than 0 and at most {_LONGEST}")


@dataclasses.dataclass(frozen=True)
class FilmPlan(Settings, named="--"):
    """The settings of films.

    Attributes:
        loss: The evolved loss.
        num_tasks: The number of held-out tasks, with an agent each.
        seconds: The length of the films.
    """

    loss: EvolvedLoss
    num_tasks: Annotated[PositiveInt, _FEW] = 4
    seconds: Annotated[float, _SHORT] = 4.0

    @property
    def fingerprint(self) -> dict[str, Any]:
        """All that determines the films, under user-facing names."""
        asked = {"--num_tasks": self.num_tasks, "--seconds": self.seconds}
        return {**self.loss.fingerprint, **asked}

    @property
    def family(self) -> TaskFamily:
        """The distribution of tasks."""
        return self.loss.settings.family

    @property
    def seeds(self) -> list[LifetimeSeed]:
        """The seeds of the agents."""
        return [held_out_seed(self.loss.settings.seed, task, 0) for task in range(self.num_tasks)]

    @property
    def tasks(self) -> list[Task]:
        """The agents' tasks."""
        return [self.family.sample(seed.task_seed) for seed in self.seeds]

    @property
    def pace(self) -> Pace:
        """The timing of the films."""
        timestep = self.family.sample(self.seeds[0].task_seed).model.opt.timestep
        return Pace.real_time(self.seconds, timestep * self.family.frame_skip)
