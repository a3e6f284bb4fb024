"""Float32 arithmetic on small matrices; the order of additions depends on shapes alone."""

from __future__ import annotations

import numpy as np

from epg_tf.native import tile
from epg_tf.native.compiler import compiled, reordered


@compiled
def tanh_in_place(values):
    """Computes tanh of a float32 vector in place, within six units in the last place.

    TensorFlow takes the same rational function, with these coefficients, from Eigen
    (`generic_fast_tanh_float`). The loop has no branch, so that it vectorises.
    """
    for j in range(values.shape[0]):
        given = values[j]
        x = min(max(given, np.float32(-7.90531110763549805)), np.float32(7.90531110763549805))
        square = x * x
        p = square * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
        p = square * p + np.float32(-8.60467152213735e-11)
        p = square * p + np.float32(5.12229709037114e-08)
        p = square * p + np.float32(1.48572235717979e-05)
        p = square * p + np.float32(6.37261928875436e-04)
        p = square * p + np.float32(4.89352455891786e-03)
        q = square * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
        q = square * q + np.float32(2.26843463243900e-03)
        q = square * q + np.float32(4.89352518554385e-03)
        # `x`, not the equal `given`: that compiles to a conditional store, slow on some processors.
        values[j] = x if abs(given) < np.float32(0.0004) else x * p / q


@compiled
def copy(values, out):
    """Copies a vector; a slice assignment takes seconds more to compile, for its error message."""
    for j in range(values.shape[0]):
        out[j] = values[j]


@compiled
def largest(values):
    """Returns the maximum of a vector that is not empty."""
    found = values[0]
    for j in range(1, values.shape[0]):
        found = max(found, values[j])
    return found


@compiled
def add_product(row, kernel, out):
    """Adds row [in] times kernel [in, out] to `out` [out], four terms at a time."""
    count, width = kernel.shape
    whole = count - count % 4
    for i in range(0, whole, 4):
        a, b, c, d = row[i], row[i + 1], row[i + 2], row[i + 3]
        for j in range(width):
            out[j] += (
                a * kernel[i, j]
                + b * kernel[i + 1, j]
                + c * kernel[i + 2, j]
                + d * kernel[i + 3, j]
            )
    for i in range(whole, count):
        a = row[i]
        for j in range(width):
            out[j] += a * kernel[i, j]


@compiled
def add_products(rows, kernel, out):
    """Adds rows [B, in] times kernel [in, out] to `out` [B, out]."""
    _add(rows.reshape(rows.size), rows.shape[1], 1, kernel, out)


@compiled
def add_transposed_product(rows, others, out):
    """Adds rows [B, in], transposed, times others [B, out] to `out` [in, out]."""
    _add(rows.reshape(rows.size), 1, rows.shape[1], others, out)


@compiled
def add_frames(values, stride, kernel, out):
    """Adds frames of a flat vector times kernel [width, out] to `out` [frames, out].

    Successive frames start `stride` numbers apart.
    """
    _add(values, stride, 1, kernel, out)


@compiled
def transpose(kernel, memory):
    """Returns the transposed kernel [in, out], as [out, in], in the scratch vector `memory`."""
    fan_in, fan_out = kernel.shape
    columns = memory[: fan_in * fan_out].reshape((fan_out, fan_in))
    a, b = kernel.ctypes.data, columns.ctypes.data
    whole_in, whole_out = fan_in - fan_in % tile.WIDTH, fan_out - fan_out % tile.WIDTH
    for i in range(0, whole_in, tile.WIDTH):
        for j in range(0, whole_out, tile.WIDTH):
            tile.transpose_square(
                a + 4 * (i * fan_out + j), fan_out, b + 4 * (j * fan_in + i), fan_in
            )
    for j in range(fan_out):
        for i in range(whole_in if j < whole_out else 0, fan_in):
            columns[j, i] = kernel[i, j]
    return columns


@compiled
def _add(left, row, step, right, out):
    """Adds a matrix product to `out`; `row` and `step` are the strides of the flat left matrix.

    Tiles come first, then the remaining rows and columns. Each sum adds its terms in order.
    """
    size, width = out.shape
    count = right.shape[0]
    a, b, c = left.ctypes.data, right.ctypes.data, out.ctypes.data
    tiled_rows, tiled = size - size % tile.ROWS, width - width % tile.WIDTH
    whole = width - width % tile.COLUMNS
    for r in range(0, tiled_rows, tile.ROWS):
        here, there = a + 4 * r * row, c + 4 * r * width
        for j in range(0, whole, tile.COLUMNS):
            tile.add_tile(here, row, step, b + 4 * j, width, there + 4 * j, width, count)
    for r in range(size):
        here, there = a + 4 * r * row, c + 4 * r * width
        if r >= tiled_rows:
            for j in range(0, whole, tile.COLUMNS):
                tile.add_row(here, row, step, b + 4 * j, width, there + 4 * j, width, count)
        if whole < tiled:
            tile.add_vector(here, row, step, b + 4 * whole, width, there + 4 * whole, width, count)
    if tiled < width:
        for r in range(size):
            for k in range(count):
                factor = left[r * row + k * step]
                for j in range(tiled, width):
                    out[r, j] += factor * right[k, j]


@reordered
def dot(a, b):
    """Returns the dot product; the order of additions depends on the vectors' length alone."""
    total = np.float32(0.0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total
