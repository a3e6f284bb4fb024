"""Forward and backward pass of one agent's standard policy, on many steps at a time.

Dense layers with tanh between them give a Gaussian's mean. The gradient is written by hand.
"""

from __future__ import annotations

import numpy as np

from epg_tf.native.arithmetic import (
    add_products,
    add_transposed_product,
    dot,
    tanh_in_place,
    transpose,
)
from epg_tf.native.compiler import compiled
from epg_tf.native.tile import WIDTH


@compiled
def places_of_layers(sizes):
    """Returns each layer's offset in theta (kernel, then bias), followed by their end."""
    places = np.zeros(sizes.shape[0], np.int64)
    for layer in range(sizes.shape[0] - 1):
        places[layer + 1] = places[layer] + (sizes[layer] + 1) * sizes[layer + 1]
    return places


@compiled
def forward(theta, places, sizes, squashed, outputs, memory, count):
    """Computes the policy's means on `count` observations.

    Args:
        theta: Kernel and bias of each layer in turn, flat; other parameters may follow.
        places: The layers' offsets; see `places_of_layers`.
        sizes: The layers' widths, from the observation to the mean, [layers + 1].
        squashed: True if the mean goes through tanh.
        outputs: The observations in row 0; later rows receive the layers' outputs, each flat.
        memory: Scratch space for a kernel.
        count: The number of observations.
    """
    last = sizes.shape[0] - 2
    for layer in range(last + 1):
        fan_in, fan_out = sizes[layer], sizes[layer + 1]
        kernel, bias = _layer(theta, places[layer], fan_in, fan_out)
        before = outputs[layer, : count * fan_in].reshape((count, fan_in))
        flat = outputs[layer + 1, : count * fan_out]
        after = flat.reshape((count, fan_out))
        if layer < last:
            for b in range(count):
                for j in range(fan_out):
                    after[b, j] = bias[j]
            add_products(before, kernel, after)
        else:
            columns = transpose(kernel, memory)
            for b in range(count):
                for j in range(fan_out):
                    after[b, j] = bias[j] + dot(before[b], columns[j])
        if layer < last or squashed:
            tanh_in_place(flat)


@compiled
def backward(theta, places, sizes, squashed, outputs, errors, gradient, memory, count):
    """Computes the layers' gradient from the gradient with respect to the means.

    Args:
        theta: See `forward`.
        places: See `forward`.
        sizes: See `forward`.
        squashed: See `forward`.
        outputs: The rows that `forward` filled in.
        errors: Two flat rows for the layers' errors in turn; row `layers % 2` holds the means'.
        gradient: Overwritten with the layers' gradient, laid out like theta.
        memory: Scratch space for a kernel.
        count: The number of observations.
    """
    num_layers = sizes.shape[0] - 1
    if squashed:
        _through_tanh(errors[num_layers % 2], outputs[num_layers], count * sizes[num_layers])
    for layer in range(num_layers - 1, -1, -1):
        fan_in, fan_out = sizes[layer], sizes[layer + 1]
        before = outputs[layer, : count * fan_in].reshape((count, fan_in))
        error = errors[(layer + 1) % 2, : count * fan_out].reshape((count, fan_out))
        of_kernel, of_bias = _layer(gradient, places[layer], fan_in, fan_out)
        _gradient_of_layer(before, error, of_kernel, of_bias, memory)
        if layer > 0:
            kernel, _ = _layer(theta, places[layer], fan_in, fan_out)
            flat = errors[layer % 2, : count * fan_in]
            flat[:] = np.float32(0.0)
            add_products(error, transpose(kernel, memory), flat.reshape((count, fan_in)))
            _through_tanh(flat, outputs[layer], count * fan_in)


@compiled
def _layer(flat, at, fan_in, fan_out):
    """Returns kernel [in, out] and bias [out] of the layer at offset `at` of a flat vector."""
    end = at + fan_in * fan_out
    return flat[at:end].reshape((fan_in, fan_out)), flat[end : end + fan_out]


@compiled
def _through_tanh(error, reached, count):
    """Backpropagates an error through tanh, in place, given the outputs of tanh."""
    for i in range(count):
        error[i] *= np.float32(1.0) - reached[i] * reached[i]


@compiled
def _gradient_of_layer(before, error, of_kernel, of_bias, memory):
    """Computes a layer's gradient from its inputs [B, in] and its outputs' errors [B, out]."""
    fan_in, fan_out = of_kernel.shape
    of_bias[:] = np.float32(0.0)
    for b in range(error.shape[0]):
        for j in range(fan_out):
            of_bias[j] += error[b, j]
    if fan_out < WIDTH:  # too narrow to vectorise: the inner loops run over fan_in
        columns = memory[: fan_in * fan_out].reshape((fan_out, fan_in))
        columns[:] = np.float32(0.0)
        add_transposed_product(error, before, columns)
        for i in range(fan_in):
            for j in range(fan_out):
                of_kernel[i, j] = columns[j, i]
    else:
        of_kernel[:] = np.float32(0.0)
        add_transposed_product(before, error, of_kernel)
