"""The record of all inputs of the learned loss; `inner_loop.objective` builds it for agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

REWARD_INPUTS = ("reward", "gated_observation")
PER_STEP_INPUTS = ("observation", "action", *REWARD_INPUTS, "termination", "memory", "policy")


class LossInputs(NamedTuple):
    """The buffer of W workers as tensors, oldest step first; constants in time have length 1.

    An input that the loss does not ask for may be None.

    Attributes:
        observation: Normalised, [W, N, S].
        action: Normalised, after one-hot encoding of action numbers, [W, N, A].
        termination: 1 where an episode ended, else 0, [W, N, 1].
        policy: The policy's output at each observation, a tuple of [W, N or 1, size].
        memory: The agent's memory, [W, 1, units].
        reward: Normalised, [W, N, 1].
        gated_observation: See the function of this name, [W, N, S + 1].
        mask: 1 for a step of the buffer, 0 for padding, [W, N, 1]; None if the buffer is full.
    """

    observation: tf.Tensor
    action: tf.Tensor
    termination: tf.Tensor
    policy: tuple[tf.Tensor, ...]
    memory: tf.Tensor
    reward: tf.Tensor | None = None
    gated_observation: tf.Tensor | None = None
    mask: tf.Tensor | None = None

    def select(self, names: tuple[str, ...]) -> list[tf.Tensor]:
        """Returns the named inputs in order, each [W, N or 1, size]; `policy` may give several."""
        selected = []
        for name in names:
            value = getattr(self, name)
            selected.extend(value if isinstance(value, tuple) else [value])
        return selected


def gated_observation(xp: Any, observation: Any, reward: Any, num_newest: int) -> Any:
    """Multiplies observations by the gate, their strongest correlation with the reward.

    The gate is the correlation of largest magnitude among the S features, with its sign.
    It shows a direction that a task asks for but observations do not show. It is near 1 for a robot
    paid for its velocity, near -1 for the opposite. The product lets a first-order change of phi
    act on one direction alone.

    Args:
        xp: NumPy or `tf.experimental.numpy`, whose arrays the next two arguments are.
        observation: [W, N, S].
        reward: [W, N, 1].
        num_newest: M, the number of newest steps that the correlation covers.

    Returns:
        The products, and last the gate itself, [W, N, S + 1].
    """
    seen, paid = (
        part - xp.mean(part, axis=1, keepdims=True)
        for part in (observation[:, -num_newest:], reward[:, -num_newest:])
    )
    squares = (xp.mean(part * part, axis=1, keepdims=True) for part in (seen, paid))
    scale = xp.sqrt(xp.maximum(next(squares) * next(squares), 1e-12))
    correlation = xp.mean(seen * paid, axis=1, keepdims=True) / scale
    highest, lowest = (f(correlation, axis=2, keepdims=True) for f in (xp.amax, xp.amin))
    gate = xp.where(highest >= -lowest, highest, lowest)
    return xp.concatenate([observation, xp.ones_like(reward)], axis=2) * gate
