"""Adam for W agents at once (Kingma and Ba 2015), where one whose step is not finite stands still.

Of our own instead of Keras's for what XLA makes of it, on variables that a loop carries: loops that
write where they read are not vectorised, so that roots and quotients belong in one that does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

BETA_1 = 0.9
BETA_2 = 0.999


class WorkerAdam:
    """W independent Adams on variables [W, ...].

    `theta <- theta - delta sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)`, which is
    Keras's form: epsilon stays outside the bias correction.

    Attributes:
        variables: What is trained.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        learning_rate: float | tf.Variable,
        epsilon: float,
    ):
        """Begins with moments of zero.

        Args:
            variables: What to train, [W, ...] each.
            learning_rate: delta; a variable where it changes.
            epsilon: What keeps the quotient finite.
        """
        self.variables = list(variables)
        self._learning_rate = learning_rate
        self._epsilon = epsilon
        self._count = tf.Variable(0.0)  # t  # pyright: ignore[reportArgumentType]
        self._m = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self._v = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]

    def reset(self) -> None:
        """Forgets all gradients."""
        for variable in (self._count, *self._m, *self._v):
            variable.assign(tf.zeros_like(variable))

    def moments(self) -> tuple[float, list[np.ndarray], list[np.ndarray]]:
        """t, and the means of gradients and of their squares, one array per variable."""
        return (
            float(self._count.numpy()),
            [m.numpy() for m in self._m],
            [v.numpy() for v in self._v],
        )

    def restore(self, count: float, m: Sequence[np.ndarray], v: Sequence[np.ndarray]) -> None:
        """Goes on from what `moments` gave."""
        self._count.assign(count)
        for variable, value in zip((*self._m, *self._v), (*m, *v), strict=True):
            variable.assign(value)

    def steps(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """What `descend` would take away; finite where the gradients are. Nothing changes."""
        t = self._count + 1.0
        rate = self._learning_rate * tf.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)  # pyright: ignore[reportOperatorIssue]
        return [
            _towards(m, g, BETA_1) * rate / (tf.sqrt(_towards(v, g * g, BETA_2)) + self._epsilon)
            for m, v, g in zip(self._m, self._v, gradients, strict=True)
        ]

    def descend(
        self, gradients: Sequence[tf.Tensor], steps: Sequence[tf.Tensor], may_move: tf.Tensor
    ) -> None:
        """Takes the steps.

        Args:
            gradients: One per variable.
            steps: What `steps` says of them.
            may_move: Which workers take them, [W]; to the others this was a gradient of 0, and
                their variables stay as they are.
        """
        self._count.assign_add(1.0)
        for variable, m, v, g, step in zip(
            self.variables, self._m, self._v, gradients, steps, strict=True
        ):
            moves = tf.reshape(may_move, [-1] + [1] * (len(variable.shape) - 1))
            g = tf.where(moves, g, 0.0)
            m.assign(_towards(m, g, BETA_1))
            v.assign(_towards(v, g * g, BETA_2))
            moved = variable - tf.where(moves, step, 0.0)
            variable.assign(moved if variable.constraint is None else variable.constraint(moved))


def all_finite(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Whether all that belongs to a worker is finite, [W], of not too large [W, ...].

    As a sum, which one product with a vector of ones gives: XLA takes numbers one by one to
    reduce them with `and`.
    """
    sums = []
    for tensor in tensors:
        rows = tf.reshape(tensor, [tensor.shape[0], -1])
        sums.append(tf.linalg.matvec(rows, tf.ones([rows.shape[1]])))
    return tf.math.is_finite(tf.add_n(sums))


def _towards(mean: tf.Variable, sample: tf.Tensor, beta: float) -> tf.Tensor:
    return mean + (sample - mean) * (1.0 - beta)
