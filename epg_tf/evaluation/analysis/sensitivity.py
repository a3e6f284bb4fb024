"""Fig. 9: sensitivity of the loss of one step to the inputs at all positions of the buffer.

It is the norm of dL_t / dx_t' for each kind of input x and each position t'. L_t, the loss of the
step at position t, depends on that step twice: directly and through the context. The temporal
convolutions make the context from the whole buffer. All other steps reach L_t through it alone.

These are the full derivatives of the loss. Learning agents use only a part of them, because they
hold the memory constant inside the convolutions. Inputs that are constant in time are the memory
and a Gaussian's log standard deviation. They count as a separate input at each position, so that
all kinds compare. Inputs are those that the loss sees: observation, action and reward are in
standard deviations of the agent's experience.
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

_PAPERS_POSITION = 25  # t in Fig. 9
_PHASE = 8  # the early and the late phase each have 1 / _PHASE of the updates


class Sensitivity(NamedTuple):
    """Norms of the derivatives of L_t, [W, kinds of input, N].

    Attributes:
        total: The norms of dL_t / dx_t'.
        through_context: The norms of the part that goes through the temporal context.
    """

    total: np.ndarray
    through_context: np.ndarray


class SensitivityOverLearning:
    """Averages the sensitivity of W agents' losses over each phase while they learn."""

    def __init__(self, learner: Learner, position: int, phases: Mapping[str, range]):
        """Starts without measurements.

        Args:
            learner: The reference learner with the agents' losses.
            position: t, in the buffer.
            phases: The updates of each phase.
        """
        self._learner = learner
        self._position = position
        self._phases = phases
        self._sums: dict[str, list[np.ndarray]] = {}

    def observe(self, update: Update) -> None:
        """Measures the sensitivity at an update, if the update belongs to a phase."""
        wanted = [name for name, updates in self._phases.items() if update.k in updates]
        if not wanted:
            return
        num_workers = len(update.batch.observation)
        self._learner.agents.assign(update.agents.theta)
        norms = [
            norm.numpy()[:num_workers].astype(np.float64)
            for norm in self._norms(self._learner.padded(update.batch))
        ]
        for name in wanted:
            before = self._sums.get(name, [0.0, 0.0])
            self._sums[name] = [total + norm for total, norm in zip(before, norms, strict=True)]

    def mean(self, phase: str) -> Sensitivity:
        """Returns each agent's mean over the updates of a phase."""
        return Sensitivity(*(total / len(self._phases[phase]) for total in self._sums[phase]))

    @tf.function(jit_compile=True, autograph=False)
    def _norms(self, batch: UpdateBatch) -> tuple[tf.Tensor, tf.Tensor]:
        output = self._learner.agents.policy(batch.observation)
        inputs = self._learner.objective.inputs(batch, output)
        return sensitivity(self._learner.loss, inputs, self._position)


def sensitivity(
    loss: LossNetwork, inputs: LossInputs, position: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the norms of dL_t / dx_t' for every kind of input and every t'.

    Args:
        loss: The losses of W workers.
        inputs: Their buffers of N steps.
        position: t.

    Returns:
        The fields of a `Sensitivity`.
    """
    shape = tf.shape(inputs.observation)[:2]

    def at_every_step(part: tf.Tensor) -> tf.Tensor:
        return tf.broadcast_to(part, [*tf.unstack(shape), part.shape[2]])

    kinds = {
        name: tf.nest.map_structure(at_every_step, getattr(inputs, name))
        for name in loss.settings.inputs
    }
    # Two copies separate the derivatives by the step's inputs from those by the context's inputs.
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
    """Returns t: the paper's position 25 of the M newest steps, or the last if there are fewer."""
    oldest = settings.buffer_size - settings.steps_per_update
    return oldest + min(_PAPERS_POSITION, settings.steps_per_update - 1)


def phases_of_learning(settings: InnerLoop) -> dict[str, range]:
    """Returns "early" and "late": the first and last eighth of the updates with a full buffer.

    Raises:
        ValueError: If no update has a full buffer.
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
    """Returns the norm of each input's gradient at each position, [W, kinds, N]."""
    columns = [tf.concat(tf.nest.flatten(parts), axis=2) for parts in gradients.values()]
    return tf.stack([tf.norm(column, axis=2) for column in columns], axis=1)
