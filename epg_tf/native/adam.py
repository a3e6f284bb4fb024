"""Adam for one agent, in the form of `epg_tf.agent.adam`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import dot
from epg_tf.native.compiler import compiled


class Adam(NamedTuple):
    """Hyperparameters of Adam.

    Attributes:
        epsilon: The term that keeps the quotient finite.
        beta_1: The decay rate of the mean of gradients.
        beta_2: The decay rate of the mean of squared gradients.
    """

    epsilon: np.float32
    beta_1: np.float32
    beta_2: np.float32


@compiled
def descend_once(adam, theta, gradient, now, following, step, rate, memory_rate, num_first):
    """Takes one step; if it is not finite, only decays the moments, as for a gradient of 0.

    Args:
        adam: The hyperparameters.
        theta: The parameters, [P]; updated in place.
        gradient: The gradient of the loss, [P].
        now: The moments, means of gradients and of their squares, [2, P].
        following: Overwritten with the moments after the step, [2, P].
        step: Overwritten with the step, which is subtracted from theta, [P].
        rate: The bias-corrected step size of the first `num_first` parameters.
        memory_rate: The bias-corrected step size of the other parameters, the memory's.
        num_first: The number of parameters before the memory's.

    Returns:
        True if the step was finite and taken.
    """
    m, v, next_m, next_v = now[0], now[1], following[0], following[1]
    count, one = step.shape[0], np.float32(1.0)
    to_m, to_v = one - adam.beta_1, one - adam.beta_2
    for part in range(2):
        first, end = (0, num_first) if part == 0 else (num_first, count)
        size = rate if part == 0 else memory_rate
        for i in range(first, end):
            g = gradient[i]
            mean, square = m[i] + (g - m[i]) * to_m, v[i] + (g * g - v[i]) * to_v
            next_m[i], next_v[i] = mean, square
            step[i] = mean * size / (np.float32(math.sqrt(square)) + adam.epsilon)
    if math.isfinite(dot(step, step)):
        for i in range(count):
            theta[i] -= step[i]
        return True
    for i in range(count):
        next_m[i] = m[i] - m[i] * to_m
        next_v[i] = v[i] - v[i] * to_v
    return False
