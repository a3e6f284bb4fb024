"""Algorithm 1, line 12, in one call: an update's gradient steps of W agents on their losses.

For the standard agent (tanh between dense layers, a Gaussian whose log standard deviation is a
parameter) and losses of single steps without context or memory. The gradient is written by hand,
layer by layer; a worker takes all of its steps before the next one's turn, so that its parameters
stay in the cache. What it is held to is `inner_loop.learner`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import (
    add_product,
    add_products,
    add_transposed_product,
    dot,
    tanh_in_place,
)
from epg_tf.native.compiler import compiled

_WIDE = 8  # numbers that a processor multiplies at once


class Parameters(NamedTuple):
    """theta and its Adam, of W agents.

    Attributes:
        theta: Kernel and bias of each layer by turns, then log std, [W, P] float32.
        m: The mean of gradients, [W, P] float32.
        v: The mean of their squares, [W, P] float32.
        sizes: Of the layers, from the observation to the mean, [layers + 1].
        squashed: Whether the mean goes through tanh.
        lowest: What log std cannot be less than.
        highest: What it cannot be more than.
        epsilon: Adam's.
        beta_1: Adam's.
        beta_2: Adam's.
    """

    theta: np.ndarray
    m: np.ndarray
    v: np.ndarray
    sizes: np.ndarray
    squashed: bool
    lowest: np.float32
    highest: np.float32
    epsilon: np.float32
    beta_1: np.float32
    beta_2: np.float32


class Losses(NamedTuple):
    """phi of W losses, as they see single steps.

    Attributes:
        features: What is constant in the hidden layer's input, from all but the policy, and its
            bias, [W, M, H] float32.
        to_mean: The hidden kernel's rows for the policy's mean, [W, A, H] float32.
        to_log_std: The same for its log standard deviation.
        out: From the hidden layer to the loss, [W, H] float32.
        bias: Of the loss, [W] float32.
        smooth: Whether the hidden layer is SiLU; leaky ReLU otherwise.
        slope: Of a leaky ReLU below 0.
    """

    features: np.ndarray
    to_mean: np.ndarray
    to_log_std: np.ndarray
    out: np.ndarray
    bias: np.ndarray
    smooth: bool
    slope: np.float32


@compiled
def descend(parameters, losses, observation, minibatches, rates, loss, diverged):
    """Takes the gradient steps of an update.

    Args:
        parameters: theta and its Adam, changed.
        losses: phi.
        observation: Normalised, [W, M, S] float32.
        minibatches: Which steps each gradient step is on, [W, steps, B] int32.
        rates: Adam's step sizes, with its correction, [steps] float32.
        loss: Filled in with the mean of L_phi over the gradient steps, [W] float32.
        diverged: Set where a step was not finite and thus not taken, [W] bool.
    """
    num_workers, num_gradient_steps, size = minibatches.shape
    sizes = parameters.sizes
    num_layers, count = sizes.shape[0] - 1, parameters.theta.shape[1]
    num_actions = sizes[num_layers]
    width = losses.out.shape[1]
    # Where each layer's kernel is in theta, and where its outputs are among the activations.
    at = np.zeros(num_layers + 1, np.int64)
    for layer in range(num_layers):
        at[layer + 1] = at[layer] + (sizes[layer] + 1) * sizes[layer + 1]
    widest = sizes.max()
    outputs = np.empty((num_layers + 1, size * widest), np.float32)
    errors = np.empty((2, size * widest), np.float32)
    transposed = np.empty(widest * widest, np.float32)
    hidden, slopes = np.empty(width, np.float32), np.empty(width, np.float32)
    common = np.empty(width, np.float32)
    total_slopes = np.empty(width, np.float32)
    gradient, step = np.empty(count, np.float32), np.empty(count, np.float32)
    share = np.float32(1.0 / size)
    for w in range(num_workers):
        theta = parameters.theta[w]
        log_std = theta[at[num_layers] :]
        total_loss = np.float32(0.0)
        for k in range(num_gradient_steps):
            rows = minibatches[w, k]
            for b in range(size):
                for i in range(sizes[0]):
                    outputs[0, b * sizes[0] + i] = observation[w, rows[b], i]
            for layer in range(num_layers):
                kernel, bias = _layer(theta, at[layer], sizes[layer], sizes[layer + 1])
                before = outputs[layer, : size * sizes[layer]].reshape((size, sizes[layer]))
                flat = outputs[layer + 1, : size * sizes[layer + 1]]
                after = flat.reshape((size, sizes[layer + 1]))
                if layer < num_layers - 1:
                    for b in range(size):
                        for j in range(sizes[layer + 1]):
                            after[b, j] = bias[j]
                    add_products(before, kernel, after)
                    tanh_in_place(flat)
                else:
                    columns = _transpose(kernel, transposed)
                    for b in range(size):
                        for j in range(num_actions):
                            after[b, j] = bias[j] + dot(before[b], columns[j])
                    if parameters.squashed:
                        tanh_in_place(flat)
            # L_phi, and its gradient with respect to mean and log standard deviation.
            mean = outputs[num_layers, : size * num_actions].reshape((size, num_actions))
            error = errors[num_layers % 2, : size * num_actions].reshape((size, num_actions))
            for j in range(width):
                common[j] = np.float32(0.0)
                total_slopes[j] = np.float32(0.0)
            add_product(log_std, losses.to_log_std[w], common)
            for b in range(size):
                features = losses.features[w, rows[b]]
                for j in range(width):
                    hidden[j] = features[j] + common[j]
                add_product(mean[b], losses.to_mean[w], hidden)
                _activate(hidden, slopes, losses.smooth, losses.slope)
                total_loss += share * (dot(hidden, losses.out[w]) + losses.bias[w])
                for j in range(width):
                    slopes[j] *= losses.out[w, j] * share
                    total_slopes[j] += slopes[j]
                for a in range(num_actions):
                    error[b, a] = dot(slopes, losses.to_mean[w, a])
                    if parameters.squashed:
                        error[b, a] *= np.float32(1.0) - mean[b, a] * mean[b, a]
            for a in range(num_actions):
                gradient[at[num_layers] + a] = dot(total_slopes, losses.to_log_std[w, a])
            for layer in range(num_layers - 1, -1, -1):
                fan_in, fan_out = sizes[layer], sizes[layer + 1]
                before = outputs[layer, : size * fan_in].reshape((size, fan_in))
                error = errors[(layer + 1) % 2, : size * fan_out].reshape((size, fan_out))
                of_kernel, of_bias = _layer(gradient, at[layer], fan_in, fan_out)
                _gradient_of_layer(before, error, of_kernel, of_bias, transposed)
                if layer > 0:
                    kernel, _ = _layer(theta, at[layer], fan_in, fan_out)
                    columns = _transpose(kernel, transposed)
                    flat = errors[layer % 2, : size * fan_in]
                    earlier = flat.reshape((size, fan_in))
                    flat[:] = np.float32(0.0)
                    add_products(error, columns, earlier)
                    reached = outputs[layer, : size * fan_in]
                    for i in range(size * fan_in):
                        flat[i] *= np.float32(1.0) - reached[i] * reached[i]
            if not _adam(parameters, w, gradient, step, rates[k]):
                diverged[w] = True
            for a in range(num_actions):
                log_std[a] = min(max(log_std[a], parameters.lowest), parameters.highest)
        loss[w] = total_loss / np.float32(num_gradient_steps)


@compiled
def _layer(flat, at, fan_in, fan_out):
    """Kernel [in, out] and bias [out] of a layer in a flat vector."""
    end = at + fan_in * fan_out
    return flat[at:end].reshape((fan_in, fan_out)), flat[end : end + fan_out]


@compiled
def _transpose(kernel, memory):
    """The kernel [in, out] as [out, in], in that memory."""
    fan_in, fan_out = kernel.shape
    columns = memory[: fan_in * fan_out].reshape((fan_out, fan_in))
    for j in range(fan_out):
        for i in range(fan_in):
            columns[j, i] = kernel[i, j]
    return columns


@compiled
def _activate(hidden, slopes, smooth, slope):
    """The hidden layer's activation, in place, and its slope there."""
    one, half = np.float32(1.0), np.float32(0.5)
    if smooth:
        for j in range(hidden.shape[0]):
            slopes[j] = half * hidden[j]
        tanh_in_place(slopes)
        for j in range(hidden.shape[0]):
            gate = half + half * slopes[j]
            slopes[j] = gate * (one + hidden[j] * (one - gate))
            hidden[j] *= gate
    else:
        for j in range(hidden.shape[0]):
            slopes[j] = one if hidden[j] > 0 else slope
            hidden[j] *= slopes[j]


