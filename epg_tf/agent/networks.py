"""theta: the networks of an agent (Fig. 2, yellow), with a worker axis.

Section 3.3 has an MLP policy, and a memory unit that only the loss sees. Only the guidance uses the
value function. The learned loss sees a policy's output, a tuple of tensors [W, T or 1, size].
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from epg_tf.agent.layers import WorkerDense, unit_columns

OUTPUT_GAIN = 0.01  # small: a policy starts with nearly the same action everywhere
_MEMORY_INPUTS = 64  # length of the vector of ones that feeds the memory


class Multilayer(tf.keras.Model):
    """An MLP per worker, [W, T, in] -> [W, T, outputs], with activations between its layers."""

    def __init__(
        self,
        num_workers: int,
        hidden_sizes: Sequence[int],
        outputs: int,
        output_gain: float = OUTPUT_GAIN,
        activation: Callable[[tf.Tensor], tf.Tensor] = tf.tanh,
    ):
        super().__init__()
        hidden = [
            WorkerDense(num_workers, size, unit_columns(), activation=activation)
            for size in hidden_sizes
        ]
        self.stack = [*hidden, WorkerDense(num_workers, outputs, unit_columns(output_gain))]

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the output of the last layer, which has no activation."""
        for layer in self.stack:
            inputs = layer(inputs)
        return inputs

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws one worker's initial weights, in the order of `weights`."""
        return [array for layer in self.stack for array in layer.draw(rng)]


class Policy(tf.keras.Model, abc.ABC):
    """pi(a | s): maps normalised observations [W, T, S] to a tuple of [W, T or 1, size]."""

    @abc.abstractmethod
    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws one worker's initial weights, in the order of `weights`."""

    @abc.abstractmethod
    def distribution(self, output: tuple[tf.Tensor, ...]) -> tfd.Distribution:  # pyright: ignore[reportInvalidTypeForm]
        """Returns the distribution over actions that an output of the policy describes."""


class GaussianPolicy(Policy):
    """N(mean(s), diag(exp(log_std))^2) over a box of actions; the output is (mean, log_std)."""

    def __init__(
        self,
        num_workers: int,
        action_size: int,
        hidden_sizes: Sequence[int] = (64, 64),
        initial_log_std: float = 0.0,
        mean_activation: str | None = None,
        log_std_bounds: tuple[float, float] | None = None,
    ):
        super().__init__()
        self._initial_log_std = initial_log_std
        self.mean = Multilayer(num_workers, hidden_sizes, action_size)
        self._squashed = mean_activation == "tanh"
        self.log_std = self.add_weight(
            "log_std",
            [num_workers, 1, action_size],
            initializer="zeros",  # pyright: ignore[reportCallIssue]
            # Clips after each gradient step; clipping in `call` would stop gradients out of bounds.
            constraint=None if log_std_bounds is None else _within(*log_std_bounds),
        )

    def call(self, observation: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the mean [W, T, A] and the log standard deviation [W, 1, A]."""
        mean = self.mean(observation)
        if self._squashed:
            mean = tf.tanh(mean)
        return mean, tf.convert_to_tensor(self.log_std)

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws one worker's initial weights, in the order of `weights`."""
        log_std = np.full(self.log_std.shape[1:], self._initial_log_std, np.float32)
        return [*self.mean.draw(rng), log_std]

    def distribution(self, output: tuple[tf.Tensor, ...]) -> tfd.Distribution:  # pyright: ignore[reportInvalidTypeForm]
        """Returns a distribution of batch shape [W, T] over actions [A]."""
        mean, log_std = output
        return tfd.Independent(tfd.Normal(mean, tf.exp(log_std) * tf.ones_like(mean)), 1)


class CategoricalPolicy(Policy):
    """A distribution over a finite set of actions; the output is (log-probabilities,)."""

    def __init__(self, num_workers: int, num_actions: int, hidden_sizes: Sequence[int] = (64, 64)):
        super().__init__()
        self.logits = Multilayer(num_workers, hidden_sizes, num_actions)

    def call(self, observation: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the log-probabilities [W, T, num_actions]."""
        return (tf.nn.log_softmax(self.logits(observation)),)

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws one worker's initial weights, in the order of `weights`."""
        return self.logits.draw(rng)

    def distribution(self, output: tuple[tf.Tensor, ...]) -> tfd.Distribution:  # pyright: ignore[reportInvalidTypeForm]
        """Returns a distribution of batch shape [W, T] over action numbers."""
        return tfd.Categorical(logits=output[0])


class Memory(tf.keras.Model):
    """One layer of tanh units fed by a constant vector of ones (section 3.3)."""

    def __init__(self, num_workers: int, units: int = 32):
        super().__init__()
        self._constant = tf.ones([1, 1, _MEMORY_INPUTS])
        self.layer = WorkerDense(num_workers, units, unit_columns(), activation=tf.tanh)
        self.layer.build(self._constant.shape)

    def call(self, inputs: None = None) -> tf.Tensor:
        """Returns the memory [W, 1, units]; it has no inputs."""
        del inputs
        return self.layer(self._constant)

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws one worker's initial weights, in the order of `weights`."""
        return self.layer.draw(rng)


def _within(low: float, high: float) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda values: tf.clip_by_value(values, low, high)


def draw_weights(model, generators: Sequence[np.random.Generator]) -> list[np.ndarray]:
    """Draws a network's initial weights for all workers, worker w's from `generators[w]` alone.

    Returns:
        One array [W, ...] per variable, in the order of `model.weights`.
    """
    drawn = [model.draw(rng) for rng in generators]
    return [np.stack(arrays) for arrays in zip(*drawn, strict=True)]
