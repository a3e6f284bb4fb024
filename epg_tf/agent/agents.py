"""theta of W agents: policy, memory and value function, drawn afresh for every lifetime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.networks import (
    CategoricalPolicy,
    GaussianPolicy,
    Memory,
    Multilayer,
    Policy,
    draw_weights,
)


class Agents:
    """The networks of W agents.

    Attributes:
        num_workers: W.
        policy: pi; the loss sees its output.
        memory: The memory unit; only the loss sees it.
        value_function: V; only the guidance uses it.
    """

    def __init__(
        self,
        num_workers: int,
        observation_size: int,
        action_size: int,
        num_actions: int | None = None,
        *,
        hidden_sizes: Sequence[int] = (64, 64),
        memory_size: int = 32,
        initial_log_std: float = 0.0,
        mean_activation: str | None = None,
        log_std_bounds: tuple[float, float] | None = None,
    ):
        """Makes the networks; `reset` gives them their weights.

        Args:
            num_workers: W.
            observation_size: S.
            action_size: A, for a box of actions.
            num_actions: The size of a finite action space, None for a box.
            hidden_sizes: Units of the hidden layers of policy and value function.
            memory_size: Units of the memory.
            initial_log_std: The initial log standard deviation of a Gaussian policy.
            mean_activation: The activation of a Gaussian policy's mean: None or "tanh".
            log_std_bounds: Bounds of a Gaussian policy's log standard deviation, or None.
        """
        self.num_workers = num_workers
        self.policy: Policy = (
            GaussianPolicy(
                num_workers,
                action_size,
                hidden_sizes,
                initial_log_std,
                mean_activation,
                log_std_bounds,
            )
            if num_actions is None
            else CategoricalPolicy(num_workers, num_actions, hidden_sizes)
        )
        self.memory = Memory(num_workers, memory_size)
        self.value_function = Multilayer(num_workers, hidden_sizes, 1)
        observation = tf.zeros([num_workers, 1, observation_size])
        self.policy(observation)
        self.value_function(observation)
        self.memory(None)

    def reset(self, generators: Sequence[np.random.Generator]) -> None:
        """Draws new weights for every agent, worker w's from `generators[w]` alone.

        Args:
            generators: One per worker; workers beyond the last one copy that one's agent.
        """
        for network in self.networks.values():
            drawn = draw_weights(network, generators)
            network.set_weights([pad_workers(weight, self.num_workers) for weight in drawn])

    @property
    def networks(self) -> dict[str, tf.keras.Model]:
        """All networks by name."""
        return {name: getattr(self, name) for name in ("policy", "memory", "value_function")}


def pad_workers(array: np.ndarray, width: int) -> np.ndarray:
    """Returns an array [W, ...] extended to `width` rows, copies of the last one."""
    if len(array) == width:
        return array
    return np.concatenate([array, np.repeat(array[-1:], width - len(array), axis=0)])
