"""Seeds of lifetimes, and their random streams."""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

from epg_tf.tasks.family import HELD_OUT_TASK_SEEDS, VALIDATION_TASK_SEEDS


class Stream(enum.IntEnum):
    """The random streams of a lifetime, each with a separate generator."""

    AGENT = 0
    RESETS = 1
    ACTIONS = 2
    MINIBATCHES = 3
    FRESH_EPISODES = 4


class LifetimeSeed(NamedTuple):
    """The seed of a lifetime.

    Attributes:
        task_seed: The seed of the task.
        key: The key of all other random numbers.
    """

    task_seed: int
    key: tuple[int, ...]

    def generator(self, stream: Stream) -> np.random.Generator:
        """Returns the generator of one stream."""
        return np.random.default_rng(
            np.random.SeedSequence(self.key[0], spawn_key=(*self.key[1:], int(stream)))
        )


def held_out_seed(seed: int, task: int, *repetition: int) -> LifetimeSeed:
    """Returns the seed of a lifetime on a held-out task.

    Args:
        seed: The seed of the run.
        task: The task's number, from 0.
        repetition: The number of the agent, if several live on the same task.
    """
    return _seed_of(HELD_OUT_TASK_SEEDS[task], seed, *repetition)


def validation_seed(seed: int, task: int) -> LifetimeSeed:
    """Returns the seed of a lifetime on a validation task, numbered from 0."""
    return _seed_of(VALIDATION_TASK_SEEDS[task], seed)


def _seed_of(task_seed: int, seed: int, *repetition: int) -> LifetimeSeed:
    return LifetimeSeed(task_seed, (seed, task_seed, *repetition))
