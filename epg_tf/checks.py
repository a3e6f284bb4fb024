"""The sentences for values a user can get wrong: name, value, rule."""

from __future__ import annotations

from typing import Any


def require_integer(name: str, value: Any, at_least: int = 1) -> None:
    """Checks that a setting is an integer, `at_least` or more.

    Raises:
        ValueError: If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        kind = "a positive integer" if at_least == 1 else f"an integer, {at_least} or more"
        raise ValueError(f"`{name}` (={value!r}) must be {kind}.")


def require_number(name: str, value: Any, *, positive: bool = True) -> None:
    """Checks that a setting is a finite number, positive or at least not negative.

    Raises:
        ValueError: If it is not.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 < value if positive else 0 <= value) or value == float("inf"):
        kind = "positive" if positive else "non-negative"
        raise ValueError(f"`{name}` (={value!r}) must be a finite {kind} number.")


def require_member(name: str, value: Any, members: tuple[str, ...]) -> None:
    """Checks that a setting is one of a few words.

    Raises:
        ValueError: If it is not.
    """
    if value not in members:
        raise ValueError(f"`{name}` (={value!r}) must be one of {', '.join(map(repr, members))}.")
