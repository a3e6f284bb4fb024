"""The inner step of MAML: theta' = theta - alpha grad L(theta), for W workers at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.agent.agents import pad_workers
from epg_tf.rivals.adaptation.policy import AdaptablePolicy

_FEWEST = 4  # workers, below which TensorFlow adds in another order


class Batch(NamedTuple):
    """T steps of W workers, as their weights are adapted on.

    Attributes:
        observation: Normalised, [W, T, S].
        action: [W, T, A], or [W, T] action numbers.
        advantage: [W, T].
        log_prob: log pi(a | s) of the weights that acted, [W, T].
    """

    observation: Any
    action: Any
    advantage: Any
    log_prob: Any


def surrogate(policy: AdaptablePolicy, weights: Sequence[tf.Tensor], batch: Batch) -> tf.Tensor:
    """L(theta) = -mean_t(A_t pi(a_t | s_t; theta) / pi(a_t | s_t)), [W].

    Where theta are the weights that acted its gradient is that of `-mean_t(A_t log pi)`. Its second
    derivative is the policy gradient's own, that of `-mean_t(A_t log pi)` is not (Rothfuss et al.
    2019), and its gradient stays one where theta has moved on since.
    """
    log_prob = policy.log_prob(weights, batch.observation, batch.action)
    return -tf.reduce_mean(tf.exp(log_prob - batch.log_prob) * batch.advantage, axis=1)


def adapted(
    policy: AdaptablePolicy,
    weights: Sequence[tf.Tensor],
    batch: Batch,
    step_size: float | tf.Tensor,
    first_order: bool = False,
) -> list[tf.Tensor]:
    """The adapted weights theta' of W workers.

    Args:
        policy: pi.
        weights: theta, [W, ...] each.
        batch: Of each worker.
        step_size: alpha.
        first_order: Whether theta' is to be differentiated as if the gradient in it were constant.
    """
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss = tf.reduce_sum(surrogate(policy, weights, batch))
    gradients: Any = tape.gradient(loss, weights)
    if first_order:
        gradients = [tf.stop_gradient(gradient) for gradient in gradients]
    return [
        weight - step_size * gradient for weight, gradient in zip(weights, gradients, strict=True)
    ]


class InnerStep:
    """The same for arrays, compiled; what comes out for a worker does not depend on W."""

    def __init__(self, policy: AdaptablePolicy):
        """Compiles nothing yet."""
        self._policy = policy
        self._log_prob = tf.function(policy.log_prob, reduce_retracing=True)
        self._adapted = tf.function(
            lambda weights, batch, size: adapted(policy, weights, batch, size),
            reduce_retracing=True,
        )

    def log_prob(
        self, weights: Sequence[np.ndarray], observation: np.ndarray, action: np.ndarray
    ) -> np.ndarray:
        """What `AdaptablePolicy.log_prob` gives, [W, T]; its arguments."""
        wide = _widened([*weights, observation, action])
        return self._log_prob(wide[:-2], *wide[-2:]).numpy()[: len(observation)]

    def __call__(
        self, weights: Sequence[np.ndarray], batch: Batch, step_size: float
    ) -> list[np.ndarray]:
        """The adapted weights theta' of all workers, [W, ...] each."""
        wide, rows = _widened(weights), Batch(*_widened(batch))
        found = self._adapted(wide, rows, tf.constant(step_size, tf.float32))
        return [weight.numpy()[: len(batch.advantage)] for weight in found]


def _widened(arrays: Sequence) -> list[tf.Tensor]:
    """Arrays [W, ...] with ghosts beside a few workers."""
    width = max(_FEWEST, len(arrays[-1]))
    return [tf.constant(pad_workers(array, width)) for array in arrays]
