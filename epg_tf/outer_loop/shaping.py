"""Fitness shaping: what enters Eq. 5 in place of the returns R_i.

All functions map returns [n] to weights [n]; a return that is not finite is the worst, for only a
lifetime that diverged has one.
"""

from __future__ import annotations

import numpy as np
from scipy import stats


def _diverged_are_worst(returns: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(returns), returns, -np.inf)


def centred_ranks(returns: np.ndarray) -> np.ndarray:
    """Ranks scaled to [-1/2, 1/2]; ties share their mean rank (Salimans et al. 2017)."""
    if len(returns) == 1:
        return np.zeros(1)
    ranks = stats.rankdata(_diverged_are_worst(returns), method="average")
    return (ranks - 1.0) / (len(returns) - 1.0) - 0.5


def pair_ranks(returns: np.ndarray) -> np.ndarray:
    """Signed ranks of the differences within pairs, in [-1/2, 1/2].

    Both of a pair live on the same task, so that how hard the task is drops out.
    """
    worst = np.min(returns, where=np.isfinite(returns), initial=np.inf)
    sound = np.where(np.isfinite(returns), returns, worst - 1.0 if np.isfinite(worst) else 0.0)
    differences = sound[::2] - sound[1::2]
    ranks = stats.rankdata(np.abs(differences), method="average")
    weights = np.sign(differences) * ranks / (2.0 * len(ranks))
    return np.stack([weights, -weights], axis=1).ravel()


def raw_returns(returns: np.ndarray) -> np.ndarray:
    """Eq. 5 as it stands; returns that are not finite count as the worst finite one."""
    finite = returns[np.isfinite(returns)]
    return np.where(np.isfinite(returns), returns, finite.min() if len(finite) else 0.0)


def pair_correlation(returns: np.ndarray) -> float:
    """Returns the rank correlation of the two returns of a pair; NaN of fewer than three pairs.

    Both live on one task: near 1 it is the task that decides, near -1 the perturbation.
    """
    if len(returns) < 6:
        return np.nan
    ranks = stats.rankdata(_diverged_are_worst(returns).reshape(-1, 2), axis=0)
    if not ranks.std(axis=0).all():
        return np.nan
    return float(np.corrcoef(ranks.T)[0, 1])


SHAPINGS = {
    "none": raw_returns,
    "centred_ranks": centred_ranks,
    "pair_ranks": pair_ranks,
}
