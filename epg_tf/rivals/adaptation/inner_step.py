"""The inner step of MAML: theta' = theta - alpha grad L(theta), for W workers at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.agent.agents import pad_workers
from epg_tf.rivals.adaptation.policy import AdaptablePolicy

_FEWEST = 4  # workers; with fewer TensorFlow adds in another order


class Batch(NamedTuple):
    """T steps of W workers: the data of an inner step.

    Attributes:
        observation: Normalised observations, [W, T, S].
        action: [W, T, A], or [W, T] action numbers.
        advantage: [W, T].
        log_prob: log pi(a | s) of the weights that acted, [W, T].
    """

    observation: Any
    action: Any
    advantage: Any
    log_prob: Any


def surrogate(policy: AdaptablePolicy, weights: Sequence[tf.Tensor], batch: Batch) -> tf.Tensor:
    """Returns L(theta) = -mean_t(A_t pi(a_t | s_t; theta) / pi(a_t | s_t)), [W].

    At the weights that acted, its gradient equals that of `-mean_t(A_t log pi)`. But only L has the
    policy gradient's derivative as its second derivative (Rothfuss et al. 2019), and only L still
    has a policy gradient as its gradient at other weights.
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
    """Returns the adapted weights theta' of W workers.

    Args:
        policy: pi.
        weights: theta, [W, ...] each.
        batch: The steps of the workers.
        step_size: alpha.
        first_order: True to differentiate theta' as if the gradient in it were constant.
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
    """The compiled inner step for NumPy arrays; the result of a worker does not depend on W."""

    def __init__(self, policy: AdaptablePolicy):
        """Prepares the step, which its first call compiles."""
        self._policy = policy
        self._log_prob = tf.function(policy.log_prob, reduce_retracing=True)
        self._adapted = tf.function(
            lambda weights, batch, size: adapted(policy, weights, batch, size),
            reduce_retracing=True,
        )

    def log_prob(
        self, weights: Sequence[np.ndarray], observation: np.ndarray, action: np.ndarray
    ) -> np.ndarray:
        """Returns the log-probabilities, [W, T]; see `AdaptablePolicy.log_prob`."""
        wide = _widened([*weights, observation, action])
        return self._log_prob(wide[:-2], *wide[-2:]).numpy()[: len(observation)]

    def __call__(
        self, weights: Sequence[np.ndarray], batch: Batch, step_size: float
    ) -> list[np.ndarray]:
        """Returns the adapted weights theta' of all workers, [W, ...] each."""
        wide, rows = _widened(weights), Batch(*_widened(batch))
        found = self._adapted(wide, rows, tf.constant(step_size, tf.float32))
        return [weight.numpy()[: len(batch.advantage)] for weight in found]


def _widened(arrays: Sequence) -> list[tf.Tensor]:
    """Returns arrays [W, ...] as tensors, padded to at least `_FEWEST` workers."""
    width = max(_FEWEST, len(arrays[-1]))
    return [tf.constant(pad_workers(array, width)) for array in arrays]
