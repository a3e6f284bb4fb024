"""Advantages over a linear baseline, per worker, for the inner steps.

The baseline (Duan et al. 2016) is a ridge regression of discounted returns on the observation, its
square and the first three powers of time within the episode. It is refitted to each batch, so only
the initial weights are meta-learned.
"""

from __future__ import annotations

import numpy as np

from epg_tf.rivals.ppo import advantages

_TIME_UNIT = 100.0  # steps
_LARGEST = 10.0  # bound of normalised observations; beyond it squares would dominate the fit


def times_in_episode(ended: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Returns the time within the episode at each step and after the last one, [W, T + 1].

    Args:
        ended: 1 where an episode ended, [W, T].
        first: The time at the first step, [W].
    """
    times = np.empty((ended.shape[0], ended.shape[1] + 1), np.int64)
    times[:, 0] = first
    for t, now in enumerate(ended.T):
        times[:, t + 1] = np.where(now, 0, times[:, t] + 1)
    return times


def features(observation: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Returns the features of the baseline: [W, T, S] and [W, T] -> [W, T, 2 S + 4]."""
    seen = np.clip(observation.astype(np.float64), -_LARGEST, _LARGEST)
    time = times[..., np.newaxis] / _TIME_UNIT
    return np.concatenate([seen, seen**2, time, time**2, time**3, np.ones_like(time)], axis=-1)


def fitted_values(
    known: np.ndarray, rewards: np.ndarray, ended: np.ndarray, discount: float, penalty: float
) -> np.ndarray:
    """Returns V before each step and after the last one, [W, T + 1].

    Episodes that end within the batch have known returns. The return of a running episode is its
    discounted rewards so far plus `gamma^k V` at the end of the batch. V is linear, so we regress
    on the difference of two rows of features and need no estimate of V there.

    Args:
        known: Features before each step and after the last one, [W, T + 1, F].
        rewards: [W, T].
        ended: 1 where the task or the time limit ended an episode, [W, T]. Both cut returns,
            since the features contain the time.
        discount: gamma.
        penalty: The penalty on squared weights, per step.
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


def standardised_advantages(
    rewards: np.ndarray, values: np.ndarray, ended: np.ndarray, discount: float, gae_lambda: float
) -> np.ndarray:
    """Returns generalised advantages within episodes, standardised per worker, [W, T] float32.

    Args:
        rewards: [W, T].
        values: V before each step and after the last one, [W, T + 1].
        ended: 1 where an episode ended, [W, T]; no value counts after it.
        discount: gamma.
        gae_lambda: lambda.
    """
    found = advantages(rewards.T, values.T, discount, gae_lambda, ended.T)
    found = np.ascontiguousarray(found.T)  # so that the sums below have one order
    found -= found.mean(axis=1, keepdims=True)
    return (found / (found.std(axis=1, keepdims=True) + 1e-8)).astype(np.float32)
