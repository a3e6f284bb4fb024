"""Numbers and tables as text: the same score has the same digits wherever it stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_SMALL, _LARGE = 1e-2, 1e7  # where numbers are written with an exponent, or with fewer digits


class Table(NamedTuple):
    """A table; the first column names the rows.

    Attributes:
        caption: Above it.
        head: Of the columns; empty where rows are a name and a value.
        rows: Cells.
    """

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def as_markdown(table: Table) -> str:
    """The table as GitHub's Markdown, with its caption above."""
    rows = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join([table.caption, "", *(f"| {' | '.join(row)} |" for row in rows)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells as lines whose columns begin below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """A text in which line breaks and the like are escaped, so that it stays on its line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def number(value: float | None, digits: int = 4, largest: float | None = None) -> str:
    """A number in so many digits, or in as many as there are before the point.

    Args:
        value: The number; None for one that is not finite.
        digits: How many are shown of it, or of `largest`.
        largest: The largest of the numbers at its side, which have as many decimals.
    """
    if value is None or not math.isfinite(value):
        return "not finite"
    size = abs(value) if largest is None else largest
    if size == 0.0:
        return "0"
    if not _SMALL <= size < _LARGE:
        return f"{value:.{digits - (size >= _LARGE)}g}"
    magnitude = int(f"{size:.{digits - 1}e}".partition("e")[2])  # after rounding
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}"


def interval(value: float | None, low: float | None, high: float | None, digits: int = 4) -> str:
    """A number with the ends of its interval, where it has one."""
    if low is None and high is None:
        return number(value, digits)  # of a single agent
    known = [abs(one) for one in (value, low, high) if one is not None and math.isfinite(one)]
    largest = max(known, default=0.0)
    shown = [number(one, digits, largest) for one in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def count(value: float) -> str:
    """A whole number, thousands apart."""
    return f"{int(value):,}"
