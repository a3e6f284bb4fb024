"""Schedules over epochs, for the guidance (alpha in Eq. 6), the outer step size and K.

A schedule is a frozen record that maps an epoch, counted from 1, to a value.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from epg_tf.checks import PositiveInt, Settings

_MOST_EPOCHS = 100_000


class Schedule(Protocol):
    """Anything that maps an epoch to a value."""

    def __call__(self, epoch: int) -> float:
        """Returns the value in `epoch` (1, 2, ...)."""
        ...


def epochs_to_look_at(schedule: Schedule, last_epoch: int) -> Iterable[int]:
    """Returns epochs up to the last one that include a schedule's least and greatest values.

    For this module's schedules these are a few epochs. For others they are all epochs, up to the
    first hundred thousand.
    """
    if type(schedule) not in (Constant, Linear, PiecewiseLinear):
        return range(1, min(last_epoch, _MOST_EPOCHS) + 1)
    knots = getattr(schedule, "epochs", ())
    near = {1, last_epoch, *map(math.floor, knots), *map(math.ceil, knots)}
    return sorted(epoch for epoch in near if 1 <= epoch <= last_epoch)


def require_schedule(
    name: str,
    schedule: float | Schedule | None,
    last_epoch: int,
    lowest: float = 0.0,
    highest: float = math.inf,
) -> None:
    """Checks a schedule's value in every epoch, and accepts what is no schedule.

    Raises:
        ValueError: If a value is not a finite number from `lowest` to `highest`.
    """
    if not callable(schedule):
        return
    for epoch in epochs_to_look_at(schedule, last_epoch):
        try:
            value = schedule(epoch)
            is_within = lowest <= value <= highest and math.isfinite(value)
        except TypeError:  # such as `@Constant` instead of `@Constant()`
            is_within = False
        if not is_within:
            shown = schedule if dataclasses.is_dataclass(schedule) else schedule.__name__
            raise ValueError(
                f"`{name}` (={shown}) must map epoch {epoch} to a number within "
                f"[{lowest:g}, {highest:g}]."
            )


def value_in(setting: float | Schedule, epoch: int) -> float:
    """Returns the value of a setting, a number or a schedule, in an epoch (1, 2, ...)."""
    return setting(epoch) if callable(setting) else setting


@dataclasses.dataclass(frozen=True)
class Constant(Settings):
    """The same value in every epoch."""

    value: float

    def __call__(self, epoch: int) -> float:
        """Returns `value`."""
        return float(self.value)


@dataclasses.dataclass(frozen=True)
class Linear(Settings):
    """A line from `start` in epoch 1 to `end` in epoch `num_epochs` + 1, and `end` afterwards."""

    start: float
    end: float
    num_epochs: PositiveInt

    def __call__(self, epoch: int) -> float:
        """Returns the interpolated value."""
        done = min(1.0, (epoch - 1) / self.num_epochs)
        return float(self.start + (self.end - self.start) * done)


@dataclasses.dataclass(frozen=True)
class PiecewiseLinear(Settings):
    """Straight lines through `values`, each reached in the epoch at its place in `epochs`.

    The first value holds before the first of these epochs, the last value after the last.

    Raises:
        ValueError: If there are not as many values as epochs, or the epochs do not rise.
    """

    epochs: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        rises = all(a < b for a, b in itertools.pairwise(self.epochs))
        self._require("epochs", len(self.epochs) > 0 and rises, "rise")
        as_many = len(self.values) == len(self.epochs)
        rule = f"be as many as `PiecewiseLinear.epochs` (={self.epochs})"
        self._require("values", as_many, rule)

    def __call__(self, epoch: int) -> float:
        """Returns the interpolated value."""
        return float(np.interp(epoch, self.epochs, self.values))
