"""Demonstrations: updates of agents, with the gradient that phi should have given.

A demonstration is one update of one agent. It has the loss's inputs on the buffer of N steps. For
each of the M newest steps it has the target of the gradient by the policy's output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.loss.inputs import LossInputs
from epg_tf.teaching.transitions import States, Transitions


class Demonstrations(NamedTuple):
    """L demonstrations, float32; the record of a lifetime has axes [W, K] in place of L.

    Attributes:
        inputs: The loss's inputs as in `LossInputs`, with L in place of W; None for inputs that the
            loss does not have.
        targets: The target gradient by each part of the policy's output, a tuple of [L, M, size];
            empty until the teacher adds it.
        steps: The transitions that a critic learns from, or the states that an expert labels.
    """

    inputs: LossInputs
    targets: tuple[np.ndarray, ...] = ()
    steps: Transitions | States | None = None

    @property
    def number(self) -> int:
        """L."""
        return len(self.inputs.policy[0])

    @property
    def are_finite(self) -> np.ndarray:
        """A flag per demonstration, or per worker of a record: True if all numbers are finite."""
        arrays = [array for array in tf.nest.flatten(self) if array is not None]
        finite = [np.isfinite(a).reshape(len(a), -1).all(axis=1) for a in arrays]
        return np.logical_and.reduce(finite)

    def mapped(self, function) -> Demonstrations:
        """Applies a function to every array."""
        return _map(function, self)


def joined(parts: Sequence[Demonstrations], axis: int = 0) -> Demonstrations:
    """Concatenates several records."""
    return _map(lambda *arrays: np.concatenate(arrays, axis=axis), *parts)


class DemonstrationRecorder:
    """Records the demonstrations of a group of workers during their lifetimes."""

    def __init__(self, learner: Learner, demonstrate: Callable[[Learner, Update], Demonstrations]):
        """Starts an empty record.

        Args:
            learner: The reference learner of the group.
            demonstrate: Returns a demonstration per worker, given an update before its steps.
        """
        self._learner = learner
        self._demonstrate = demonstrate
        self._taken: list[Demonstrations] = []

    def __call__(self, update: Update) -> None:
        """Records an update before its gradient steps."""
        demonstrations = self._demonstrate(self._learner, update)
        self._taken.append(demonstrations.mapped(lambda array: array[:, np.newaxis]))

    def pop(self) -> Demonstrations:
        """Returns the record of a lifetime, arrays [W, K, ...], and starts an empty one."""
        demonstrations, self._taken = joined(self._taken, axis=1), []
        return demonstrations


def _map(function, *parts: Demonstrations) -> Demonstrations:
    return tf.nest.map_structure(
        lambda *arrays: None if arrays[0] is None else function(*arrays), *parts
    )
