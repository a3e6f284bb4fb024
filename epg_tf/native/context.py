"""f_context, forwards and backwards: the temporal convolutions of one loss over a buffer.

The dense layers behind them, to the context and from it to the per-step network's hidden layer, are
one here: nothing is between them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import add_frames, add_product, copy, dot
from epg_tf.native.compiler import compiled
from epg_tf.native.loss import activate


class Contexts(NamedTuple):
    """The temporal convolutions of W losses; L positions and C channels each.

    Attributes:
        shapes: Width, stride, and channels of input and output of each convolution, and how many
            positions it has, [convolutions, 5]; no rows where there is no context. The input of the
            first is the policy's mean.
        kernels: Their kernels [width, in, out], flat and one behind the other, [W, ...] float32.
        constant: What is constant in their inputs during an update, of the first the products with
            all that is, [L, C] each, flat and one behind the other, [W, ...] float32.
        to_steady: The first kernel's rows for what is steady, summed over a frame, [W, L, D, C]
            float32; [W, 1, D, C] where all frames have the same.
        mask: 1 where the buffer holds a step, 0 where it is padded, [W, N] float32.
        pooled: Whether positions are averaged.
        to_hidden: From what the last convolution gave to the per-step network's hidden layer,
            [W, C or L C, H] float32.
    """

    shapes: np.ndarray
    kernels: np.ndarray
    constant: np.ndarray
    to_steady: np.ndarray
    mask: np.ndarray
    pooled: bool
    to_hidden: np.ndarray


@compiled
def add_context(contexts, losses, w, mean, steady, masked, reached, slopes, common):
    """Adds what worker w's context gives to the hidden layer's input.

    Args:
        contexts: The convolutions.
        losses: For the activation.
        w: Whose.
        mean: The policy's means on the whole buffer, [N, A].
        steady: What is steady, [D].
        masked: Filled in with the means that are seen, [N, A].
        reached: Filled in with what the convolutions gave, as `Contexts.constant` is laid out.
        slopes: Filled in with their activations' slopes.
        common: What is added to, [H].
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
            _add_steady(contexts.to_steady[w], steady, values)
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
    """Adds what goes through the context to gradients; the memory is held there.

    Args:
        contexts: The convolutions.
        w: Whose.
        slopes: As `add_context` filled them in.
        total_slopes: The gradient with respect to the hidden layer's common input, [H].
        errors: Memory, as large as `slopes`.
        of_masked: Memory, [N, A].
        error: The gradient with respect to the policy's means, [N, A].
        of_log_std: That with respect to its log standard deviation, [A].
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
            _add_steady_gradient(contexts.to_steady[w], mine, of_log_std)
        end = at
    for t in range(error.shape[0]):
        for a in range(error.shape[1]):
            error[t, a] += of_masked[t, a] * contexts.mask[w, t]


@compiled
def _kernel(flat, at, fan_in, fan_out):
    """A kernel [width in, out] in a flat vector, and where it ends."""
    end = at + fan_in * fan_out
    return flat[at:end].reshape((fan_in, fan_out)), end


@compiled
def _add_steady(to_steady, steady, values):
    """Adds what is steady to the input of the first convolution, [L, C]."""
    shared = np.zeros(values.shape[1], np.float32)
    for position in range(values.shape[0]):
        if position < to_steady.shape[0]:
            shared[:] = np.float32(0.0)
            add_product(steady, to_steady[position], shared)
        for c in range(values.shape[1]):
            values[position, c] += shared[c]


@compiled
def _add_steady_gradient(to_steady, errors, of_log_std):
    """Adds what errors [L, C] of the first convolution's input say of the log std."""
    shared = np.zeros(errors.shape[1], np.float32)
    for position in range(errors.shape[0] - 1, -1, -1):
        for c in range(errors.shape[1]):
            shared[c] += errors[position, c]
        if position < to_steady.shape[0]:
            for a in range(of_log_std.shape[0]):
                of_log_std[a] += dot(to_steady[position, a], shared)
            shared[:] = np.float32(0.0)
