"""Forward and backward pass of f_context: one loss's temporal convolutions over a buffer.

Two dense layers follow them: to the context, and on to the per-step network's hidden layer. They
are merged into one because no activation separates them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import add_frames, add_product, copy, dot
from epg_tf.native.compiler import compiled
from epg_tf.native.loss import activate


class Contexts(NamedTuple):
    """The temporal convolutions of W losses, with L positions and C channels each.

    Attributes:
        shapes: Width, stride, input channels, output channels and positions of each convolution,
            [convolutions, 5]; no rows without a context. The first one's input is the policy's
            mean.
        kernels: Kernels [width, in, out], flat and concatenated, [W, ...] float32.
        constant: Terms [L, C] that no gradient step changes, flat and concatenated, [W, ...]
            float32: the biases, plus constant inputs times kernel in the first convolution.
        to_per_update: The first kernel's rows for time-invariant inputs (see `Losses`), summed over
            each frame, [W, L, D, C] float32; [W, 1, D, C] if all frames are alike.
        mask: 1 for a step of the buffer, 0 for padding, [W, N] float32.
        pooled: True to average over positions.
        to_hidden: The merged dense layer from the last convolution to the per-step network's
            hidden layer, [W, C or L C, H] float32.
    """

    shapes: np.ndarray
    kernels: np.ndarray
    constant: np.ndarray
    to_per_update: np.ndarray
    mask: np.ndarray
    pooled: bool
    to_hidden: np.ndarray


@compiled
def add_context(contexts, losses, w, mean, per_update, masked, reached, slopes, common):
    """Adds the contribution of worker w's context to the hidden layer's input.

    Args:
        contexts: The convolutions.
        losses: The losses, which set the activation.
        w: The worker.
        mean: The policy's means on the whole buffer, [N, A].
        per_update: The time-invariant inputs, [D].
        masked: Overwritten with the means, 0 on padding, [N, A].
        reached: Overwritten with the convolutions' outputs, laid out like `Contexts.constant`.
        slopes: Overwritten with the slopes of their activations.
        common: The hidden layer's input, added to, [H].
    """
    for t in range(mean.shape[0]):
        for a in range(mean.shape[1]):
            masked[t, a] = mean[t, a] * contexts.mask[w, t]
    before = masked.reshape(masked.size)
    at, at_kernel = 0, 0
    channels, length = 0, 0
    for layer in range(contexts.shapes.shape[0]):
        width, stride, fan_in, channels, length = contexts.shapes[layer]
        end = at + length * channels
        flat = reached[at:end]
        copy(contexts.constant[w, at:end], flat)
        values = flat.reshape((length, channels))
        if layer == 0:
            _add_per_update(contexts.to_per_update[w], per_update, values)
        kernel, at_kernel = _kernel(contexts.kernels[w], at_kernel, width * fan_in, channels)
        add_frames(before, stride * fan_in, kernel, values)
        activate(flat, slopes[at:end], losses.smooth, losses.slope)
        before, at = flat, end
    to_hidden = contexts.to_hidden[w]
    if contexts.pooled:
        share = np.float32(1.0 / length)
        for position in range(length):
            for c in range(channels):
                factor = share * before[position * channels + c]
                for j in range(common.shape[0]):
                    common[j] += factor * to_hidden[c, j]
    else:
        add_product(before, to_hidden, common)


@compiled
def add_context_gradient(contexts, w, slopes, total_slopes, errors, of_masked, error, of_log_std):
    """Adds the context's part to the policy's gradients; the memory counts as constant in it.

    Args:
        contexts: The convolutions.
        w: The worker.
        slopes: The slopes from `add_context`.
        total_slopes: The gradient with respect to the hidden layer's common input, [H].
        errors: Scratch space, as large as `slopes`.
        of_masked: Scratch space, [N, A].
        error: The gradient with respect to the policy's means, added to, [N, A].
        of_log_std: The gradient with respect to its log standard deviation, added to, [A].
    """
    last = contexts.shapes.shape[0] - 1
    _, _, _, channels, length = contexts.shapes[last]
    to_hidden, end = contexts.to_hidden[w], errors.shape[0]
    at = end - length * channels
    if contexts.pooled:
        for c in range(channels):
            of_channel = dot(to_hidden[c], total_slopes) / np.float32(length)
            for position in range(length):
                errors[at + position * channels + c] = of_channel
    else:
        for i in range(end - at):
            errors[at + i] = dot(to_hidden[i], total_slopes)
    at_kernel = contexts.kernels.shape[1]
    of_masked[:] = np.float32(0.0)
    for layer in range(last, -1, -1):
        width, stride, fan_in, channels, length = contexts.shapes[layer]
        at = end - length * channels
        for i in range(at, end):
            errors[i] *= slopes[i]
        mine = errors[at:end].reshape((length, channels))
        at_kernel -= width * fan_in * channels
        kernel, _ = _kernel(contexts.kernels[w], at_kernel, width * fan_in, channels)
        earlier = of_masked.reshape(of_masked.size)
        if layer > 0:
            earlier = errors[at - contexts.shapes[layer - 1, 4] * fan_in : at]
            earlier[:] = np.float32(0.0)
        for position in range(length):
            for i in range(width * fan_in):
                earlier[position * stride * fan_in + i] += dot(kernel[i], mine[position])
        if layer == 0:
            _add_per_update_gradient(contexts.to_per_update[w], mine, of_log_std)
        end = at
    for t in range(error.shape[0]):
        for a in range(error.shape[1]):
            error[t, a] += of_masked[t, a] * contexts.mask[w, t]


@compiled
def _kernel(flat, at, fan_in, fan_out):
    """Returns the kernel [width in, out] at offset `at` of a flat vector, and its end."""
    end = at + fan_in * fan_out
    return flat[at:end].reshape((fan_in, fan_out)), end


@compiled
def _add_per_update(to_per_update, per_update, values):
    """Adds the time-invariant inputs times their kernel rows to the first convolution, [L, C]."""
    shared = np.zeros(values.shape[1], np.float32)
    for position in range(values.shape[0]):
        if position < to_per_update.shape[0]:
            shared[:] = np.float32(0.0)
            add_product(per_update, to_per_update[position], shared)
        for c in range(values.shape[1]):
            values[position, c] += shared[c]


@compiled
def _add_per_update_gradient(to_per_update, errors, of_log_std):
    """Adds the gradient of log std that the first convolution's errors [L, C] give."""
    shared = np.zeros(errors.shape[1], np.float32)
    for position in range(errors.shape[0] - 1, -1, -1):
        for c in range(errors.shape[1]):
            shared[c] += errors[position, c]
        if position < to_per_update.shape[0]:
            for a in range(of_log_std.shape[0]):
                of_log_std[a] += dot(to_per_update[position, a], shared)
            shared[:] = np.float32(0.0)
