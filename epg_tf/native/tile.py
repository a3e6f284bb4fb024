"""A small block of a matrix product, whose sums stay in registers until they are whole.

numba's loops would read and write each sum for every few of its terms.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

ROWS, COLUMNS = 4, 16
_WIDTH = 8  # numbers in a vector


@intrinsic
def _add_tile(typing, a, a_row, a_step, b, b_step, c, c_row, count):
    """Adds a product of ROWS by COLUMNS float32, kept in registers until it is whole.

    To c[r, j], at the address `c + 4 (r c_row + j)`, it adds the sum over k below `count` of
    a[r, k], at `a + 4 (r a_row + k a_step)`, times b[k, j], at `b + 4 (k b_step + j)`.
    """
    number, vector = ir.FloatType(), ir.VectorType(ir.FloatType(), _WIDTH)

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
            for r in range(ROWS)
            for column in range(0, COLUMNS, _WIDTH)
        ]
        sums = [
            cgutils.alloca_once_value(builder, builder.load(place, align=4)) for place in places
        ]
        with cgutils.for_range(builder, count) as loop:
            row = [
                builder.load(
                    pointer(b, vector, builder.mul(loop.index, b_step), integer(column)), align=4
                )
                for column in range(0, COLUMNS, _WIDTH)
            ]
            step = builder.mul(loop.index, a_step)
            for r in range(ROWS):
                one = builder.load(pointer(a, number, builder.mul(integer(r), a_row), step))
                lone = builder.insert_element(ir.Constant(vector, ir.Undefined), one, integer(0))
                lanes = ir.Constant(ir.VectorType(ir.IntType(32), _WIDTH), [0] * _WIDTH)
                all_lanes = builder.shuffle_vector(lone, lone, lanes)
                for half, values in enumerate(row):
                    total = sums[r * len(row) + half]
                    product = builder.fmul(all_lanes, values, flags=("contract",))
                    added = builder.fadd(builder.load(total), product, flags=("contract",))
                    builder.store(added, total)
        for place, total in zip(places, sums, strict=True):
            builder.store(builder.load(total), place, align=4)

    return types.void(*[types.int64] * 8), generate


add_tile: Any = _add_tile
