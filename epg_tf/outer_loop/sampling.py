"""Algorithm 1, lines 4-5: the noise and the seeds of each worker, from (seed, epoch, worker) alone.

`independent` sampling is the paper's. In `paired` sampling workers 2p and 2p + 1 get the noise
+epsilon and -epsilon. They share the task, the initial policy, resets and action noise, so only
their losses make their returns differ. The difference has about a tenth of the variance.
"""

from __future__ import annotations

import numpy as np

from epg_tf.inner_loop.seeds import LifetimeSeed
from epg_tf.tasks.family import TRAINING_TASK_SEEDS

SAMPLINGS = ("independent", "paired")

_NOISE, _TASK, _LIFETIME = range(3)


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
    """Line 5: returns a worker's training task and the key of its lifetime."""
    return LifetimeSeed(
        task_seed(seed, epoch, worker, sampling, TRAINING_TASK_SEEDS),
        lifetime_key(seed, epoch, worker, sampling),
    )
