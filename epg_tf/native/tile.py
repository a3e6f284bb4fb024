"""Intrinsics that keep small blocks of matrices in registers, for products and transposes.

numba's loops would load and store each sum after every few terms, and transpose one by one.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

ROWS, COLUMNS = 4, 16
WIDTH = 8  # float32 numbers in a vector


def _pointer(builder, base, kind, *offsets):
    """Returns a pointer to a `kind`, `sum(offsets)` float32 numbers after the address `base`."""
    total = base.type(0)
    for offset in offsets:
        total = builder.add(total, offset)
    address = builder.add(base, builder.mul(total, base.type(4)))
    return builder.inttoptr(address, kind.as_pointer())


def _tile_of(rows: int, columns: int) -> Any:
    """Returns an intrinsic that adds a product of `rows` by `columns` numbers.

    It adds the sum over k < `count` of a[r, k] b[k, j] to c[r, j], in float32. The addresses of
    the factors are `a + 4 (r a_row + k a_step)` and `b + 4 (k b_step + j)`. The address of the
    sum is `c + 4 (r c_row + j)`.
    """
    number, vector = ir.FloatType(), ir.VectorType(ir.FloatType(), WIDTH)

    def generate(context, builder, signature, arguments):
        del context, signature
        a, a_row, a_step, b, b_step, c, c_row, count = arguments
        integer = count.type

        def pointer(base, kind, *terms):
            return _pointer(builder, base, kind, *terms)

        places = [
            pointer(c, vector, builder.mul(integer(r), c_row), integer(column))
            for r in range(rows)
            for column in range(0, columns, WIDTH)
        ]
        sums = [
            cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in places
        ]
        with cgutils.for_range(builder, count) as loop:
            row = [
                builder.load(
                    pointer(b, vector, builder.mul(loop.index, b_step), integer(column)), align=4
                )
                for column in range(0, columns, WIDTH)
            ]
            step = builder.mul(loop.index, a_step)
            for r in range(rows):
                one = builder.load(pointer(a, number, builder.mul(integer(r), a_row), step))
                lone = builder.insert_element(ir.Constant(vector, ir.Undefined), one, integer(0))
                lanes = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
                all_lanes = builder.shuffle_vector(lone, lone, lanes)
                for part, values in enumerate(row):
                    total = sums[r * len(row) + part]
                    product = builder.fmul(all_lanes, values, flags=("contract",))
                    added = builder.fadd(builder.load(total), product, flags=("contract",))
                    builder.store(added, total)
        for place, total in zip(places, sums, strict=True):
            builder.store(builder.load(total), place, align=4)

    def add_tile(typing, a, a_row, a_step, b, b_step, c, c_row, count):
        del typing, a, a_row, a_step, b, b_step, c, c_row, count
        return types.void(*[types.int64] * 8), generate

    return intrinsic(add_tile)


@intrinsic
def _transpose_square(typing, a, a_row, b, b_row):
    """Copies a[r, j], at `a + 4 (r a_row + j)`, to b[j, r], for r and j below `WIDTH`."""
    vector = ir.VectorType(ir.FloatType(), WIDTH)
    # Per pass: the distance of paired rows, and the pair's lanes (0-15) that make each new row.
    mixes = (
        (1, [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]),
        (2, [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]),
        (4, [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]),
    )

    def generate(context, builder, signature, arguments):
        del context, signature
        a, a_row, b, b_row = arguments
        integer = a.type
        lanes = ir.VectorType(ir.IntType(32), WIDTH)
        rows = [
            builder.load(_pointer(builder, a, vector, builder.mul(integer(r), a_row)), align=4)
            for r in range(WIDTH)
        ]
        for apart, *masks in mixes:
            mixed = {}
            for r in range(WIDTH):
                if not r & apart:
                    for part, mask in enumerate(masks):
                        pair = rows[r], rows[r | apart]
                        mixed[r | part * apart] = builder.shuffle_vector(
                            *pair, ir.Constant(lanes, mask)
                        )
            rows = [mixed[r] for r in range(WIDTH)]
        for column, values in zip((0, 2, 1, 3, 4, 6, 5, 7), rows, strict=True):
            place = _pointer(builder, b, vector, builder.mul(integer(column), b_row))
            builder.store(values, place, align=4)

    return types.void(*[types.int64] * 4), generate


add_tile = _tile_of(ROWS, COLUMNS)
add_row = _tile_of(1, COLUMNS)
add_vector = _tile_of(1, WIDTH)
transpose_square: Any = _transpose_square
