"""The setting of a sweep and its values."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any, NamedTuple

from epg_tf.outer_loop.settings import MetaTraining

_FLAG = "--shift"


class Shift(NamedTuple):
    """A sweep over one setting.

    Attributes:
        setting: The gin name of the setting, such as "RandomHopper.gravity".
        values: The values to evaluate in turn; at least two.
        trained_on: The value when the loss was evolved.
    """

    setting: str
    values: tuple[Any, ...]
    trained_on: Any

    @property
    def bindings(self) -> list[str]:
        """The gin bindings of the values."""
        return [f"{self.setting} = {value!r}" for value in self.values]

    @property
    def names(self) -> list[str]:
        """The names of the values in tables, and of their folders."""
        return [_name(value) for value in self.values]

    @property
    def places(self) -> list[float]:
        """The values' places on an axis: their indices if one of them is no number."""
        numbers = [_number(value) for value in self.values]
        known = [number for number in numbers if number is not None]
        return known if len(known) == len(numbers) else [float(i) for i in range(len(numbers))]

    @property
    def is_numeric(self) -> bool:
        """True if all values are numbers, or ranges from a number to itself."""
        return all(_number(value) is not None for value in self.values)

    @property
    def trained_range(self) -> tuple[float, float] | None:
        """The lowest and the highest number trained on; None if this or a value is no number."""
        if not self.is_numeric:
            return None
        if isinstance(self.trained_on, int | float):
            return float(self.trained_on), float(self.trained_on)
        is_pair = isinstance(self.trained_on, Sequence) and len(self.trained_on) == 2
        if not is_pair or not all(isinstance(bound, int | float) for bound in self.trained_on):
            return None
        return float(self.trained_on[0]), float(self.trained_on[1])


def parse(text: str, settings: MetaTraining) -> Shift:
    """Parses a sweep.

    Args:
        text: "Family.setting=[value, value, ...]". If the setting is a range, a number stands for
            the range from it to itself.
        settings: The settings that the loss was evolved with.

    Raises:
        ValueError: In one sentence, if the text is malformed or names no setting of the family.
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
