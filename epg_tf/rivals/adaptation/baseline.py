"""What an inner step takes for good luck: advantages over a linear baseline, per worker.

The baseline (Duan et al. 2016) is a ridge regression of discounted returns on the observation, its
square and the first powers of time within the episode. It is fitted to each batch anew, so that
nothing but the first weights is meta-learned.
"""

from __future__ import annotations

import numpy as np

_TIME_UNIT = 100.0  # steps
_LARGEST = 10.0  # of a normalised observation, beyond which its square would rule the fit


def times_in_episode(ended: np.ndarray, first: np.ndarray) -> np.ndarray:
    """How many steps of its episode came before each step and after the last one, [W, T + 1].

    Args:
        ended: Where an episode ended, [W, T].
        first: How many came before the first step, [W].
    """
    times = np.empty((ended.shape[0], ended.shape[1] + 1), np.int64)
    times[:, 0] = first
    for t, now in enumerate(ended.T):
        times[:, t + 1] = np.where(now, 0, times[:, t] + 1)
    return times


def features(observation: np.ndarray, times: np.ndarray) -> np.ndarray:
    """What the baseline is linear in: [W, T, S] and [W, T] -> [W, T, 2 S + 4]."""
    seen = np.clip(observation.astype(np.float64), -_LARGEST, _LARGEST)
    time = times[..., np.newaxis] / _TIME_UNIT
    return np.concatenate([seen, seen**2, time, time**2, time**3, np.ones_like(time)], axis=-1)


def fitted_values(
    known: np.ndarray, rewards: np.ndarray, ended: np.ndarray, discount: float, penalty: float
) -> np.ndarray:
    """V of each step and of where the last one arrived, [W, T + 1].

    An episode that ends within the batch has a return. That of the episode which runs on is the sum
    of its rewards so far and `gamma^k V` of where the batch ends; as V is linear, the regression is
    then on the difference of two rows of features, and needs no guess.

    Args:
        known: Features of each step and of where the last one arrived, [W, T + 1, F].
        rewards: [W, T].
        ended: Where an episode ended, [W, T]; by itself or by the time limit, of which the
            features know.
        discount: gamma.
        penalty: Of the squared weights, per step.
    """
    returns, to_end = np.empty_like(rewards), np.empty_like(rewards)
    so_far, share = np.zeros(len(rewards)), np.ones(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        goes_on = 1.0 - ended[:, t]
        so_far = returns[:, t] = rewards[:, t] + discount * goes_on * so_far
        share = to_end[:, t] = discount * goes_on * share
    rows = known[:, :-1] - to_end[..., np.newaxis] * known[:, -1:]
    across = np.swapaxes(rows, 1, 2)
    ridge = penalty * rewards.shape[1] * np.eye(known.shape[-1])
    weights = np.linalg.solve(across @ rows + ridge, across @ returns[..., np.newaxis])
    return (known @ weights)[..., 0]


def advantages(
    rewards: np.ndarray, values: np.ndarray, ended: np.ndarray, discount: float, gae_lambda: float
) -> np.ndarray:
    """Generalised advantages within episodes, standardised per worker, [W, T] float32.

    Args:
        rewards: [W, T].
        values: V of each step and of where the last one arrived, [W, T + 1].
        ended: Where an episode ended, [W, T]; nothing is expected after it.
        discount: gamma.
        gae_lambda: lambda.
    """
    found, running = np.empty_like(rewards), np.zeros(len(rewards))
    for t in reversed(range(rewards.shape[1])):
        goes_on = discount * (1.0 - ended[:, t])
        error = rewards[:, t] + goes_on * values[:, t + 1] - values[:, t]
        running = found[:, t] = error + gae_lambda * goes_on * running
    found -= found.mean(axis=1, keepdims=True)
    return (found / (found.std(axis=1, keepdims=True) + 1e-8)).astype(np.float32)
