"""What tables of a report are made of: text, and numbers as text."""

from __future__ import annotations

import math
from typing import NamedTuple


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


def shown(value: float | None, digits: int = 4) -> str:
    """A number in so many digits, or in as many as there are before the point."""
    if value is None or not math.isfinite(value):
        return "not finite"
    text = f"{value:,.0f}" if abs(value) >= 10.0 ** (digits - 1) else f"{value:.{digits}g}"
    return text.replace("-", "−")


def count(value: float) -> str:
    """A whole number, thousands apart."""
    return f"{int(value):,}"


def interval(value: float | None, low: float | None, high: float | None, digits: int = 4) -> str:
    """A number with the ends of its interval, where it has one."""
    if value is not None and low is None and high is None:
        return shown(value, digits)  # of a single agent
    # Its parts stay on one line.
    return f"{shown(value, digits)}\N{NO-BREAK SPACE}" + "\N{NO-BREAK SPACE}".join(
        (f"[{shown(low, digits)},", f"{shown(high, digits)}]")
    )
