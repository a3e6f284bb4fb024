"""theta, forwards and backwards: the standard policy of one agent, on many steps at a time.

Tanh between dense layers, and at the end a Gaussian's mean; the gradient is written by hand.
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
    """Where in theta each layer's kernel begins, with its bias behind it, and where they end."""
    places = np.zeros(sizes.shape[0], np.int64)
    for layer in range(sizes.shape[0] - 1):
        places[layer + 1] = places[layer] + (sizes[layer] + 1) * sizes[layer + 1]
    return places


@compiled
def forward(theta, places, sizes, squashed, outputs, memory, count):
    """The policy's means on `count` observations.

    Args:
        theta: Kernel and bias of each layer by turns, and more, flat.
        places: See `places_of_layers`.
        sizes: Of the layers, from the observation to the mean, [layers + 1].
        squashed: Whether the mean goes through tanh.
        outputs: Of the layers, flat, [layers + 1, ...]; the observations are in the first row.
        memory: For a kernel.
        count: Of the observations.
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
    """The gradient with respect to the layers, where that with respect to the means is known.

    Args:
        theta: See `forward`.
        places: The same.
        sizes: The same.
        squashed: The same.
        outputs: What `forward` made.
        errors: Two rows, flat, by turns the layers' errors; at first those of the means.
        gradient: Filled in, as theta is laid out.
        memory: For a kernel.
        count: Of the observations.
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
    """Kernel [in, out] and bias [out] of a layer in a flat vector."""
    end = at + fan_in * fan_out
    return flat[at:end].reshape((fan_in, fan_out)), flat[end : end + fan_out]


@compiled
def _through_tanh(error, reached, count):
    """What an error with respect to tanh's output is with respect to its input, in place."""
    for i in range(count):
        error[i] *= np.float32(1.0) - reached[i] * reached[i]


@compiled
def _gradient_of_layer(before, error, of_kernel, of_bias, memory):
    """What a layer's inputs [B, in] and its outputs' errors [B, out] make of kernel and bias."""
    fan_in, fan_out = of_kernel.shape
    of_bias[:] = np.float32(0.0)
    for b in range(error.shape[0]):
        for j in range(fan_out):
            of_bias[j] += error[b, j]
    if fan_out < WIDTH:  # the wider of the two makes the inner loops
        columns = memory[: fan_in * fan_out].reshape((fan_out, fan_in))
        columns[:] = np.float32(0.0)
        add_transposed_product(error, before, columns)
        for i in range(fan_in):
            for j in range(fan_out):
                of_kernel[i, j] = columns[j, i]
    else:
        of_kernel[:] = np.float32(0.0)
        add_transposed_product(before, error, of_kernel)
