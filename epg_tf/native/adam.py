"""Adam for one agent; see `epg_tf.agent.adam`, whose form it has."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import dot
from epg_tf.native.compiler import compiled


class Adam(NamedTuple):
    """What an optimiser's steps are like.

    Attributes:
        epsilon: What keeps the quotient finite.
        beta_1: Of the mean of gradients.
        beta_2: Of the mean of their squares.
    """

    epsilon: np.float32
    beta_1: np.float32
    beta_2: np.float32


@compiled
def descend_once(adam, theta, gradient, now, following, step, rate, memory_rate, num_first):
    """One step, unless it is not finite: then as if the gradient were 0.

    Args:
        adam: The optimiser.
        theta: The parameters, changed, [P].
        gradient: The loss's, [P].
        now: The means of gradients and of their squares, [2, P].
        following: Filled in with what they are after the step.
        step: Filled in with what is taken away, [P].
        rate: The step size of the first parameters, with Adam's correction.
        memory_rate: That of the others.
        num_first: How many the first are.

    Returns:
        Whether the step was finite, and taken.
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
