"""Checks of values that users set; each error names the setting, its value and the rule.

An annotation is the rule: its types, and the `Rule`s within `Annotated`. `Settings` checks all
fields of a record, `require` a single value.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import re
import types
import typing
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from epg_tf.text import did_you_mean

_KINDS = {  # type -> its name, singular and plural
    int: ("an integer", "integers"),
    float: ("a number", "numbers"),
    bool: ("True or False", "booleans"),
    str: ("a string", "strings"),
    dict: ("a dictionary", "dictionaries"),
    type(None): ("None", "None"),
}


class Rule(NamedTuple):
    """A rule for values of a type: `Annotated[int, Rule(...)]`.

    Rules that refer to globals belong outside of annotations, which are evaluated elsewhere.

    Attributes:
        holds: Returns True for good values; it only gets values of the type.
        singular: The name of a good value.
        plural: The name of good values, for annotations of tuples.
    """

    holds: Callable[[Any], bool]
    singular: str
    plural: str = ""


def at_least(lowest: int) -> Rule:
    """Returns the rule of integers that are `lowest` or more."""
    names = f"an integer, {lowest} or more", f"integers, {lowest} or more"
    if lowest == 1:
        names = "a positive integer", "positive integers"
    return Rule(lambda value: value >= lowest, *names)


def within(interval: str) -> Rule:
    """Returns the rule of numbers in an interval, such as "[0, 1)"."""
    low, high = map(float, interval[1:-1].split(","))
    above = operator.ge if interval[0] == "[" else operator.gt
    below = operator.le if interval[-1] == "]" else operator.lt
    return Rule(lambda x: above(x, low) and below(x, high), f"a number in {interval}")


def one_of(members: Iterable[str]) -> Rule:
    """Returns the rule of strings out of a table; `Literal` does the same for a fixed few."""
    names = tuple(members)
    return Rule(lambda value: value in names, f"one of {_listed(names)}", _listed(names))


PositiveInt = Annotated[int, at_least(1)]
NonNegativeInt = Annotated[int, at_least(0)]
FiniteNumber = Annotated[float, Rule(math.isfinite, "a finite number")]
PositiveNumber = Annotated[float, Rule(lambda x: 0 < x < math.inf, "a finite positive number")]
NonNegativeNumber = Annotated[
    float, Rule(lambda x: 0 <= x < math.inf, "a finite non-negative number")
]
PositiveRange = Annotated[
    tuple[float, float],
    Rule(lambda ends: 0 < ends[0] <= ends[1] < math.inf, "a pair (low, high) with 0 < low <= high"),
]


class Settings:
    """A base of frozen dataclasses whose fields are checked against their annotations.

    A subclass with rules that join several fields adds them in `__post_init__`, after a call of
    this class's.

    Args:
        named: The text before a field's name in error messages, such as "--" for flags; by default
            the name of the class and a dot.

    Raises:
        ValueError: If a value breaks the annotation of its field, or values do not fit together.
    """

    _prefix: ClassVar[str] = ""

    def __init_subclass__(cls, *, named: str = "", **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls._prefix = named or cls._prefix

    def __post_init__(self) -> None:
        for field, hint in _hints(type(self)).items():
            require(self._named(field), getattr(self, field), hint)

    def _named(self, field: str) -> str:
        """Returns the user's name of a field."""
        return f"{self._prefix or type(self).__name__ + '.'}{field}"

    def _require(self, field: str, holds: bool, rule: str) -> None:
        """Raises ValueError, "`name` (=value) must rule", unless a rule holds."""
        if not holds:
            raise ValueError(f"`{self._named(field)}` (={getattr(self, field)!r}) must {rule}.")


def require(name: str, value: Any, hint: Any) -> None:
    """Checks a value against an annotation.

    Args:
        name: The user's name of the value.
        value: The value.
        hint: The annotation: types, unions, tuples, `Literal`, and `Annotated` with rules.

    Raises:
        ValueError: If the type is wrong, or a rule does not hold for the value or a part of it.
    """
    fault = _fault(value, hint) if _is(value, hint) else (value, kind_of(hint))
    if fault is not None:
        value, rule = fault
        shown = repr(value)
        if callable(value) or dataclasses.is_dataclass(value):
            shown = "@" + getattr(value, "__name__", f"{type(value).__name__}()")
        near = did_you_mean(value, re.findall("'(.+?)'", rule)) if isinstance(value, str) else ""
        raise ValueError(f"`{name}` (={shown}) must be {rule}{near}.")


def fits(value: Any, hint: Any) -> bool:
    """Returns True if `require` accepts a value."""
    return _is(value, hint) and _fault(value, hint) is None


@functools.cache
def _hints(record: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(record, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}


def _is(value: Any, hint: Any) -> bool:
    """Returns True if a value has the type of an annotation, whose rules do not count."""
    origin, parts = _parts(hint)
    if origin is Annotated:
        return _is(value, parts[0])
    if origin is types.UnionType:
        return any(_is(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        if not isinstance(value, (tuple, list)):
            return False
        hints = _of_elements(parts, value)
        return len(hints) == len(value) and all(map(_is, value, hints))
    if hint in (int, float):
        numbers = int if hint is int else (int, float)
        return isinstance(value, numbers) and not isinstance(value, bool)
    if getattr(hint, "_is_protocol", False):  # protocols here are kinds of functions
        return callable(value)
    return isinstance(value, origin or hint)


def _fault(value: Any, hint: Any) -> tuple[Any, str] | None:
    """Returns the part of a value for which a rule does not hold, and the rule; or None."""
    origin, parts = _parts(hint)
    faults: Iterable[tuple[Any, str] | None] = ()
    if origin is Annotated:
        broken = (rule for rule in parts[1:] if not rule.holds(value))
        faults = (_fault(value, parts[0]), *((value, rule.singular) for rule in broken))
    elif origin is types.UnionType:
        faults = [next(_fault(value, part) for part in parts if _is(value, part))]
    elif origin is tuple:
        faults = map(_fault, value, _of_elements(parts, value))
    return next(filter(None, faults), None)


def kind_of(hint: Any, several: bool = False) -> str:
    """Returns the name of an annotation's values."""
    origin, parts = _parts(hint)
    if origin is Annotated:
        return parts[1].plural if several else parts[1].singular
    if origin is types.UnionType:
        kinds = [kind_of(part) for part in parts]
        return (", or " if any("," in kind for kind in kinds) else " or ").join(kinds)
    if origin is Literal:
        return f"one of {_listed(parts)}"
    if origin is tuple:
        number = "" if parts[-1] is ... else f"{len(parts)} "
        return f"{'tuples' if several else 'a tuple'} of {number}{kind_of(parts[0], True)}"
    return _KINDS[hint][several] if hint in _KINDS else f"of type {hint.__name__} (`@Name()`)"


def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    origin = typing.get_origin(hint)
    # `A | B` is a typing.Union if either has rules.
    return types.UnionType if origin is typing.Union else origin, typing.get_args(hint)


def _of_elements(parts: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return parts[:1] * len(value) if parts[-1] is ... else parts


def _listed(names: Iterable[str | None]) -> str:
    return ", ".join(map(repr, names))