@compiled
def _gradient_of_layer(before, error, of_kernel, of_bias, memory):
    """What a layer's inputs [B, in] and its outputs' errors [B, out] make of kernel and bias."""
    fan_in, fan_out = of_kernel.shape
    of_bias[:] = np.float32(0.0)
    for b in range(error.shape[0]):
        for j in range(fan_out):
            of_bias[j] += error[b, j]
    if fan_out < _WIDE:  # the wider of the two makes the inner loops
        columns = memory[: fan_in * fan_out].reshape((fan_out, fan_in))
        columns[:] = np.float32(0.0)
        add_transposed_product(error, before, columns)
        for i in range(fan_in):
            for j in range(fan_out):
                of_kernel[i, j] = columns[j, i]
    else:
        of_kernel[:] = np.float32(0.0)
        add_transposed_product(before, error, of_kernel)


@compiled
def _adam(parameters, w, gradient, step, rate):
    """One step of worker w, unless it is not finite: then as if the gradient were 0."""
    theta, m, v = parameters.theta[w], parameters.m[w], parameters.v[w]
    one = np.float32(1.0)
    to_m, to_v, epsilon = one - parameters.beta_1, one - parameters.beta_2, parameters.epsilon
    for i in range(step.shape[0]):
        g = gradient[i]
        mean, square = m[i] + (g - m[i]) * to_m, v[i] + (g * g - v[i]) * to_v
        step[i] = mean * rate / (np.float32(math.sqrt(square)) + epsilon)
    total = dot(step, step)
    if math.isfinite(total):
        for i in range(step.shape[0]):
            g = gradient[i]
            m[i] += (g - m[i]) * to_m
            v[i] += (g * g - v[i]) * to_v
            theta[i] -= step[i]
        return True
    for i in range(step.shape[0]):
        m[i] -= m[i] * to_m
        v[i] -= v[i] * to_v
    return False
