"""Means over agents on different tasks, with confidence intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

_LEVEL = 0.95


class MeanInterval(NamedTuple):
    """A mean with the ends of its 95 % interval, arrays [...]; NaN if there is too little data.

    Attributes:
        mean: The mean.
        low: The lower end.
        high: The upper end.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def mean_interval(values: np.ndarray) -> MeanInterval:
    """Returns Student's interval, `mean +- t_{0.975, n - 1} s / sqrt(n)`, over the first axis.

    Args:
        values: One row per agent, [n, ...]; only finite values count.
    """
    there = np.isfinite(values)
    count = there.sum(axis=0)
    known = np.where(there, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = known.sum(axis=0) / count
        variance = np.where(there, np.square(known - mean), 0.0).sum(axis=0) / (count - 1)
        half = stats.t.ppf(0.5 + _LEVEL / 2.0, np.maximum(count - 1, 1)) * np.sqrt(variance / count)
    half = np.where(count > 1, half, np.nan)
    return MeanInterval(mean, mean - half, mean + half)


def mean_over_updates(values: np.ndarray) -> np.ndarray:
    """Returns the mean of each row of [agents, K] over its finite values."""
    return mean_interval(values.T).mean


def geometric_mean_interval(values: np.ndarray) -> MeanInterval:
    """Returns the geometric mean and its interval, for values that span orders of magnitude.

    Args:
        values: One row per agent, [n, ...]; only finite positive values count.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return MeanInterval(*map(np.exp, mean_interval(np.log(values))))
