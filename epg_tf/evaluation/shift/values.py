"""Which setting is swept, and over which values."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple

from epg_tf.outer_loop.settings import MetaTraining

_FLAG = "--shift"


class Shift(NamedTuple):
    """A sweep.

    Attributes:
        setting: What gin knows the setting by, such as "RandomHopper.gravity".
        values: What it is bound to, one after the other; two at least.
        trained_on: What it was when the loss was evolved.
    """

    setting: str
    values: tuple[Any, ...]
    trained_on: Any

    @property
    def bindings(self) -> list[str]:
        """As gin takes them."""
        return [f"{self.setting} = {value!r}" for value in self.values]

    @property
    def names(self) -> list[str]:
        """What the values are called, in tables and as folders."""
        return [_name(value) for value in self.values]

    @property
    def places(self) -> list[float]:
        """Where they are on an axis; by number where one of them is no number."""
        numbers = [_number(value) for value in self.values]
        known = [number for number in numbers if number is not None]
        return known if len(known) == len(numbers) else [float(i) for i in range(len(numbers))]

    @property
    def is_numeric(self) -> bool:
        """Whether the values are numbers, or ranges that are."""
        return all(_number(value) is not None for value in self.values)

    @property
    def trained_range(self) -> tuple[float, float] | None:
        """The lowest and the highest number that was trained on, where that is what it was."""
        if not self.is_numeric:
            return None
        if isinstance(self.trained_on, int | float):
            return float(self.trained_on), float(self.trained_on)
        is_pair = isinstance(self.trained_on, Sequence) and len(self.trained_on) == 2
        if not is_pair or not all(isinstance(bound, int | float) for bound in self.trained_on):
            return None
        return float(self.trained_on[0]), float(self.trained_on[1])


def parse(text: str, settings: MetaTraining) -> Shift:
    """Reads a sweep.

    Args:
        text: "Family.setting=[value, value, ...]"; a number stands for a range of that number
            alone where the setting is a range.
        settings: What the loss was evolved with.

    Raises:
        ValueError: In one sentence, if it is not understood, or not about the loss's family.
    """
    setting, _, given = (part.strip() for part in text.partition("="))
    try:
        values = ast.literal_eval(given)
    except (ValueError, SyntaxError):
        values = None
    if not isinstance(values, list | tuple) or len({*map(_name, values)}) < max(2, len(values)):
        raise ValueError(
            f"`{_FLAG}` (={text}) must be a setting and two or more different values, as in "
            "RandomHopper.gravity=[1, 5, 10, 20, 30]."
        )
    family = settings.family
    owner, _, field = setting.rpartition(".")
    fields = getattr(type(family), "__dataclass_fields__", {})
    if owner != type(family).__name__ or field not in fields:
        known = ", ".join(f"{type(family).__name__}.{name}" for name in fields)
        raise ValueError(
            f"`{_FLAG}` (={text}) must name one of the loss's tasks' settings: {known}."
        )
    now = getattr(family, field)
    is_range = not isinstance(now, int | float | str)
    values = [
        (value, value) if is_range and isinstance(value, int | float) else value for value in values
    ]
    return Shift(setting, tuple(values), now)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float):
        return float(value)
    is_pair = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2
    if is_pair and value[0] == value[1] and isinstance(value[0], int | float):
        return float(value[0])
    return None


def _name(value: Any) -> str:
    number = _number(value)
    text = repr(value) if number is None else f"{number:g}"
    return "".join(text.split()).replace("/", "_")
