"""Seeds: the noise, tasks and random streams of workers (Algorithm 1, lines 4-5).

Everything random in training follows from (seed, epoch, worker). `independent` sampling is the
paper's. In `paired` sampling workers 2p and 2p + 1 get the noise +epsilon and -epsilon. They share
the task, the initial policy, resets and action noise, so only their losses make their returns
differ. The difference has about a tenth of the variance.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

import numpy as np

# Meta-training draws tasks from the first half of the 32-bit seeds, evaluation from the second. So
# no run has trained on a held-out task, whatever its seed. Tuning by hand uses the third range.
TRAINING_TASK_SEEDS = range(0, 2**31)
HELD_OUT_TASK_SEEDS = range(2**31, 2**32)
VALIDATION_TASK_SEEDS = range(2**32, 2**33)

SAMPLINGS = ("independent", "paired")

_NOISE, _TASK, _LIFETIME = range(3)


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


def _generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(key[0], spawn_key=key[1:]))


def noise(seed: int, epoch: int, worker: int, size: int, sampling: str) -> np.ndarray:
    """Returns epsilon_i ~ N(0, I), [size] float32."""
    if sampling == "independent":
        return _generator(seed, epoch, worker, _NOISE).standard_normal(size, np.float32)
    pair, is_second = divmod(worker, 2)
    epsilon = _generator(seed, epoch, pair, _NOISE).standard_normal(size, np.float32)
    return -epsilon if is_second else epsilon


def lifetime_key(seed: int, epoch: int, worker: int, sampling: str) -> tuple[int, ...]:
    """Returns the key of a lifetime's random numbers; both workers of a pair share it."""
    member = worker // 2 if sampling == "paired" else worker
    return (seed, epoch, member, _LIFETIME)


def task_seed(seed: int, epoch: int, worker: int, sampling: str, seeds: range) -> int:
    """Returns a task seed from `seeds`; both workers of a pair share it."""
    member = worker // 2 if sampling == "paired" else worker
    return int(_generator(seed, epoch, member, _TASK).integers(seeds.start, seeds.stop))


def training_seed(
    seed: int, epoch: int, worker: int, sampling: str = "independent"
) -> LifetimeSeed:
    """Returns a worker's training task and the key of its lifetime (line 5)."""
    return LifetimeSeed(
        task_seed(seed, epoch, worker, sampling, TRAINING_TASK_SEEDS),
        lifetime_key(seed, epoch, worker, sampling),
    )
