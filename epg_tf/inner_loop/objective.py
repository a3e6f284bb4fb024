"""Eq. 6: the agents' objective, `(1 - alpha) L_phi + alpha L_pg`, on a minibatch of M steps."""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from epg_tf.agent.agents import Agents
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.loss.guidance import Guide, GuideBatch, GuideTargets
from epg_tf.loss.inputs import LossInputs
from epg_tf.loss.learned_loss import LossNetwork


class Given(NamedTuple):
    """Values that are constant during the gradient steps of an update.

    Attributes:
        batch: The batch of the update.
        guidance: alpha in Eq. 6, a scalar.
        learned: True if L_phi is part of the objective.
        guided: True if L_pg is part of the objective.
        output: The policies' output on the M newest steps before the update, [W, M, size] each.
        targets: The guide's targets on these steps; None without guidance.
    """

    batch: UpdateBatch
    guidance: tf.Tensor
    learned: bool
    guided: bool
    output: tuple[tf.Tensor, ...]
    targets: GuideTargets | None

    @property
    def newest(self) -> int:
        """The index in the buffer of the first of the M newest steps."""
        return _first_newest(self.batch)


class Objective:
    """Eq. 6 for W agents."""

    def __init__(self, agents: Agents, loss: LossNetwork, guide: Guide):
        """Stores the networks.

        Args:
            agents: theta.
            loss: phi.
            guide: L_pg.
        """
        self._agents, self._loss, self._guide = agents, loss, guide

    def given(
        self,
        batch: UpdateBatch,
        guidance: tf.Tensor,
        learned: bool,
        guided: bool,
    ) -> Given:
        """Computes the constants of an update, with the guide's targets if `guided`."""
        output = self._agents.policy(batch.observation[:, _first_newest(batch) :])
        targets = self.targets(batch, output) if guided else None
        return Given(batch, guidance, learned, guided, output, targets)

    def __call__(self, given: Given, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns Eq. 6 on `rows` [W, B] of the M newest steps, and its L_phi, [W] each."""
        batch, in_buffer = given.batch, rows + given.newest
        # The temporal context needs the policy on steps outside the minibatch.
        whole = given.learned and self._loss.to_context is not None
        observation = batch.observation if whole else take(batch.observation, in_buffer)
        output = self._agents.policy(observation)
        learned_loss = tf.zeros([observation.shape[0]])
        if given.learned:
            inputs = self.inputs(batch, output, None if whole else in_buffer)
            per_step = self._loss.per_step(inputs, in_buffer if whole else None)
            learned_loss = tf.reduce_mean(per_step, axis=1)
        total = learned_loss
        if given.guided:
            output = _take_output(output, in_buffer) if whole else output
            total = given.guidance * self._guide_loss(given, rows, output)
            if given.learned:
                total += (1.0 - given.guidance) * learned_loss
        return total, learned_loss

    def inputs(
        self,
        batch: UpdateBatch,
        output: tuple[tf.Tensor, ...],
        rows: tf.Tensor | None = None,
    ) -> LossInputs:
        """Returns the inputs of the loss on a batch.

        Args:
            batch: The batch of the update.
            output: The policies' output on the chosen steps.
            rows: The chosen steps as indices of the buffer, [W, B]; all by default.
        """

        def taken(tensor):
            return tensor if tensor is None or rows is None else take(tensor, rows)

        names = [name for name in LossInputs._fields if name in UpdateBatch._fields]
        shared = {name: taken(getattr(batch, name)) for name in names if name != "mask"}
        memory = self._agents.memory(None)
        return LossInputs(**shared, policy=output, memory=memory, mask=batch.mask)

    def targets(self, batch: UpdateBatch, output: tuple[tf.Tensor, ...]) -> GuideTargets:
        """Returns the guide's targets on the M newest steps, given the policies' output there."""
        newest, value = _first_newest(batch), self._agents.value_function
        distribution = self._agents.policy.distribution(output)
        return self._guide.targets(
            GuideBatch(
                log_prob=distribution.log_prob(batch.newest_action),
                reward=batch.newest_reward,
                terminated=batch.newest_terminated,
                ended=batch.termination[:, newest:, 0],
                value=value(batch.observation[:, newest:])[..., 0],
                next_value=value(batch.newest_next_observation)[..., 0],
            )
        )

    def _guide_loss(
        self, given: Given, rows: tf.Tensor, output: tuple[tf.Tensor, ...]
    ) -> tf.Tensor:
        """Returns L_pg on `rows` [W, B] of the M newest steps, given the present output there."""
        batch, policy = given.batch, self._agents.policy
        distribution = policy.distribution(output)
        before = policy.distribution(_take_output(given.output, rows))
        observation = take(batch.observation, rows + given.newest)
        return self._guide.loss(
            _take_all(given.targets, rows),
            distribution.log_prob(take(batch.newest_action, rows)),
            before.kl_divergence(distribution),
            self._agents.value_function(observation)[..., 0],
        )


def take(tensor: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Gathers the steps rows[w] of each worker w from [W, T, ...]."""
    return tf.gather(tensor, rows, axis=1, batch_dims=1)


def _first_newest(batch: UpdateBatch) -> int:
    return batch.observation.shape[1] - batch.newest_action.shape[1]


def _take_output(output: tuple[tf.Tensor, ...], rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(part if part.shape[1] == 1 else take(part, rows) for part in output)


def _take_all(targets: GuideTargets, rows: tf.Tensor) -> GuideTargets:
    return GuideTargets(*(take(target, rows) for target in targets))
