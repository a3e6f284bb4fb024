"""phi as the native gradient steps take it: what is the same in all of an update's is done once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.inputs import input_shapes
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.native.descend import Contexts, Losses
from epg_tf.tasks.family import TaskFamily


class NativePhi:
    """The losses of W workers, and which of their inputs a gradient step changes.

    The policy's mean differs from step to step of a life; its log standard deviation and a memory
    that is trained, which come in this order, are steady there; all else is constant.
    """

    def __init__(self, settings: InnerLoop, family: TaskFamily):
        """Takes the inputs apart.

        Args:
            settings: The settings of the lifetimes.
            family: For the sizes of observations and actions.
        """
        self._settings = settings
        places: dict[str, np.ndarray] = {}
        at = 0
        for name, (_, size) in input_shapes(settings, family).items():
            if name != "mask":
                places[name] = np.arange(at, at + size)
                at += size
        self._size = at
        self._mean = places.pop("policy_mean")
        self._steady = places.pop("policy_log_std")
        if settings.train_memory and "memory" in places:
            self._steady = np.concatenate([self._steady, places.pop("memory")])
        self._constant = np.concatenate([np.empty(0, np.int64), *places.values()])
        self._constant_names = list(places)

    def assign(self, phi: Sequence[np.ndarray], memory: np.ndarray) -> None:
        """Gives the workers their losses.

        Args:
            phi: The variables of the loss, [W, ...] each, in its order.
            memory: The memories, [W, 1, U], which count where they are not trained.
        """
        *before, self._kernel, self._bias, self._out, self._last_bias = phi
        pairs = list(zip(before[::2], before[1::2], strict=True))
        self._convolutions, self._to_context = pairs[:-1], pairs[-1:]
        self._memory = memory

    def before_update(self, batch: UpdateBatch) -> tuple[Losses, Contexts]:
        """The losses before the gradient steps on a batch."""
        settings, num_steps = self._settings.learned_loss, self._settings.steps_per_update
        constant, kernel, bias = self._constant_inputs(batch), self._kernel, self._bias
        to_hidden = kernel[:, self._size :]
        with np.errstate(invalid="ignore", over="ignore"):  # as a worker that diverges has
            for of_context, its_bias in self._to_context:
                bias = bias + np.matmul(its_bias, to_hidden)
                to_hidden = np.matmul(of_context, to_hidden)
            features = np.matmul(constant[:, -num_steps:], kernel[:, self._constant]) + bias
            contexts = self._contexts(batch, constant, to_hidden)
        losses = Losses(
            features=features,
            to_mean=np.ascontiguousarray(kernel[:, self._mean]),
            to_steady=np.ascontiguousarray(kernel[:, self._steady]),
            out=np.ascontiguousarray(self._out[:, :, 0]),
            bias=np.ascontiguousarray(self._last_bias[:, 0, 0]),
            smooth=settings.activation == "silu",
            slope=np.float32(settings.leaky_slope),
        )
        return losses, contexts

    def _constant_inputs(self, batch: UpdateBatch) -> np.ndarray:
        """What is constant of each step of the buffer, [W, N, ...]."""
        shape = batch.observation.shape[:2]
        inputs = [np.empty((*shape, 0), np.float32)]
        for name in self._constant_names:
            value = self._memory if name == "memory" else getattr(batch, name)
            inputs.append(np.broadcast_to(value, (*shape, value.shape[2])))
        return np.concatenate(inputs, axis=2)

    def _contexts(
        self, batch: UpdateBatch, constant: np.ndarray, to_hidden: np.ndarray
    ) -> Contexts:
        settings, (workers, length, _) = self._settings.learned_loss, constant.shape
        # A buffer that is full looks the same from everywhere: one position stands for all.
        mask = np.ones((workers, length, 1), np.float32) if batch.mask is None else batch.mask
        steady = np.empty((workers, 0, len(self._steady), 0), np.float32)
        shapes, kernels, inputs = [], [], []
        for (kernel, bias), (width, stride, channels) in zip(
            self._convolutions, settings.convolutions, strict=False
        ):
            if not shapes:
                frames = _frames(constant * mask, width, stride)
                from_constant = _flat(kernel[:, :, self._constant]).reshape(workers, -1, channels)
                inputs.append(np.matmul(frames, from_constant) + bias)
                is_there = _frames(mask, width, stride)[:, : 1 if batch.mask is None else None]
                of_steady = kernel[:, :, self._steady]
                steady = np.einsum("wlk,wkdc->wldc", is_there, of_steady)
                kernel = kernel[:, :, self._mean]
                length = inputs[0].shape[1]
            else:
                length = (length - width) // stride + 1
                inputs.append(np.repeat(bias, length, axis=1))
            shapes.append((width, stride, *kernel.shape[2:], length))
            kernels.append(kernel)
        nothing = [np.empty((workers, 0), np.float32)]
        return Contexts(
            shapes=np.array(shapes, np.int64).reshape(-1, 5),
            kernels=np.concatenate([*nothing, *map(_flat, kernels)], axis=1),
            constant=np.concatenate([*nothing, *map(_flat, inputs)], axis=1),
            to_steady=np.ascontiguousarray(steady),
            mask=np.ascontiguousarray(mask[:, :, 0]),
            pooled=settings.pooling == "mean",
            to_hidden=np.ascontiguousarray(to_hidden),
        )


def _frames(values: np.ndarray, width: int, stride: int) -> np.ndarray:
    """Frames of [W, N, D], as a convolution meets them, [W, L, width D]."""
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=1)[:, ::stride]
    return windows.swapaxes(2, 3).reshape(*windows.shape[:2], -1)


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)
