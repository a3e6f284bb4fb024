"""Small matrices in single precision, row by row, in an order that depends on nothing else."""

from __future__ import annotations

import numpy as np

from epg_tf.native.compiler import compiled, reordered


@compiled
def tanh_in_place(values):
    """Tanh of a vector of float32, within 4 units of the last place.

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
    """Adds rows [B, in] times kernel [in, out] to `out`, so that few numbers are read twice."""
    size, (count, width) = rows.shape[0], kernel.shape
    pairs, whole = size - size % 2, count - count % 4
    for b in range(0, pairs, 2):
        first, second = out[b], out[b + 1]
        for i in range(0, whole, 4):
            k, m, n, o = kernel[i], kernel[i + 1], kernel[i + 2], kernel[i + 3]
            p, q, r, s = rows[b, i], rows[b, i + 1], rows[b, i + 2], rows[b, i + 3]
            t, u, v, w = rows[b + 1, i], rows[b + 1, i + 1], rows[b + 1, i + 2], rows[b + 1, i + 3]
            for j in range(width):
                first[j] += p * k[j] + q * m[j] + r * n[j] + s * o[j]
                second[j] += t * k[j] + u * m[j] + v * n[j] + w * o[j]
        for i in range(whole, count):
            k, p, t = kernel[i], rows[b, i], rows[b + 1, i]
            for j in range(width):
                first[j] += p * k[j]
                second[j] += t * k[j]
    for b in range(pairs, size):
        add_product(rows[b], kernel, out[b])


@compiled
def add_transposed_product(rows, others, out):
    """Adds rows [B, in], transposed, times others [B, out] to `out` [in, out]."""
    size, count = rows.shape
    width, pairs, whole = others.shape[1], count - count % 2, size - size % 4
    for i in range(0, pairs, 2):
        first, second = out[i], out[i + 1]
        for b in range(0, whole, 4):
            k, m, n, o = others[b], others[b + 1], others[b + 2], others[b + 3]
            p, q, r, s = rows[b, i], rows[b + 1, i], rows[b + 2, i], rows[b + 3, i]
            t, u, v, w = rows[b, i + 1], rows[b + 1, i + 1], rows[b + 2, i + 1], rows[b + 3, i + 1]
            for j in range(width):
                first[j] += p * k[j] + q * m[j] + r * n[j] + s * o[j]
                second[j] += t * k[j] + u * m[j] + v * n[j] + w * o[j]
        for b in range(whole, size):
            k, p, t = others[b], rows[b, i], rows[b, i + 1]
            for j in range(width):
                first[j] += p * k[j]
                second[j] += t * k[j]
    for i in range(pairs, count):
        for b in range(size):
            p = rows[b, i]
            for j in range(width):
                out[i, j] += p * others[b, j]


@reordered
def dot(a, b):
    """The product of two vectors; in which order it adds depends on their length alone."""
    total = np.float32(0.0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total
