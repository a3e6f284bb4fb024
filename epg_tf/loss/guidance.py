"""L_pg: the hand-made surrogates that guide the learned loss while it is young (Eqs. 1 and 6).

A guide turns M rewarded steps into targets once per update, and then into a loss per worker for
each minibatch. How much it counts, alpha in Eq. 6, is the outer loop's business.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import NamedTuple

import tensorflow as tf
from tf_agents.utils import value_ops

from epg_tf.checks import require_member, require_number


class GuideBatch(NamedTuple):
    """The M newest steps as a guide sees them, oldest first.

    Attributes:
        log_prob: log pi(a_t | s_t) before the update, constant, [W, M].
        reward: As the task gave it, [W, M].
        terminated: 1 where nothing follows, [W, M].
        ended: 1 where an episode ended for whatever reason, [W, M].
        value: V(s_t) before the update, constant, [W, M].
        next_value: V of where each step arrived, before any reset, constant, [W, M].
    """

    log_prob: tf.Tensor
    reward: tf.Tensor
    terminated: tf.Tensor
    ended: tf.Tensor
    value: tf.Tensor
    next_value: tf.Tensor


class GuideTargets(NamedTuple):
    """What a guide keeps from the batch through all minibatches of an update, each [W, M].

    Attributes:
        advantage: How much better than expected each action was.
        value: What the value function should have said.
        log_prob: log pi(a_t | s_t) before the update.
    """

    advantage: tf.Tensor
    value: tf.Tensor
    log_prob: tf.Tensor


class Guide(abc.ABC):
    """A hand-made surrogate loss."""

    @abc.abstractmethod
    def targets(self, batch: GuideBatch) -> GuideTargets:
        """Advantages and value targets of M steps."""

    @abc.abstractmethod
    def loss(
        self, targets: GuideTargets, log_prob: tf.Tensor, kl: tf.Tensor, value: tf.Tensor
    ) -> tf.Tensor:
        """The surrogate of a minibatch.

        Args:
            targets: The minibatch's rows of what `targets` returned, [W, B] each.
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
    + value_coefficient mean((V - V_target)^2)` with `r = pi / pi_before`.

    Attributes:
        clip: c, the largest relative change of probability that is still rewarded.
        discount: gamma.
        gae_lambda: lambda of the generalised advantage estimate (Schulman et al. 2016).
        value_coefficient: Weight of the value function's squared error.
        kl_coefficient: Weight of the mean KL(before || now).
        bootstrap: What the advantages assume after the last step of an episode that was cut, and of
            the batch: "next_observation", its value; "last_step", the last step's own value for the
            batch and nothing for an episode that was cut (the 2018 release).

    Raises:
        ValueError: If a coefficient is outside its range.
    """

    clip: float = 0.2
    discount: float = 0.99
    gae_lambda: float = 0.95
    value_coefficient: float = 1.0
    kl_coefficient: float = 0.0
    bootstrap: str = "next_observation"

    def __post_init__(self) -> None:
        for name in ("discount", "gae_lambda", "clip"):
            value = getattr(self, name)
            if not 0.0 < value <= 1.0:
                raise ValueError(f"`PPO.{name}` (={value}) must be in (0, 1].")
        for name in ("value_coefficient", "kl_coefficient"):
            require_number(f"PPO.{name}", getattr(self, name), positive=False)
        require_member("PPO.bootstrap", self.bootstrap, ("next_observation", "last_step"))

    def targets(self, batch: GuideBatch) -> GuideTargets:
        """Generalised advantages, normalised over the batch, and lambda-return value targets.

        Episodes follow one another within the batch: an episode's end cuts the sum of advantages,
        and what is expected after a time limit is put into the reward of the step that met it.
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
        """The clipped surrogate plus the value function's error."""
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

    A is the discounted return from each step to the end of its episode or of the batch, with the
    batch's mean as the baseline and divided by its standard deviation.

    Attributes:
        discount: gamma.

    Raises:
        ValueError: If the discount is outside (0, 1].
    """

    discount: float = 0.99

    def __post_init__(self) -> None:
        if not 0.0 < self.discount <= 1.0:
            raise ValueError(f"`Reinforce.discount` (={self.discount}) must be in (0, 1].")

    def targets(self, batch: GuideBatch) -> GuideTargets:
        """Standardised discounted returns-to-go."""
        returns = value_ops.discounted_return(
            batch.reward, self.discount * (1.0 - batch.ended), time_major=False
        )
        return GuideTargets(_standardised(returns), returns, batch.log_prob)

    def loss(
        self, targets: GuideTargets, log_prob: tf.Tensor, kl: tf.Tensor, value: tf.Tensor
    ) -> tf.Tensor:
        """The surrogate whose gradient is the policy gradient."""
        del kl, value
        return -tf.reduce_mean(targets.advantage * log_prob, axis=1)


def _standardised(advantage: tf.Tensor) -> tf.Tensor:
    centred = advantage - _mean_over_steps(advantage)
    std = tf.sqrt(_mean_over_steps(tf.square(centred)))
    return centred / tf.maximum(std, 1e-8)


def _mean_over_steps(values: tf.Tensor) -> tf.Tensor:
    """The mean over T of [W, T], as [W, 1], added one step after the other.

    The order in which XLA's own reduction adds depends on W, and with it the last bit of a result
    that must not depend on how many workers share a rank.
    """
    total = tf.foldl(tf.add, tf.transpose(values))
    return (total / values.shape[1])[:, tf.newaxis]
