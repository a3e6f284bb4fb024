"""Fits phi so that the gradient of L_phi is, on average, the teacher's.

The fit is `min_phi E_t || d(sum_t' L_t') / d output_t - g_t ||^2` over the M newest steps t of all
demonstrations. g_t is the teacher's gradient by the policy's output. A squared error is minimal at
a conditional expectation, here of g_t given the inputs of the loss. So phi needs no reward.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportOptionalIterable=false, reportArgumentType=false
# pyright: reportOptionalOperand=false

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.demonstrations import Demonstrations


@dataclasses.dataclass(frozen=True)
class FitState:
    """phi and the Adam that fits it.

    Attributes:
        phi: The parameters, [P] float32.
        first_moment: Adam's, [P] float32.
        second_moment: Adam's, [P] float32.
        num_steps: Steps of Adam so far.
    """

    phi: np.ndarray
    first_moment: np.ndarray
    second_moment: np.ndarray
    num_steps: int = 0

    @classmethod
    def start(cls, phi: np.ndarray) -> FitState:
        """Returns the state before the first step."""
        phi = phi.astype(np.float32)
        return cls(phi, np.zeros_like(phi), np.zeros_like(phi))


class FitErrors(NamedTuple):
    """The errors of a pass over demonstrations, means over all steps.

    Attributes:
        error: The squared error.
        target: The squared norm of the targets: the error of a loss without a gradient.
    """

    error: float
    target: float

    @property
    def explained(self) -> float:
        """The share of the targets' squared norm that the gradient of L_phi explains."""
        return 1.0 - self.error / self.target


class Fit:
    """Fits the parameters of one loss to demonstrations."""

    def __init__(self, settings: InnerLoop, family: TaskFamily):
        """Makes the loss; the first fit compiles it.

        Args:
            settings: The settings with the architecture of the loss and M.
            family: The tasks, for the sizes of observations and actions.
        """
        self._num_newest = settings.steps_per_update
        self._loss = build_loss(settings, family)
        self._phi = tf.Variable(tf.zeros([self._loss.size]))
        self._optimizer = tf.keras.optimizers.Adam(jit_compile=False)
        self._optimizer.build([self._phi])
        self._moments = self._optimizer.variables[-2:]

    def run(
        self,
        state: FitState,
        demonstrations: Demonstrations,
        minibatches: np.ndarray,
        learning_rate: float,
    ) -> tuple[FitState, FitErrors]:
        """Takes a step of Adam for each minibatch.

        Args:
            state: The state of the fit.
            demonstrations: L demonstrations.
            minibatches: The demonstrations of each step, [steps, B] integers.
            learning_rate: Adam's.

        Returns:
            The new state, and the errors, each from before its step.
        """
        self._phi.assign(state.phi)
        self._loss.assign(state.phi[np.newaxis])
        self._optimizer.iterations.assign(state.num_steps)
        self._optimizer.learning_rate.assign(learning_rate)
        for variable, value in zip(
            self._moments, (state.first_moment, state.second_moment), strict=True
        ):
            variable.assign(value)
        pairs = demonstrations._replace(steps=None)
        taken = (pairs.mapped(lambda a, rows=rows: a[rows]) for rows in minibatches)
        errors = [
            self._step(demonstration.inputs, demonstration.targets) for demonstration in taken
        ]
        first, second = (variable.numpy() for variable in self._moments)
        num_steps = state.num_steps + len(minibatches)
        mean = np.mean([pair.numpy() for pair in errors], axis=0, dtype=np.float64)
        return FitState(self._phi.numpy(), first, second, num_steps), FitErrors(*map(float, mean))

    def gradient(self, phi: np.ndarray, demonstrations: Demonstrations) -> np.ndarray:
        """Returns the gradient of the error by phi, [P]."""
        self._loss.assign(phi[np.newaxis])
        return self._gradient(demonstrations.inputs, demonstrations.targets)[0].numpy()

    def errors(self, phi: np.ndarray, demonstrations: Demonstrations) -> FitErrors:
        """Returns the errors of a loss on some demonstrations."""
        self._loss.assign(phi[np.newaxis])
        return FitErrors(
            *map(float, self._gradient(demonstrations.inputs, demonstrations.targets)[1])
        )

    @tf.function(jit_compile=True, autograph=False)
    def _step(self, inputs: LossInputs, targets: tuple[tf.Tensor, ...]) -> tf.Tensor:
        gradient, errors = self._gradient(inputs, targets)
        self._optimizer.apply_gradients([(gradient, self._phi)])
        self._loss.assign(self._phi[tf.newaxis])
        return errors

    @tf.function(jit_compile=True, autograph=False)
    def _gradient(self, inputs: LossInputs, targets: tuple[tf.Tensor, ...]):
        variables = self._loss.phi_variables
        with tf.GradientTape() as over_phi:
            error = self._error(inputs, targets)
        parts = over_phi.gradient(error, variables, unconnected_gradients="zero")
        power = tf.add_n([_mean_square(target) for target in targets])
        return tf.concat([tf.reshape(p, [-1]) for p in parts], axis=0), tf.stack([error, power])

    def _error(self, inputs: LossInputs, targets: tuple[tf.Tensor, ...]) -> tf.Tensor:
        length = inputs.policy[0].shape[1]
        newest = slice(length - self._num_newest, length)
        # Broadcast outputs that are constant in time, so that each step gets its own gradient.
        policy = tuple(
            tf.broadcast_to(part, [part.shape[0], length, part.shape[2]]) for part in inputs.policy
        )
        with tf.GradientTape() as over_output:
            over_output.watch(policy)
            per_step = self._loss.per_step(inputs._replace(policy=policy))
            total = tf.reduce_sum(per_step[:, newest])
        gradients = over_output.gradient(total, policy, unconnected_gradients="zero")
        return tf.add_n(
            [
                _mean_square(gradient[:, newest] - target)
                for gradient, target in zip(gradients, targets, strict=True)
            ]
        )


def _mean_square(values: tf.Tensor) -> tf.Tensor:
    """Returns the mean over steps of the squared norm, from [L, M, size]."""
    return tf.reduce_mean(tf.reduce_sum(tf.square(values), axis=2))
