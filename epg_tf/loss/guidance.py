"""L_pg: hand-made surrogates that guide the learned loss early in its evolution (Eqs. 1 and 6).

Once per update, a guide turns M rewarded steps into targets. From these it computes a loss per
worker for each minibatch. The outer loop sets its weight, alpha in Eq. 6.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Annotated, Literal, NamedTuple

import tensorflow as tf
from tf_agents.utils import value_ops

from epg_tf.checks import NonNegativeNumber, Settings, within


class GuideBatch(NamedTuple):
    """The M newest steps as a guide sees them, oldest first.

    Attributes:
        log_prob: log pi(a_t | s_t) before the update, constant, [W, M].
        reward: The task's reward, not normalised, [W, M].
        terminated: 1 where the task itself ended an episode, so that nothing follows, [W, M].
        ended: 1 where the task or the time limit ended an episode, [W, M].
        value: V(s_t) before the update, constant, [W, M].
        next_value: V of the next observation, before any reset, constant, [W, M].
    """

    log_prob: tf.Tensor
    reward: tf.Tensor
    terminated: tf.Tensor
    ended: tf.Tensor
    value: tf.Tensor
    next_value: tf.Tensor


class GuideTargets(NamedTuple):
    """A guide's targets, constant through all minibatches of an update, each [W, M].

    Attributes:
        advantage: The estimated advantage of each action.
        value: The target of the value function.
        log_prob: log pi(a_t | s_t) before the update.
    """

    advantage: tf.Tensor
    value: tf.Tensor
    log_prob: tf.Tensor


class Guide(Settings, abc.ABC):
    """A hand-made surrogate loss."""

    @abc.abstractmethod
    def targets(self, batch: GuideBatch) -> GuideTargets:
        """Returns advantages and value targets of M steps."""

    @abc.abstractmethod
    def loss(
        self, targets: GuideTargets, log_prob: tf.Tensor, kl: tf.Tensor, value: tf.Tensor
    ) -> tf.Tensor:
        """Returns the surrogate loss of a minibatch.

        Args:
            targets: The minibatch's steps of the result of `targets`, [W, B] each.
            log_prob: log pi(a_t | s_t) now, [W, B].
            kl: KL(before || now) of the policies at s_t, [W, B].
            value: V(s_t) now, [W, B].

        Returns:
            A loss per worker, [W].
        """


@dataclasses.dataclass(frozen=True)
class PPO(Guide):
    """Proximal policy optimisation, clipped (Schulman et al. 2017), with generalised advantages.

    `L = -mean(min(r A, clip(r, 1 - c, 1 + c) A)) + kl_coefficient mean(KL)
    + value_coefficient mean((V - V_target)^2)`. The ratio r is `pi / pi_before`.

    Attributes:
        clip: c, the largest relative change of probability that is still rewarded.
        discount: gamma.
        gae_lambda: lambda of the generalised advantage estimate (Schulman et al. 2016).
        value_coefficient: Weight of the value function's squared error.
        kl_coefficient: Weight of the mean KL(before || now).
        bootstrap: The value assumed after the end of the batch or of a truncated episode.
            "next_observation" is V of the next observation. "last_step" (the 2018 release) is V of
            the last step for the batch, and 0 for a truncated episode.
    """

    clip: Annotated[float, within("(0, 1]")] = 0.2
    discount: Annotated[float, within("(0, 1]")] = 0.99
    gae_lambda: Annotated[float, within("(0, 1]")] = 0.95
    value_coefficient: NonNegativeNumber = 1.0
    kl_coefficient: NonNegativeNumber = 0.0
    bootstrap: Literal["next_observation", "last_step"] = "next_observation"

    def targets(self, batch: GuideBatch) -> GuideTargets:
        """Returns generalised advantages, normalised over the batch, and lambda-return targets.

        Episodes follow one another within the batch, and an episode's end cuts the sum of
        advantages. After truncation, the bootstrap value is added to the last step's reward.
        """
        goes_on = 1.0 - batch.ended
        if self.bootstrap == "next_observation":
            cut = batch.ended * (1.0 - batch.terminated)
            reward = batch.reward + self.discount * cut * batch.next_value
            final_value = batch.next_value[:, -1]
        else:
            reward = batch.reward
            final_value = batch.value[:, -1]
        advantage = value_ops.generalized_advantage_estimation(
            values=batch.value,
            final_value=final_value,
            discounts=self.discount * goes_on,
            rewards=reward,
            td_lambda=self.gae_lambda,
            time_major=False,
        )
        value = advantage + batch.value
        return GuideTargets(_standardised(advantage), value, batch.log_prob)

    def loss(
        self, targets: GuideTargets, log_prob: tf.Tensor, kl: tf.Tensor, value: tf.Tensor
    ) -> tf.Tensor:
        """Returns the clipped surrogate plus the weighted KL and the value function's error."""
        ratio = tf.exp(log_prob - targets.log_prob)
        clipped = tf.clip_by_value(ratio, 1.0 - self.clip, 1.0 + self.clip)
        surrogate = tf.minimum(ratio * targets.advantage, clipped * targets.advantage)
        return (
            -tf.reduce_mean(surrogate, axis=1)
            + self.kl_coefficient * tf.reduce_mean(kl, axis=1)
            + self.value_coefficient * tf.reduce_mean(tf.square(value - targets.value), axis=1)
        )


@dataclasses.dataclass(frozen=True)
class Reinforce(Guide):
    """The policy gradient of Eq. 1 (Williams 1992): `L = -mean(A log pi(a | s))`.

    A is the discounted return from each step to the end of its episode or of the batch. It is
    standardised: the baseline is the batch's mean, the divisor its standard deviation.

    Attributes:
        discount: gamma.
    """

    discount: Annotated[float, within("(0, 1]")] = 0.99

    def targets(self, batch: GuideBatch) -> GuideTargets:
        """Returns standardised discounted returns-to-go."""
        returns = value_ops.discounted_return(
            batch.reward, self.discount * (1.0 - batch.ended), time_major=False
        )
        return GuideTargets(_standardised(returns), returns, batch.log_prob)

    def loss(
        self, targets: GuideTargets, log_prob: tf.Tensor, kl: tf.Tensor, value: tf.Tensor
    ) -> tf.Tensor:
        """Returns the surrogate whose gradient is the negative policy gradient."""
        del kl, value
        return -tf.reduce_mean(targets.advantage * log_prob, axis=1)


def _standardised(advantage: tf.Tensor) -> tf.Tensor:
    centred = advantage - _mean_over_steps(advantage)
    std = tf.sqrt(_mean_over_steps(tf.square(centred)))
    return centred / tf.maximum(std, 1e-8)


def _mean_over_steps(values: tf.Tensor) -> tf.Tensor:
    """Returns the mean over T of [W, T], as [W, 1], adding one step after the other.

    Results must not depend on how many workers share a rank. But W determines the order in which
    XLA's reduction adds, and thus the last bit of its result.
    """
    total = tf.foldl(tf.add, tf.transpose(values))
    return (total / values.shape[1])[:, tf.newaxis]
