"""The outer loss of MAML: PPO of the adapted policies, with respect to the initial weights."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from epg_tf.rivals.adaptation.inner_step import Batch, adapted
from epg_tf.rivals.adaptation.policy import AdaptablePolicy
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.ppo import clipped_loss


def meta_loss(
    settings: MAML,
    policy: AdaptablePolicy,
    weights: Sequence[tf.Tensor | tf.Variable],
    batches: tuple[Sequence[Batch], Batch],
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the loss: PPO's clipped loss of theta'(theta) on steps of the adapted agents.

    Args:
        settings: The settings of MAML, for the inner steps and the clip.
        policy: pi.
        weights: theta, [1, ...] each.
        batches: The batch of each inner step, of W tasks, and the batch after the inner steps.

    Returns:
        The mean loss over steps and tasks, and by name the loss again and the approximate KL of
        theta' from the acting policy.
    """
    before, after = batches
    num_tasks = after.advantage.shape[0]
    each = [tf.repeat(weight, num_tasks, axis=0) for weight in weights]  # one per task from here on
    for batch in before:
        each = adapted(policy, each, batch, settings.step_size, settings.first_order)
    log_ratio = policy.log_prob(each, after.observation, after.action) - after.log_prob
    loss, divergence = clipped_loss(log_ratio, after.advantage, settings.clip)
    return loss, {"policy_loss": loss, "approximate_kl": divergence}
