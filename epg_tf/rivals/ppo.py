"""PPO (Schulman et al. 2017), as far as RL² and MAML share it."""

# Pyright's stubs of Keras do not know how optimisers are called.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf.agent.arrays import Arrays, in_order, named
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.rl2.settings import RL2

Loss = Callable[[Any], tuple[tf.Tensor, dict[str, tf.Tensor]]]


def advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    discount: float,
    gae_lambda: float,
    ended: np.ndarray | None = None,
) -> np.ndarray:
    """Returns generalised advantages, [T, W] (Schulman et al. 2016).

    `A_t = sum_l (gamma lambda)^l (r_{t+l} + gamma V_{t+l+1} - V_{t+l})`.

    Args:
        rewards: [T, W].
        values: V before each step and after the last one, [T + 1, W].
        discount: gamma.
        gae_lambda: lambda.
        ended: 1 where nothing that follows counts, [T, W]; None to sum across the ends of episodes.
    """
    goes_on = discount if ended is None else discount * (1.0 - ended)
    errors = rewards + goes_on * values[1:] - values[:-1]
    decay = np.broadcast_to(gae_lambda * goes_on, errors.shape)
    found, running = np.empty_like(errors), np.zeros(errors.shape[1])
    for t in reversed(range(len(errors))):
        running = found[t] = errors[t] + decay[t] * running
    return found


def clipped_loss(
    log_ratio: tf.Tensor, advantage: tf.Tensor | np.ndarray, clip: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns PPO's loss, and the approximate KL of the new policy from the one that acted.

    Args:
        log_ratio: The difference of the log-probabilities that the two give to the actions.
        advantage: The advantages of the actions, of the same shape.
        clip: The clip of the ratio.
    """
    ratio = tf.exp(log_ratio)
    clipped = tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip)
    loss = -tf.reduce_mean(tf.minimum(ratio * advantage, clipped * advantage))
    return loss, tf.reduce_mean(ratio - 1.0 - log_ratio)


class GradientSteps:
    """Adam's steps on minibatches, in one compiled call each."""

    def __init__(self, settings: MAML | RL2, variables: Sequence[tf.Variable], loss: Loss):
        """Prepares the step, which its first call compiles.

        Args:
            settings: The settings of a rival.
            variables: The weights to train.
            loss: Returns the loss of a minibatch, and numbers by name.
        """
        self._settings, self._loss, self._weights = settings, loss, list(variables)
        self._optimizer = tf.keras.optimizers.Adam(settings.learning_rate, epsilon=1e-5)
        self._optimizer.build(self._weights)
        self._first_adam = [variable.numpy() for variable in self._optimizer.variables]
        self._step = tf.function(self._take_step, reduce_retracing=True)

    def first_state(self, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the arrays of a state with initial weights."""
        return named(weights=weights, adam=self._first_adam)

    def run(
        self, state: Arrays, data: Any, generator: np.random.Generator
    ) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Makes the passes of an epoch.

        Args:
            state: The weights and Adam's moments, as `first_state` or `run` returned them.
            data: Nested arrays with one row per item of a minibatch.
            generator: The generator that shuffles the rows.

        Returns:
            The arrays of the state after the passes, and means over the gradient steps by name.
        """
        adam, settings, logs = self._optimizer.variables, self._settings, []
        held = [*in_order(state, "weights"), *in_order(state, "adam")]
        for variable, value in zip([*self._weights, *adam], held, strict=True):
            variable.assign(value)
        num_rows = len(tf.nest.flatten(data)[0])
        for _ in range(settings.num_passes):
            order = generator.permutation(num_rows)
            for rows in np.array_split(order, min(settings.num_minibatches, num_rows)):
                logs.append(self._step(tf.nest.map_structure(lambda a: tf.constant(a[rows]), data)))  # noqa: B023
        means = np.mean([[float(number) for number in log.values()] for log in logs], axis=0)
        after = [[variable.numpy() for variable in of] for of in (self._weights, adam)]
        return named(weights=after[0], adam=after[1]), dict(
            zip(logs[0], map(float, means), strict=True)
        )

    def _take_step(self, minibatch: Any) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss, logs = self._loss(minibatch)
        gradients, norm = tf.clip_by_global_norm(
            tape.gradient(loss, self._weights), self._settings.max_gradient_norm
        )
        self._optimizer.apply_gradients(zip(gradients, self._weights, strict=True))
        return {**logs, "gradient_norm": norm}
