"""Numbers and tables as text; a score has the same digits everywhere."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SMALL, _LARGE = 1e-2, 1e7  # numbers outside this range may have an exponent


class Table(NamedTuple):
    """A table; the first column names the rows.

    Attributes:
        caption: The text above the table.
        head: The heads of the columns; empty if rows are a name and a value.
        rows: The cells of each row.
    """

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


def as_markdown(table: Table) -> str:
    """Formats a table in GitHub's Markdown, with its caption above."""
    rows = [table.head, ("---",) * len(table.head), *table.rows]
    return "\n".join([table.caption, "", *(f"| {' | '.join(row)} |" for row in rows)])


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Formats rows of cells as lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Escapes line breaks and the like, so that a text stays on one line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns a question in brackets with the nearest of the known names; empty if none is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1) or [
        one for one in known if name in one and len(name) > 2
    ]
    return f" (did you mean {near[0]}?)" if name and near else ""


def number(value: float | None, digits: int = 4, largest: float | None = None) -> str:
    """Formats a number with so many significant digits, and with all digits before the point.

    Args:
        value: The number; None for one that is not finite.
        digits: The number of significant digits, of `largest` if given.
        largest: The largest of several numbers that get the same number of decimals.
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
    """Formats a number with the ends of its interval, if it has one."""
    if low is None and high is None:
        return number(value, digits)  # a single agent's
    known = [abs(one) for one in (value, low, high) if one is not None and math.isfinite(one)]
    largest = max(known, default=0.0)
    shown = [number(one, digits, largest) for one in (value, low, high)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def count(value: float) -> str:
    """Formats a whole number with thousands separators."""
    return f"{int(value):,}"
