"""Checks of values that users set; each error names the setting, its value and the rule."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

_KINDS = {  # type -> its name, singular and plural
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    bool: ("True or False", "booleans"),
    str: ("a string", "strings"),
    dict: ("a dictionary", "dictionaries"),
    type(None): ("None", "None"),
}


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
    if not is_number or not (value > 0 if positive else value >= 0) or value == float("inf"):
        kind = "positive" if positive else "non-negative"
        raise ValueError(f"`{name}` (={value!r}) must be a finite {kind} number.")


def require_member(name: str, value: Any, members: tuple[str | None, ...]) -> None:
    """Checks that a setting is one of a few values.

    Raises:
        ValueError: If it is not.
    """
    if value not in members:
        raise ValueError(f"`{name}` (={value!r}) must be one of {', '.join(map(repr, members))}.")


def require_types(name: str, record: type, arguments: Mapping[str, Any]) -> None:
    """Checks arguments of a dataclass against the types of its fields.

    Args:
        name: The user's name for the dataclass.
        record: The dataclass.
        arguments: Values of some of its fields, by name.

    Raises:
        ValueError: If a value has the wrong type.
    """
    hints = typing.get_type_hints(record)
    for field, value in arguments.items():
        if not _is(value, hints[field]):
            shown = repr(value)
            if callable(value) or dataclasses.is_dataclass(value):
                shown = "@" + getattr(value, "__name__", f"{type(value).__name__}()")
            raise ValueError(f"`{name}.{field}` (={shown}) must be {_kind(hints[field])}.")


def _is(value: Any, hint: Any) -> bool:
    parts = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return any(_is(value, part) for part in parts)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        if parts[-1] is ...:
            parts = parts[:1] * len(value)
        return len(parts) == len(value) and all(map(_is, value, parts))
    if hint in (int, float):
        numbers = int if hint is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if getattr(hint, "_is_protocol", False):  # protocols here are kinds of functions
        return callable(value)
    return isinstance(value, hint)


def _kind(hint: Any, several: bool = False) -> str:
    parts = typing.get_args(hint)
    if isinstance(hint, types.UnionType):
        return " or ".join(map(_kind, parts))
    if typing.get_origin(hint) is tuple:
        number = "" if parts[-1] is ... else f"{len(parts)} "
        return f"{'tuples' if several else 'a tuple'} of {number}{_kind(parts[0], True)}"
    return _KINDS[hint][several] if hint in _KINDS else f"of type {hint.__name__} (`@Name()`)"
