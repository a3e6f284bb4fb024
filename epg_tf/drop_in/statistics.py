"""Mean and standard deviation of an agent's samples, running or fixed, as TensorFlow modules."""

# pyright: reportOperatorIssue=false, reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf


class LifetimeStatistics(tf.Module):
    """Sums over an agent's samples; `normalisation` in `loss.json` sets their initial values."""

    def __init__(self, size: int, rule: Mapping[str, Any]):
        """Starts without data.

        Args:
            size: The length of a sample.
            rule: The `normalisation` of `loss.json`.
        """
        super().__init__()
        prior = float(rule["prior_count"])
        self._floor = rule["std_floor"]
        self._count = tf.Variable(tf.constant(prior, tf.float64))
        self._total = tf.Variable(tf.zeros([size], tf.float64))
        self._total_of_squares = tf.Variable(tf.fill([size], tf.constant(prior, tf.float64)))

    def normalise(self, samples: tf.Tensor) -> tf.Tensor:
        """Maps samples [..., size] to (samples - mean) / max(std, floor), float32."""
        mean = self._total / self._count
        variance = self._total_of_squares / self._count - tf.square(mean)
        std = tf.sqrt(tf.maximum(variance, self._floor**2))
        return tf.cast((tf.cast(samples, tf.float64) - mean) / std, tf.float32)

    def update(self, samples: tf.Tensor) -> None:
        """Adds samples [T, size]."""
        samples = tf.cast(samples, tf.float64)
        self._count.assign_add(tf.cast(tf.shape(samples)[0], tf.float64))
        self._total.assign_add(tf.reduce_sum(samples, axis=0))
        self._total_of_squares.assign_add(tf.reduce_sum(tf.square(samples), axis=0))


class FixedStatistics(tf.Module):
    """A fixed mean and standard deviation: `normalisation.observation` in `loss.json`."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        self._mean, self._std = tf.constant(mean, tf.float64), tf.constant(std, tf.float64)

    def normalise(self, samples: tf.Tensor) -> tf.Tensor:
        """Maps samples [..., size] to (samples - mean) / std, float32."""
        return tf.cast((tf.cast(samples, tf.float64) - self._mean) / self._std, tf.float32)

    def update(self, samples: tf.Tensor) -> None:
        """Ignores samples [T, size]."""
