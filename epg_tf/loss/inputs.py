"""What the learned loss sees: one record, built in one place (`inner_loop.objective`)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

PER_STEP_INPUTS = ("observation", "action", "reward", "termination", "memory", "policy")


class LossInputs(NamedTuple):
    """The buffer of W workers as tensors, oldest step first; T = N, or T = 1 for what is constant.

    Attributes:
        observation: Normalised, [W, N, S].
        action: Normalised (one-hot first, where actions are numbers), [W, N, A].
        termination: 1 where an episode ended, else 0, [W, N, 1].
        policy: The policy's output at each observation, a tuple of [W, N or 1, size].
        memory: The agent's memory, [W, 1, 32].
        reward: Normalised, [W, N, 1]; None unless the loss asks for it.
        mask: 1 where the buffer holds a step, 0 where it is padded, [W, N, 1]; None if it is full.
    """

    observation: tf.Tensor
    action: tf.Tensor
    termination: tf.Tensor
    policy: tuple[tf.Tensor, ...]
    memory: tf.Tensor
    reward: tf.Tensor | None = None
    mask: tf.Tensor | None = None

    def select(self, names: tuple[str, ...]) -> list[tf.Tensor]:
        """The named inputs, in that order, each [W, N or 1, size]; `policy` may give several."""
        selected = []
        for name in names:
            value = getattr(self, name)
            selected.extend(value if isinstance(value, tuple) else [value])
        return selected
