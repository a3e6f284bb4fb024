"""phi for the native gradient steps: terms constant during an update are computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.inputs import input_shapes
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.native.descend import Contexts, Losses
from epg_tf.tasks.family import Spaces


class NativePhi:
    """The losses of W workers, with three kinds of inputs.

    The policy's mean differs between steps. Its log standard deviation and then a trained memory
    are time-invariant (`per_update`). Gradient steps do not change the other, constant inputs.

    Attributes:
        trains_memory: True if gradient steps reach the memory.
    """

    def __init__(self, settings: InnerLoop, spaces: Spaces):
        """Sorts the inputs by kind.

        Args:
            settings: The settings of the lifetimes.
            spaces: The spaces of observations and actions.
        """
        self._settings = settings
        self._loss = build_loss(settings, spaces)
        self.trains_memory = settings.train_memory and "memory" in settings.learned_loss.inputs
        places: dict[str, np.ndarray] = {}
        at = 0
        for name, (_, size) in input_shapes(settings, spaces).items():
            if name != "mask":
                places[name] = np.arange(at, at + size)
                at += size
        self._size = at
        self._mean = places.pop("policy_mean")
        self._per_update = places.pop("policy_log_std")
        if self.trains_memory:
            self._per_update = np.concatenate([self._per_update, places.pop("memory")])
        self._constant = np.concatenate([np.empty(0, np.int64), *places.values()])
        self._constant_names = list(places)
        sizes = [len(place) for place in places.values()]
        self._multiplied = np.flatnonzero(np.repeat([name != "memory" for name in places], sizes))

    def assign(self, phi: np.ndarray) -> None:
        """Gives the workers their losses phi [W, P]."""
        parts = [part.numpy() for part in self._loss.parts(phi)]
        self._factor = np.empty((len(phi), self._multiplied.size, 0), np.float32)
        self._factor_bias = np.empty((len(phi), 1, 0), np.float32)
        if self._settings.learned_loss.bilinear:
            *parts, self._factor, self._factor_bias = parts
        *before, kernel, bias, out, last_bias = parts
        pairs = list(zip(before[::2], before[1::2], strict=True))
        to_hidden = kernel[:, self._size :]
        for of_context, its_bias in pairs[-1:]:
            bias = bias + np.matmul(its_bias, to_hidden)
            to_hidden = np.matmul(of_context, to_hidden)
        self._bias = bias
        self._from_constant = kernel[:, self._constant]
        settings = self._settings.learned_loss
        self._losses = Losses(
            features=np.empty((len(bias), 0, 0), np.float32),
            factors=np.empty((len(bias), 0, 0), np.float32),
            to_mean=np.ascontiguousarray(kernel[:, self._mean]),
            to_per_update=np.ascontiguousarray(kernel[:, self._per_update]),
            out=np.ascontiguousarray(out[:, :, 0]),
            bias=np.ascontiguousarray(last_bias[:, 0, 0]),
            smooth=settings.activation == "silu",
            slope=np.float32(settings.leaky_slope),
            mean_penalty=np.float32(settings.mean_penalty),
            log_std_penalty=np.float32(settings.log_std_penalty),
        )
        self._contexts = self._lay_out(pairs[:-1], np.ascontiguousarray(to_hidden))

    def before_update(self, batch: UpdateBatch, memory: np.ndarray) -> tuple[Losses, Contexts]:
        """Returns losses and contexts for the gradient steps on a batch.

        Args:
            batch: The batch of the update.
            memory: The memories, [W, 1, U]; used only if they are not trained.
        """
        constant = self._constant_inputs(batch, memory)
        newest = constant[:, -self._settings.steps_per_update :]
        with np.errstate(invalid="ignore", over="ignore"):  # from diverging workers
            features = np.matmul(newest, self._from_constant) + self._bias
            factors = np.matmul(newest[:, :, self._multiplied], self._factor) + self._factor_bias
            contexts = (
                self._seeing(batch, constant) if len(self._contexts.shapes) else self._contexts
            )
        return self._losses._replace(features=features, factors=factors), contexts

    def _constant_inputs(self, batch: UpdateBatch, memory: np.ndarray) -> np.ndarray:
        """Returns the constant inputs of each step of the buffer, [W, N, ...]."""
        shape = batch.observation.shape[:2]
        inputs = [np.empty((*shape, 0), np.float32)]
        for name in self._constant_names:
            value = memory if name == "memory" else getattr(batch, name)
            inputs.append(np.broadcast_to(value, (*shape, value.shape[2])))
        return np.concatenate(inputs, axis=2)

    def _lay_out(
        self, convolutions: Sequence[tuple[np.ndarray, np.ndarray]], to_hidden: np.ndarray
    ) -> Contexts:
        """Returns the temporal convolutions, kernel and bias each, before they see a buffer."""
        workers, length = len(to_hidden), self._settings.buffer_size
        settings = self._settings.learned_loss
        shapes, kernels, biases = [], [], [np.empty((workers, 0), np.float32)]
        for (kernel, bias), (width, stride, channels) in zip(
            convolutions, settings.convolutions, strict=False
        ):
            length = (length - width) // stride + 1
            if not shapes:
                of_constant = _flat(kernel[:, :, self._constant])
                self._first = of_constant.reshape(workers, -1, channels), bias
                self._of_per_update = kernel[:, :, self._per_update]
                kernel = kernel[:, :, self._mean]
            else:
                biases.append(_flat(np.repeat(bias, length, axis=1)))
            shapes.append((width, stride, *kernel.shape[2:], length))
            kernels.append(_flat(kernel))
        return Contexts(
            shapes=np.array(shapes, np.int64).reshape(-1, 5),
            kernels=np.concatenate([np.empty((workers, 0), np.float32), *kernels], axis=1),
            constant=np.concatenate(biases, axis=1),
            to_per_update=np.empty((workers, 0, 0, 0), np.float32),
            mask=np.ones((workers, self._settings.buffer_size), np.float32),
            pooled=settings.pooling == "mean",
            to_hidden=to_hidden,
        )

    def _seeing(self, batch: UpdateBatch, constant: np.ndarray) -> Contexts:
        """Returns the temporal convolutions for a buffer with constant inputs [W, N, ...]."""
        contexts = self._contexts
        kernel, bias = self._first
        width, stride = contexts.shapes[0, :2]
        if batch.mask is None:  # all frames see the same time-invariant inputs
            per_update = self._of_per_update.sum(axis=1, keepdims=True)
        else:
            constant = constant * batch.mask
            contexts = contexts._replace(mask=np.ascontiguousarray(batch.mask[:, :, 0]))
            frames = _frames(batch.mask, width, stride)
            per_update = np.einsum("wlk,wkdc->wldc", frames, self._of_per_update)
        first = np.matmul(_frames(constant, width, stride), kernel) + bias
        return contexts._replace(
            constant=np.concatenate([_flat(first), contexts.constant], axis=1),
            to_per_update=np.ascontiguousarray(per_update),
        )


def _frames(values: np.ndarray, width: int, stride: int) -> np.ndarray:
    """Returns the frames of [W, N, D] that a convolution takes, [W, L, width D]."""
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=1)[:, ::stride]
    return windows.swapaxes(2, 3).reshape(*windows.shape[:2], -1)


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)
