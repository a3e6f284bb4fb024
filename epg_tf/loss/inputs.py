"""What the learned loss sees: one record, built in one place (`inner_loop.objective`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf

REWARD_INPUTS = ("reward", "gated_observation")
PER_STEP_INPUTS = ("observation", "action", *REWARD_INPUTS, "termination", "memory", "policy")


class LossInputs(NamedTuple):
    """The buffer of W workers as tensors, oldest step first; T = N, or T = 1 for what is constant.

    Attributes:
        observation: Normalised, [W, N, S].
        action: Normalised (one-hot first, where actions are numbers), [W, N, A].
        termination: 1 where an episode ended, else 0, [W, N, 1].
        policy: The policy's output at each observation, a tuple of [W, N or 1, size].
        memory: The agent's memory, [W, 1, 32].
        reward: Normalised, [W, N, 1]; None unless the loss asks for it.
        gated_observation: See the function of this name; None unless the loss asks for it.
        mask: 1 where the buffer holds a step, 0 where it is padded, [W, N, 1]; None if it is full.
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
        """The named inputs, in that order, each [W, N or 1, size]; `policy` may give several."""
        selected = []
        for name in names:
            value = getattr(self, name)
            selected.extend(value if isinstance(value, tuple) else [value])
        return selected


def gated_observation(xp: Any, observation: Any, reward: Any, num_newest: int) -> Any:
    """Observations times the correlation of the reward with what it goes with most.

    A task may ask for a direction that observations do not show. This correlation shows it. It is
    near 1 for a robot that is paid for its velocity, and near -1 for one that is paid for the
    opposite. A product of the two lets a change of phi to first order act on one direction alone.

    Args:
        xp: NumPy, or `tf.experimental.numpy`; what follows are its arrays.
        observation: [W, N, S].
        reward: [W, N, 1].
        num_newest: M; the correlation is over so many of the newest steps. It is the one of the S
            numbers of an observation whose correlation is largest, with its sign.

    Returns:
        The products, and the correlation itself, [W, N, S + 1].
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
