"""Small matrices in single precision, row by row, in an order that depends on nothing else."""

from __future__ import annotations

import numpy as np

from epg_tf.native import tile
from epg_tf.native.compiler import compiled, reordered


@compiled
def tanh_in_place(values):
    """Tanh of a vector of float32, within six units of the last place.

    The rational function that TensorFlow has of Eigen (`generic_fast_tanh_float`); its coefficients
    are Eigen's. One loop without a branch, which is vectorised.
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
        values[j] = given if abs(given) < np.float32(0.0004) else x * p / q


@compiled
def add_product(row, kernel, out):
    """Adds row [in] times kernel [in, out] to `out`, four of its terms at a time."""
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
    _add(rows, rows.shape[1], 1, kernel, out)


@compiled
def add_transposed_product(rows, others, out):
    """Adds rows [B, in], transposed, times others [B, out] to `out` [in, out]."""
    _add(rows, 1, rows.shape[1], others, out)


@compiled
def _add(left, row, step, right, out):
    """Adds a product to `out`; `row` and `step` say how the left matrix lies in memory.

    Tile by tile, and what is left over number by number: each sum in the order of its terms.
    """
    size, width = out.shape
    count = right.shape[0]
    flat = left.reshape(left.size)
    tiled_rows, tiled_columns = size - size % tile.ROWS, width - width % tile.COLUMNS
    a, b, c = left.ctypes.data, right.ctypes.data, out.ctypes.data
    for r in range(0, tiled_rows, tile.ROWS):
        for j in range(0, tiled_columns, tile.COLUMNS):
            tile.add_tile(
                a + 4 * r * row, row, step, b + 4 * j, width, c + 4 * (r * width + j), width, count
            )
    for r in range(size):
        first = tiled_columns if r < tiled_rows else 0
        if first < width:
            for k in range(count):
                factor = flat[r * row + k * step]
                for j in range(first, width):
                    out[r, j] += factor * right[k, j]


@reordered
def dot(a, b):
    """The product of two vectors; in which order it adds depends on their length alone."""
    total = np.float32(0.0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total
