"""Adam for W agents at once (Kingma and Ba 2015); an agent skips a step that is not finite.

It replaces Keras's Adam, since XLA does not vectorise a loop that writes what it reads. So `steps`
computes the roots and quotients without writing to variables; `descend` writes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

BETA_1 = 0.9
BETA_2 = 0.999


class WorkerAdam:
    """W independent Adam optimisers on variables [W, ...].

    `theta <- theta - delta sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)`. This is
    Keras's form: epsilon stays outside the bias correction.

    Attributes:
        variables: The trained variables.
        count: t, the number of steps so far.
        m: The means of gradients, a variable each.
        v: The means of squared gradients, a variable each.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        learning_rate: float | tf.Variable,
        epsilon: float,
    ):
        """Starts with moments of zero.

        Args:
            variables: The variables to train, [W, ...] each.
            learning_rate: delta; a variable if it changes.
            epsilon: The term that keeps the quotient finite.
        """
        self.variables = list(variables)
        self._learning_rate = learning_rate
        self._epsilon = epsilon
        self.count = tf.Variable(0.0)  # pyright: ignore[reportArgumentType]
        self.m = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]
        self.v = [tf.Variable(tf.zeros_like(variable)) for variable in self.variables]

    def reset(self) -> None:
        """Resets the moments and the count of steps to zero."""
        for variable in (self.count, *self.m, *self.v):
            variable.assign(tf.zeros_like(variable))

    def moments(self) -> tuple[float, list[np.ndarray], list[np.ndarray]]:
        """Returns t, and the means of gradients and of their squares, one array per variable."""
        m, v = ([moment.numpy() for moment in moments] for moments in (self.m, self.v))
        return float(self.count.numpy()), m, v

    def restore(self, count: float, m: Sequence[np.ndarray], v: Sequence[np.ndarray]) -> None:
        """Restores the result of `moments`."""
        self.count.assign(count)
        for variable, value in zip((*self.m, *self.v), (*m, *v), strict=True):
            variable.assign(value)

    def steps(self, gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns the steps that `descend` subtracts, finite if gradients are; changes nothing."""
        t = self.count + 1.0
        rate = self._learning_rate * tf.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)  # pyright: ignore[reportOperatorIssue]
        return [
            _towards(m, g, BETA_1) * rate / (tf.sqrt(_towards(v, g * g, BETA_2)) + self._epsilon)
            for m, v, g in zip(self.m, self.v, gradients, strict=True)
        ]

    def descend(
        self, gradients: Sequence[tf.Tensor], steps: Sequence[tf.Tensor], may_move: tf.Tensor
    ) -> None:
        """Takes the steps.

        Args:
            gradients: One per variable.
            steps: The result of `steps` on these gradients.
            may_move: The workers that take the steps, [W] bool. The others keep their variables,
                and their moments decay as for a gradient of 0.
        """
        self.count.assign_add(1.0)
        for variable, m, v, g, step in zip(
            self.variables, self.m, self.v, gradients, steps, strict=True
        ):
            moves = tf.reshape(may_move, [-1] + [1] * (len(variable.shape) - 1))
            g = tf.where(moves, g, 0.0)
            m.assign(_towards(m, g, BETA_1))
            v.assign(_towards(v, g * g, BETA_2))
            moved = variable - tf.where(moves, step, 0.0)
            variable.assign(moved if variable.constraint is None else variable.constraint(moved))


def all_finite(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns whether all numbers of a worker are finite, [W], for tensors [W, ...].

    It tests their sum, which must not overflow. The sum is a product with a vector of ones; XLA
    would reduce with `and` number by number.
    """
    sums = []
    for tensor in tensors:
        rows = tf.reshape(tensor, [tensor.shape[0], -1])
        sums.append(tf.linalg.matvec(rows, tf.ones([rows.shape[1]])))
    return tf.math.is_finite(tf.add_n(sums))


def _towards(mean: tf.Variable, sample: tf.Tensor, beta: float) -> tf.Tensor:
    return mean + (sample - mean) * (1.0 - beta)
