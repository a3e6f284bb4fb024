"""Keras layers with a worker axis: W small networks evaluated as one.

Every weight has a leading axis W, so that one batched product serves all workers and the sum of
their losses has W independent gradients. A layer made for one worker broadcasts its weights over
any number of them.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportArgumentType=false, reportAssignmentType=false

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

_VECTOR = 8  # numbers that a processor multiplies at once

KernelRule = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def unit_columns(gain: float = 1.0) -> KernelRule:
    """Returns a rule for Gaussian kernels whose columns, one per output, have the norm `gain`."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        kernel = rng.standard_normal(shape)
        return gain * kernel / np.linalg.norm(kernel, axis=0, keepdims=True)

    return draw


def lecun_normal() -> KernelRule:
    """Returns a rule for Gaussian kernels of variance 1 / fan-in (LeCun et al. 1998)."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))

    return draw


class WorkerLayer(tf.keras.layers.Layer):
    """A layer with a kernel and a bias per worker; subclasses apply them to inputs."""

    def __init__(
        self,
        num_workers: int,
        units: int,
        kernel_rule: KernelRule,
        activation: Callable | None = None,
    ):
        super().__init__()
        self.num_workers = num_workers
        self.units = units
        self._kernel_rule = kernel_rule
        self._activation = activation

    def add_kernel(self, *shape: int) -> None:
        """Adds kernel [W, *shape, units] and bias [W, 1, units]."""
        self.kernel = self.add_weight(
            "kernel", [self.num_workers, *shape, self.units], initializer="zeros"
        )
        self.bias = self.add_weight("bias", [self.num_workers, 1, self.units], initializer="zeros")

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws one worker's initial weights from its generator, in the order of `weights`."""
        kernel = self._kernel_rule(rng, tuple(self.kernel.shape[1:]))
        return [kernel.astype(np.float32), np.zeros(self.bias.shape[1:], np.float32)]

    def activate(self, outputs: tf.Tensor) -> tf.Tensor:
        """Adds the bias and applies the activation."""
        outputs += self.bias
        return outputs if self._activation is None else self._activation(outputs)


class WorkerDense(WorkerLayer):
    """A dense layer per worker over the concatenation of its inputs.

    An input that does not vary in time may have length 1 on the time axis. It is multiplied once
    and broadcast, which saves most of the learned loss's arithmetic.
    """

    def build(self, input_shape) -> None:
        """Makes kernel [W, sum of input sizes, units] and bias [W, 1, units]."""
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        self._sizes = [int(shape[-1]) for shape in shapes]
        self.add_kernel(sum(self._sizes))
        super().build(input_shape)

    def call(self, inputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps [W, T, in], or a list of [W, T or 1, in_i], to [W, T, units]."""
        parts = _by_length(inputs, tf.split(self.kernel, self._sizes, axis=1))
        return self.activate(sum_broadcast(_product(*part) for part in parts))


class WorkerBilinear(WorkerDense):
    """The inner product of the first input with a dense layer of the others; zero at the start."""

    def __init__(self, num_workers: int):
        super().__init__(num_workers, 0, lambda _, shape: np.zeros(shape))

    def build(self, input_shape: list) -> None:
        """Makes kernel [W, sum of the other inputs' sizes, size of the first] and its bias."""
        self.units = int(input_shape[0][-1])
        super().build(input_shape[1:])

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps [W, T or 1, A] and [W, T or 1, in_i] to [W, T]."""
        first, *others = inputs
        return tf.reduce_sum(first * super().call(others), axis=2)


class WorkerConv1D(WorkerLayer):
    """A temporal convolution per worker ("valid" padding) over the concatenation of its inputs.

    It cuts the input into strided frames and multiplies these by the kernels in one product.
    """

    def __init__(self, num_workers: int, filters: int, width: int, stride: int, **kwargs):
        super().__init__(num_workers, filters, **kwargs)
        self.width = width
        self.stride = stride

    def build(self, input_shape) -> None:
        """Makes kernel [W, width, sum of input sizes, filters] and bias [W, 1, filters]."""
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        self._sizes = [int(shape[-1]) for shape in shapes]
        self.add_kernel(self.width, sum(self._sizes))
        super().build(input_shape)

    def output_length(self, length: int) -> int:
        """Returns the number of positions on an input of `length` steps."""
        return (length - self.width) // self.stride + 1

    def call(self, inputs: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps [W, T, in], or a list of [W, T or 1, in_i], to [W, output_length(T), filters]."""
        inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        kernels = tf.split(self.kernel, self._sizes, axis=2)
        return self.activate(sum_broadcast(map(self._convolve, inputs, kernels)))

    def _convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if inputs.shape[1] == 1 and self.width > 1:  # constant in time: every frame is the same
            return tf.matmul(inputs, tf.reduce_sum(kernel, axis=1))
        frames = tf.signal.frame(inputs, self.width, self.stride, axis=1)  # [W, L, width, in]
        size = self.width * int(inputs.shape[-1])
        frames = tf.reshape(frames, [-1, self.output_length(int(inputs.shape[1])), size])
        return _product(frames, tf.reshape(kernel, [self.num_workers, size, self.units]))


def _by_length(
    inputs: tf.Tensor | Sequence[tf.Tensor], kernels: Sequence[tf.Tensor]
) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Concatenates inputs of the same length in time, and their kernels, into pairs of these.

    One wide product is faster than several narrow ones. Above all, XLA would compute the gradient
    of a narrow input number by number.
    """
    inputs = inputs if isinstance(inputs, (list, tuple)) else [inputs]
    pairs: dict[int | None, list] = {}
    for tensor, kernel in zip(inputs, kernels, strict=True):
        pairs.setdefault(tensor.shape[1], []).append((tensor, kernel))
    return [
        (tf.concat(tensors, axis=2), tf.concat(kernels, axis=1))
        for tensors, kernels in (zip(*pair, strict=True) for pair in pairs.values())
    ]


def _product(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Multiplies [W, T, in] by [W or 1, in, units]; a single kernel needs no batched product.

    A narrow kernel is padded to a vector's width, since XLA would multiply it number by number.
    """
    units = int(kernel.shape[2])
    if 1 < units < _VECTOR:
        return _product(inputs, tf.pad(kernel, [[0, 0], [0, 0], [0, _VECTOR - units]]))[..., :units]
    if kernel.shape[0] != 1 or inputs.shape[0] == 1:
        return tf.matmul(inputs, kernel)
    rows = tf.matmul(tf.reshape(inputs, [-1, inputs.shape[2]]), kernel[0])
    return tf.reshape(rows, [-1, inputs.shape[1], units])


def sum_broadcast(terms) -> tf.Tensor:
    """Sums [W, T or 1, units] tensors; adds those of length 1 first, before broadcasting."""
    terms = sorted(terms, key=lambda term: -1 if term.shape[1] is None else term.shape[1])
    total = terms[0]
    for term in terms[1:]:
        total += term
    return total
