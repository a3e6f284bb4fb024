"""A small block of a matrix product, whose sums stay in registers until they are whole.

numba's loops would read and write each sum for every few of its terms.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

ROWS, COLUMNS = 4, 16
WIDTH = 8  # numbers in a vector


def _tile_of(rows: int, columns: int) -> Any:
    """A call that adds a product of so many rows by so many columns.

    To c[r, j], at the address `c + 4 (r c_row + j)`, it adds the sum over k below `count` of
    a[r, k], at `a + 4 (r a_row + k a_step)`, times b[k, j], at `b + 4 (k b_step + j)`.
    """
    number, vector = ir.FloatType(), ir.VectorType(ir.FloatType(), WIDTH)

    def generate(context, builder, signature, arguments):
        del context, signature
        a, a_row, a_step, b, b_step, c, c_row, count = arguments
        integer = count.type

        def pointer(base, kind, *terms):
            offset = integer(0)
            for term in terms:
                offset = builder.add(offset, term)
            address = builder.add(base, builder.mul(offset, integer(4)))
            return builder.inttoptr(address, kind.as_pointer())

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


add_tile = _tile_of(ROWS, COLUMNS)
add_row = _tile_of(1, COLUMNS)
add_vector = _tile_of(1, WIDTH)
