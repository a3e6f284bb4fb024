"""theta of W agents: policy, memory and value function, drawn afresh for every lifetime.

Between gradient steps theta is plain arrays, `AgentState`. The networks compute with them.
"""

from __future__ import annotations

import dataclasses
import itertools
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

NETWORKS = ("policy", "memory", "value_function")


@dataclasses.dataclass
class AgentState:
    """theta of W agents and the state of their Adam; gradient steps change the arrays in place.

    Attributes:
        theta: The weights of all networks, flat, in the order of `Agents.networks`, [W, P] float32.
        moments: Adam's means of gradients and of their squares, [W, 2, P] float32.
        counts: The number of Adam's steps of each network, [networks].
    """

    theta: np.ndarray
    moments: np.ndarray
    counts: np.ndarray

    @classmethod
    def side_by_side(cls, parts: Sequence[AgentState]) -> AgentState:
        """Concatenates the states of groups of agents that have taken equally many steps."""
        theta, moments = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("theta", "moments")
        )
        return cls(theta, moments, parts[0].counts)


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
        """Makes the networks.

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

    def draw(self, generators: Sequence[np.random.Generator]) -> AgentState:
        """Returns new agents and a new Adam; worker w's weights depend on `generators[w]` alone."""
        drawn = [w for network in self.networks.values() for w in draw_weights(network, generators)]
        theta = np.concatenate([weight.reshape(len(weight), -1) for weight in drawn], axis=1)
        moments = np.zeros((len(theta), 2, theta.shape[1]), np.float32)
        return AgentState(theta, moments, np.zeros(len(self.networks), np.int64))

    def assign(self, theta: np.ndarray) -> None:
        """Gives the networks the weights [W, P]; agents beyond the last one are its copies."""
        self._assign([pad_workers(view, self.num_workers) for view in self.parts(theta)])

    def parts(self, flat: np.ndarray) -> list[np.ndarray]:
        """Returns views of [W, P] in the shapes of `weights`, [W, ...] each."""
        shapes = [weight.shape[1:].as_list() for weight in self.weights]
        sizes = [int(np.prod(shape)) for shape in shapes]  # pyright: ignore[reportArgumentType, reportCallIssue]
        ends = itertools.accumulate(sizes, initial=0)
        return [
            flat[:, start:end].reshape(len(flat), *shape)
            for (start, end), shape in zip(itertools.pairwise(ends), shapes, strict=True)
        ]

    def policy_weights(self, state: AgentState) -> list[np.ndarray]:
        """Returns copies of the policies' weights, [W, ...] each, in the order of Keras."""
        return [w.copy() for w in self.parts(state.theta)[: len(self.policy.weights)]]

    @tf.function(autograph=False)
    def _assign(self, weights: list[np.ndarray]) -> None:
        """Assigns all weights in one call, since each call costs as much as an assignment."""
        for variable, weight in zip(self.weights, weights, strict=True):
            variable.assign(weight)

    @property
    def weights(self) -> list[tf.Variable]:
        """The variables of all networks, in the order of theta."""
        return [weight for network in self.networks.values() for weight in network.weights]

    @property
    def networks(self) -> dict[str, tf.keras.Model]:
        """All networks by name."""
        return {name: getattr(self, name) for name in NETWORKS}


def pad_workers(array: np.ndarray, width: int) -> np.ndarray:
    """Returns an array [W, ...] extended to `width` rows, copies of the last one."""
    if len(array) == width:
        return array
    return np.concatenate([array, np.repeat(array[-1:], width - len(array), axis=0)])
