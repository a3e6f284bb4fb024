"""What teaches phi: the updates that agents lived through, and what the gradient should have been.

A lesson is one update of one agent: the buffer of N steps as the loss sees it, and for each of the
M newest steps the gradient with respect to the policy's output that phi's own is to be like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.loss.inputs import LossInputs
from epg_tf.teaching.transitions import Situations, Transitions


class Lessons(NamedTuple):
    """L lessons, float32; a record of one lifetime's has [W, K] in place of L.

    Attributes:
        inputs: What the loss sees, arrays as in `LossInputs` with L in place of W; None in the
            place of what it does not see.
        targets: The gradient with respect to each part of the policy's output, a tuple of
            [L, M, size]; empty where a critic or an expert has yet to say it.
        steps: What a critic learns from, or where an expert is asked; None where there is neither.
    """

    inputs: LossInputs
    targets: tuple[np.ndarray, ...] = ()
    steps: Transitions | Situations | None = None

    @property
    def number(self) -> int:
        """L."""
        return len(self.inputs.policy[0])

    @property
    def are_finite(self) -> np.ndarray:
        """Of which workers, or in which lessons, all numbers are finite, [W] or [L]."""
        arrays = [array for array in tf.nest.flatten(self) if array is not None]
        finite = [np.isfinite(a).reshape(len(a), -1).all(axis=1) for a in arrays]
        return np.logical_and.reduce(finite)

    def mapped(self, function) -> Lessons:
        """The lessons with every array passed through a function."""
        return _map(function, self)


def joined(parts: Sequence[Lessons], axis: int = 0) -> Lessons:
    """Several records of lessons as one."""
    return _map(lambda *arrays: np.concatenate(arrays, axis=axis), *parts)


class LessonTaker:
    """Takes down the lessons of a group of workers as they live."""

    def __init__(self, learner: Learner, lesson: Callable[[Learner, Update], Lessons]):
        """Begins with none.

        Args:
            learner: The group's.
            lesson: What an update teaches, before it is made; a lesson per worker.
        """
        self._learner = learner
        self._lesson = lesson
        self._taken: list[Lessons] = []

    def __call__(self, update: Update) -> None:
        """Takes down the lesson of an update, before it is made."""
        lessons = self._lesson(self._learner, update)
        self._taken.append(lessons.mapped(lambda array: array[:, np.newaxis]))

    def hand_over(self) -> Lessons:
        """The lessons of a lifetime, arrays [W, K, ...]; begins anew."""
        lessons, self._taken = joined(self._taken, axis=1), []
        return lessons


def _map(function, *parts: Lessons) -> Lessons:
    return tf.nest.map_structure(
        lambda *arrays: None if arrays[0] is None else function(*arrays), *parts
    )
