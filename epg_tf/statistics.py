"""Aggregates over runs with confidence intervals (Agarwal et al. 2021, arXiv 2108.13264).

Scores are arrays [tasks, seeds]: fresh agents on tasks drawn from a family. Their aggregate is the
interquartile mean, which a few diverged runs do not move. Its interval comes from a bootstrap in
two stages, because both tasks and seeds are samples: it resamples tasks, then seeds within each.
(Agarwal et al. resample seeds alone, because a benchmark has no other tasks.)

A number that is not finite ranks below all others, as in training. A result that includes one is
minus infinity.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

_TRIMMED = 0.25  # the share of runs that the interquartile mean leaves out at either end
_INTERVAL = (0.025, 0.975)  # quantiles of the resamples


class Estimate(NamedTuple):
    """An interquartile mean with the ends of its 95 % interval, numbers or arrays [K].

    Attributes:
        iqm: The interquartile mean.
        low: The 2.5 % quantile of the resampled means.
        high: The 97.5 % quantile of the resampled means.
    """

    iqm: Any
    low: Any
    high: Any


@dataclasses.dataclass(frozen=True)
class Bootstrap:
    """Resamples of tasks, and of seeds within each; methods share them, since runs are paired.

    Attributes:
        tasks: The drawn tasks of each resample, [resamples, tasks, 1].
        seeds: The drawn seeds of each drawn task, [resamples, tasks, seeds].
    """

    tasks: np.ndarray
    seeds: np.ndarray

    @classmethod
    def draw(
        cls, num_tasks: int, num_seeds: int, num_resamples: int = 2000, seed: int = 0
    ) -> Bootstrap:
        """Draws resamples with replacement, from a separate generator."""
        rng = np.random.default_rng(seed)
        shape = (num_resamples, num_tasks, num_seeds)
        tasks = rng.integers(num_tasks, size=(*shape[:2], 1))
        return cls(tasks, rng.integers(num_seeds, size=shape))

    def estimate(self, scores: np.ndarray) -> Estimate:
        """Returns the interquartile mean of scores [tasks, seeds] and its interval."""
        resampled = ranked(scores)[self.tasks, self.seeds].reshape(len(self.tasks), -1)
        iqms = np.asarray(stats.trim_mean(resampled, _TRIMMED, axis=1))
        # No interpolation between two order statistics, which fails with minus infinity.
        low, high = np.quantile(iqms, _INTERVAL, method="inverted_cdf")
        return Estimate(iqm(scores), low, high)

    def estimate_curve(self, curves: np.ndarray) -> Estimate:
        """Returns the same for every update of curves [tasks, seeds, K]."""
        estimates = [self.estimate(scores) for scores in np.moveaxis(curves, 2, 0)]
        return Estimate(*map(np.array, zip(*estimates, strict=True)))


def ranked(scores: np.ndarray) -> np.ndarray:
    """Returns the scores with minus infinity, the worst rank, for those that are not finite."""
    return np.where(np.isfinite(scores), scores, -np.inf)


def iqm(scores: np.ndarray) -> float:
    """Returns the interquartile mean: the mean without the best and the worst quarter of runs.

    Args:
        scores: An array of any shape.
    """
    return float(stats.trim_mean(ranked(scores).ravel(), _TRIMMED))


def iqm_curve(curves: np.ndarray) -> np.ndarray:
    """Returns the interquartile mean at every update, [K], of curves [tasks, seeds, K]."""
    return np.array([iqm(scores) for scores in np.moveaxis(curves, 2, 0)])


def area_under(curves: np.ndarray) -> np.ndarray:
    """Returns each run's mean over its updates, [tasks, seeds], of curves [tasks, seeds, K]."""
    return ranked(curves).mean(axis=2)


def probability_of_improvement(scores: np.ndarray, over: np.ndarray) -> float:
    """Returns the probability that a run beats a run of the other method on the same task.

    Averages P(X > Y) + P(X = Y) / 2 over tasks and all pairs of seeds (Agarwal et al. 2021).

    Args:
        scores: X, [tasks, seeds].
        over: Y, [tasks, seeds].
    """
    x, y = ranked(scores)[:, :, np.newaxis], ranked(over)[:, np.newaxis, :]
    return float(np.mean((x > y) + 0.5 * (x == y)))


def first_update_reaching(curve: np.ndarray, level: float) -> int | None:
    """Returns the first update, from 1, at which a curve [K] reaches a level; None if never."""
    reached = np.flatnonzero(curve >= level) if np.isfinite(level) else []
    return int(reached[0]) + 1 if len(reached) else None
