"""The outer steps of MAML: PPO of the adapted policies, with respect to the initial weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.rivals.adaptation.inner_step import Batch, adapted
from epg_tf.rivals.adaptation.policy import AdaptablePolicy
from epg_tf.rivals.maml.settings import MAML


def meta_objective(
    settings: MAML,
    policy: AdaptablePolicy,
    weights: Sequence[tf.Tensor],
    before: Sequence[Batch],
    after: Batch,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the loss: PPO's clipped loss of theta'(theta) on steps of the adapted agents.

    Args:
        settings: The settings of MAML, for the inner steps and the clip.
        policy: pi.
        weights: theta, [1, ...] each.
        before: The batch of each inner step, of W tasks.
        after: The batch after the inner steps.

    Returns:
        The mean loss over steps and tasks, and the approximate KL of theta' from the acting one.
    """
    num_tasks = after.advantage.shape[0]
    each = [tf.repeat(weight, num_tasks, axis=0) for weight in weights]  # one per task from here on
    for batch in before:
        each = adapted(policy, each, batch, settings.step_size, settings.first_order)
    log_ratio = policy.log_prob(each, after.observation, after.action) - after.log_prob
    ratio = tf.exp(log_ratio)
    clipped = tf.clip_by_value(ratio, 1.0 - settings.clip, 1.0 + settings.clip)
    loss = -tf.reduce_mean(tf.minimum(ratio * after.advantage, clipped * after.advantage))
    return loss, tf.reduce_mean(ratio - 1.0 - log_ratio)


class MetaUpdate:
    """Makes the outer steps of an epoch, in one compiled call each."""

    def __init__(
        self,
        settings: MAML,
        policy: AdaptablePolicy,
        variables: Sequence[tf.Variable],
        optimizer: tf.keras.optimizers.Optimizer,
    ):
        """Prepares the outer step, which its first call compiles.

        Args:
            settings: The settings of MAML.
            policy: pi.
            variables: theta, [1, ...] each.
            optimizer: The optimiser, built for the variables.
        """
        self._settings, self._policy = settings, policy
        self._variables, self._optimizer = list(variables), optimizer
        self._step = tf.function(self._take_step, reduce_retracing=True)

    def run(
        self, before: Sequence[Batch], after: Batch, generator: np.random.Generator
    ) -> dict[str, float]:
        """Makes an epoch's passes over its tasks.

        Args:
            before: The batch of each inner step.
            after: The batch after the inner steps.
            generator: The generator that shuffles the tasks.

        Returns:
            Means over the outer steps, by name.
        """
        settings, num_tasks, logs = self._settings, len(after.advantage), []
        for _ in range(settings.num_passes):
            order = generator.permutation(num_tasks)
            for rows in np.array_split(order, min(settings.num_minibatches, num_tasks)):
                chosen = [_rows(batch, rows) for batch in (*before, after)]
                logs.append(self._step(chosen[:-1], chosen[-1]))
        names = ("policy_loss", "approximate_kl", "gradient_norm")
        means = np.mean([[float(number) for number in step] for step in logs], axis=0)
        return dict(zip(names, map(float, means), strict=True))

    def _take_step(self, before: Sequence[Batch], after: Batch) -> Sequence[tf.Tensor]:
        settings, variables = self._settings, self._variables
        with tf.GradientTape() as tape:
            weights = [tf.convert_to_tensor(variable) for variable in variables]
            loss, divergence = meta_objective(settings, self._policy, weights, before, after)
        gradients, norm = tf.clip_by_global_norm(
            tape.gradient(loss, variables), settings.max_gradient_norm
        )
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss, divergence, norm


def _rows(batch: Batch, rows: np.ndarray) -> Batch:
    return Batch(*(tf.constant(np.asarray(array)[rows]) for array in batch))
