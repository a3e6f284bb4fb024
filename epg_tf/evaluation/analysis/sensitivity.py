"""Fig. 9: which inputs, and which moments, does the loss of a step depend on?

For each kind of input x the norm of dL_t / dx_t' at every position t' of the buffer, where L_t is
the loss of the step at position t. It depends on its own step twice, directly and through the
context that the temporal convolutions make of the whole buffer, and on all others through that
context alone.

These are the derivatives of the function that the loss is. An agent that learns uses less of them:
it holds the memory constant inside the convolutions. Here what is constant in time (the memory, a
Gaussian's log standard deviation) counts as an input of its own at each position, so that all kinds
can be compared. Inputs are taken as the loss sees them: observation, action and reward are in
standard deviations of the agent's own experience.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.loss.learned_loss import LossNetwork

_PAPERS_POSITION = 25  # of t, in Fig. 9
_PHASE = 8  # early and late are this part of the updates each


class Sensitivity(NamedTuple):
    """Norms of the derivatives of L_t, [W, kinds of input, N].

    Attributes:
        total: Of dL_t / dx_t'.
        through_context: Of that part of it which goes through the temporal context.
    """

    total: np.ndarray
    through_context: np.ndarray


class SensitivityOverLearning:
    """Watches W agents learn, and averages their loss's sensitivity over each of some phases."""

    def __init__(self, learner: Learner, position: int, phases: Mapping[str, range]):
        """Begins with nothing seen.

        Args:
            learner: The agents'.
            position: t, in the buffer.
            phases: Of each phase the updates that belong to it.
        """
        self._learner = learner
        self._position = position
        self._phases = phases
        self._sums: dict[str, list[np.ndarray]] = {}

    def observe(self, update: Update) -> None:
        """Looks at the loss on the buffer of an update, where a phase wants it."""
        wanted = [name for name, updates in self._phases.items() if update.k in updates]
        if not wanted:
            return
        num_workers = len(update.batch.observation)
        norms = [
            norm.numpy()[:num_workers].astype(np.float64)
            for norm in self._norms(self._learner.with_ghosts(update.batch))
        ]
        for name in wanted:
            before = self._sums.get(name, [0.0, 0.0])
            self._sums[name] = [total + norm for total, norm in zip(before, norms, strict=True)]

    def mean(self, phase: str) -> Sensitivity:
        """The mean over a phase's updates, agent by agent."""
        return Sensitivity(*(total / len(self._phases[phase]) for total in self._sums[phase]))

    @tf.function(jit_compile=True, autograph=False)
    def _norms(self, batch: UpdateBatch) -> tuple[tf.Tensor, tf.Tensor]:
        output = self._learner.agents.policy(batch.observation)
        inputs = self._learner.objective.inputs(batch, output)
        return sensitivity(self._learner.loss, inputs, self._position)


def sensitivity(
    loss: LossNetwork, inputs: LossInputs, position: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Norms of dL_t / dx_t' for every kind of input and every t'.

    Args:
        loss: The losses of W workers.
        inputs: Their buffers of N steps.
        position: t.

    Returns:
        What a `Sensitivity` holds.
    """
    shape = tf.shape(inputs.observation)[:2]

    def at_every_step(part: tf.Tensor) -> tf.Tensor:
        return tf.broadcast_to(part, [*tf.unstack(shape), part.shape[2]])

    kinds = {
        name: tf.nest.map_structure(at_every_step, getattr(inputs, name))
        for name in loss.settings.inputs
    }
    # What the step itself shows the loss and what the convolutions see are told apart as copies.
    own, seen = (tf.nest.map_structure(tf.identity, kinds) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch([own, seen])
        context = None
        if loss.to_context is not None:
            context = loss.context(inputs._replace(**seen), hold_memory=False)
        rows = tf.fill([shape[0], 1], position)
        loss_of_step = loss.per_step(inputs._replace(**own), rows, context)
    direct, through = tape.gradient(loss_of_step, [own, seen], unconnected_gradients="zero")  # pyright: ignore[reportArgumentType, reportCallIssue]
    total = tf.nest.map_structure(tf.add, direct, through)
    return _norms_by_kind(total), _norms_by_kind(through)


def position_of_step(settings: InnerLoop) -> int:
    """t: the paper's 25th of the M newest steps, or the last one where there are fewer."""
    oldest = settings.buffer_size - settings.steps_per_update
    return oldest + min(_PAPERS_POSITION, settings.steps_per_update - 1)


def phases_of_learning(settings: InnerLoop) -> dict[str, range]:
    """Early and late: the first and the last eighth of the updates that find the buffer full.

    Raises:
        ValueError: If none does.
    """
    first = -(-settings.buffer_size // settings.steps_per_update)
    last = settings.num_updates
    if last < first:
        raise ValueError(
            f"`InnerLoop.num_updates` (={last}) must be at least {first}, so that the buffer of "
            f"{settings.buffer_size} steps becomes full."
        )
    length = max(1, (last - first + 1) // _PHASE)
    return {"early": range(first, first + length), "late": range(last - length + 1, last + 1)}


def _norms_by_kind(gradients: dict) -> tf.Tensor:
    """Norms over the numbers of each input, [W, kinds, N]."""
    columns = [tf.concat(tf.nest.flatten(parts), axis=2) for parts in gradients.values()]
    return tf.stack([tf.norm(column, axis=2) for column in columns], axis=1)
