"""What many runs say together, and how sure it is (Agarwal et al. 2021, arXiv 2108.13264).

Scores are arrays [tasks, seeds]: fresh agents on tasks drawn from a family. Their aggregate is the
interquartile mean, which a few diverged runs do not move. Its interval is a bootstrap in two
stages: both the tasks and the seeds are a sample, so tasks are drawn again and then, within each,
seeds. (Agarwal et al. draw seeds alone, because a benchmark's tasks are all there are.)

A number that is not finite ranks below all others, as in training; where it enters a result the
result is minus infinity.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

_TRIMMED = 0.25  # of the runs, at either end: what lies between is the interquartile mean's
_INTERVAL = (0.025, 0.975)  # quantiles of the resamples


class Estimate(NamedTuple):
    """An interquartile mean with the ends of its 95 % interval, numbers or arrays [K].

    Attributes:
        iqm: The interquartile mean.
        low: The 2.5 % quantile of the resampled ones.
        high: The 97.5 % quantile.
    """

    iqm: Any
    low: Any
    high: Any


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """Draws of tasks, and of seeds within each; the same for every method, as the runs are paired.

    Attributes:
        tasks: For each resample the tasks drawn, [resamples, tasks, 1].
        seeds: For each of them the seeds drawn, [resamples, tasks, seeds].
    """

    tasks: np.ndarray
    seeds: np.ndarray

    @classmethod
    def draw(
        cls, num_tasks: int, num_seeds: int, num_resamples: int = 2000, seed: int = 0
    ) -> Bootstrap:
        """Draws with replacement, from a generator of its own."""
        rng = np.random.default_rng(seed)
        shape = (num_resamples, num_tasks, num_seeds)
        tasks = rng.integers(num_tasks, size=(*shape[:2], 1))
        return cls(tasks, rng.integers(num_seeds, size=shape))

    def estimate(self, scores: np.ndarray) -> Estimate:
        """The interquartile mean of scores [tasks, seeds] and its interval."""
        resampled = ranked(scores)[self.tasks, self.seeds].reshape(len(self.tasks), -1)
        iqms = np.asarray(stats.trim_mean(resampled, _TRIMMED, axis=1))
        # An order statistic, not a mean of two, so that minus infinity is a value like any other.
        low, high = np.quantile(iqms, _INTERVAL, method="inverted_cdf")
        return Estimate(iqm(scores), low, high)

    def estimate_curve(self, curves: np.ndarray) -> Estimate:
        """The same for every update of curves [tasks, seeds, K]."""
        estimates = [self.estimate(scores) for scores in np.moveaxis(curves, 2, 0)]
        return Estimate(*map(np.array, zip(*estimates, strict=True)))


def ranked(scores: np.ndarray) -> np.ndarray:
    """The scores, minus infinity where one is not finite, so that it ranks worst."""
    return np.where(np.isfinite(scores), scores, -np.inf)


def iqm(scores: np.ndarray) -> float:
    """The interquartile mean: that of the runs without the best and the worst quarter.

    Args:
        scores: An array of any shape.
    """
    return float(stats.trim_mean(ranked(scores).ravel(), _TRIMMED))


def iqm_curve(curves: np.ndarray) -> np.ndarray:
    """The interquartile mean at every update of curves [tasks, seeds, K], [K]."""
    return np.array([iqm(scores) for scores in np.moveaxis(curves, 2, 0)])


def area_under(curves: np.ndarray) -> np.ndarray:
    """The mean of every run's curve over its updates, [tasks, seeds] from [tasks, seeds, K]."""
    return ranked(curves).mean(axis=2)


def probability_of_improvement(scores: np.ndarray, over: np.ndarray) -> float:
    """How likely a run is to beat a run of the other method on the same task.

    The mean over tasks of P(X > Y) + P(X = Y) / 2 over all pairs of seeds (Agarwal et al. 2021).

    Args:
        scores: X, [tasks, seeds].
        over: Y, [tasks, seeds].
    """
    x, y = ranked(scores)[:, :, np.newaxis], ranked(over)[:, np.newaxis, :]
    return float(np.mean((x > y) + 0.5 * (x == y)))


def first_update_reaching(curve: np.ndarray, level: float) -> int | None:
    """The first update, from 1, at which a curve [K] is at the level; None if none is."""
    reached = np.flatnonzero(curve >= level) if np.isfinite(level) else []
    return int(reached[0]) + 1 if len(reached) else None
