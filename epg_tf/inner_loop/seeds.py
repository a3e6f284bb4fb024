"""What is random in a lifetime, and the seeds of lifetimes that nobody trained on."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

from epg_tf.tasks.family import HELD_OUT_TASK_SEEDS, VALIDATION_TASK_SEEDS


class Stream(enum.IntEnum):
    """What a lifetime draws random numbers for; each has a generator of its own."""

    AGENT = 0
    RESETS = 1
    ACTIONS = 2
    MINIBATCHES = 3
    FRESH_EPISODES = 4


class LifetimeSeed(NamedTuple):
    """All that is random in a lifetime.

    Attributes:
        task_seed: Which task.
        key: Which random numbers, for everything else.
    """

    task_seed: int
    key: tuple[int, ...]

    def generator(self, stream: Stream) -> np.random.Generator:
        """The generator of one stream of this lifetime."""
        return np.random.default_rng(
            np.random.SeedSequence(self.key[0], spawn_key=(*self.key[1:], int(stream)))
        )


def held_out_seed(seed: int, task: int, *repetition: int) -> LifetimeSeed:
    """The seed of a lifetime on a held-out task.

    Args:
        seed: The seed of the run.
        task: The task's number, from 0.
        repetition: Which of several lifetimes on the same task, where there are several.
    """
    return _seed_of(HELD_OUT_TASK_SEEDS[task], seed, *repetition)


def validation_seed(seed: int, task: int) -> LifetimeSeed:
    """The seed of a lifetime on a validation task: the run's seed, the task's number from 0."""
    return _seed_of(VALIDATION_TASK_SEEDS[task], seed)


def _seed_of(task_seed: int, seed: int, *repetition: int) -> LifetimeSeed:
    return LifetimeSeed(task_seed, (seed, task_seed, *repetition))
