"""Schedules over epochs: for the weight of the guidance (alpha in Eq. 6) and the outer learning rate.

A schedule is a frozen record that maps an epoch, counted from 1, to a value.
"""

from __future__ import annotations

import dataclasses
from typing import Protocol


class Schedule(Protocol):
    """Anything that maps an epoch to a value."""

    def __call__(self, epoch: int) -> float:
        """The value in force during `epoch` (1, 2, ...)."""
        ...


@dataclasses.dataclass(frozen=True)
class Constant:
    """The same value in every epoch."""

    value: float

    def __call__(self, epoch: int) -> float:
        """Returns `value`."""
        return float(self.value)


@dataclasses.dataclass(frozen=True)
class Linear:
    """From `start` in epoch 1 straight to `end` in epoch `num_epochs` + 1, and `end` ever after.

    Raises:
        ValueError: If `num_epochs` is not positive.
    """

    start: float
    end: float
    num_epochs: int

    def __post_init__(self) -> None:
        if not isinstance(self.num_epochs, int) or self.num_epochs < 1:
            raise ValueError(f"`Linear.num_epochs` (={self.num_epochs}) must be a positive integer.")

    def __call__(self, epoch: int) -> float:
        """The interpolated value."""
        done = min(1.0, (epoch - 1) / self.num_epochs)
        return float(self.start + (self.end - self.start) * done)
