"""The recurrent policy that acts in the simulator: W agents, step by step, in NumPy.

All agents share one set of weights; only their GRU states differ. Rows are padded to a multiple of
a block, so that the result of an agent does not depend on W. In an incomplete block, products and
tanh would round differently.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.rivals.rl2.normalisation import Normalisation

_BLOCK = 16


class RecurrentActor:
    """Acts for W agents from the start of their trials.

    Attributes:
        state: The state of the GRU, [W, H] float32, zero at first.
    """

    def __init__(
        self,
        weights: Sequence[np.ndarray],
        normalisation: Normalisation,
        num_workers: int,
        num_actions: int | None,
        squashed: bool,
    ):
        """Starts W trials.

        Args:
            weights: The weights in the order of `RecurrentNetwork.parameters`.
            normalisation: The normalisation of observations and rewards.
            num_workers: W.
            num_actions: The size of a finite action space; None for a box.
            squashed: True if the mean goes through tanh.
        """
        self._discrete, self._squashed = num_actions is not None, squashed
        self._embedding = weights[0], weights[1]
        self._kernel, self._recurrent, (self._bias, self._recurrent_bias) = weights[2:5]
        self._policy, self._value = weights[5:9], weights[9:13]
        self._log_std = None if self._discrete else weights[13]
        self._normalisation = normalisation
        self._num_workers = num_workers
        self._rows = -(-num_workers // _BLOCK) * _BLOCK
        self._state = np.zeros((self._rows, self._recurrent.shape[0]), np.float32)
        self._action_features = num_actions or weights[8].shape[0]
        self._lived = np.zeros((num_workers, self._action_features + 2), np.float32)

    @property
    def state(self) -> np.ndarray:
        """The GRU state of each agent, [W, H]."""
        return self._state[: self._num_workers]

    def inputs(self, observation: np.ndarray) -> np.ndarray:
        """Returns the network's inputs: observation [W, S], last action, its reward and its end."""
        seen = self._normalisation.observation(observation)
        return np.concatenate([seen, self._lived], axis=1)

    def remember(self, inputs: np.ndarray) -> np.ndarray:
        """Updates the state by inputs [W, I]; returns the features for the heads, [rows, F]."""
        filled = np.zeros((self._rows, inputs.shape[1]), np.float32)
        filled[: self._num_workers] = inputs
        kernel, bias = self._embedding
        embedded = np.tanh(filled @ kernel + bias)
        fed = embedded @ self._kernel + self._bias
        recalled = self._state @ self._recurrent + self._recurrent_bias
        size = self._state.shape[1]
        # sigmoid(x) = (1 + tanh(x / 2)) / 2, which does not overflow.
        gates = 0.5 + 0.5 * np.tanh(0.5 * (fed[:, : 2 * size] + recalled[:, : 2 * size]))
        keep, reset = gates[:, :size], gates[:, size:]
        proposed = np.tanh(fed[:, 2 * size :] + reset * recalled[:, 2 * size :])
        self._state = keep * self._state + (1.0 - keep) * proposed
        return np.concatenate([embedded, self._state], axis=1)

    def act(self, features: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Samples actions.

        Args:
            features: The result of `remember`.
            noise: Standard normal numbers [W, A], or uniform ones [W, 1] for a finite action space.

        Returns:
            Actions, [W, A] float32 or [W] action numbers, and their log-probabilities [W].
        """
        output = _head(features, self._policy)
        if self._squashed:
            output = np.tanh(output)
        output = output[: self._num_workers]
        if self._log_std is not None:
            action = output + np.exp(self._log_std) * noise
            each = -0.5 * np.square(noise) - self._log_std - np.float32(0.5 * np.log(2 * np.pi))
            return action, each.sum(axis=1)
        log_probs = output - np.logaddexp.reduce(output, axis=1, keepdims=True)
        cumulative = np.cumsum(np.exp(log_probs), axis=1)
        action = np.sum(cumulative[:, :-1] <= noise * cumulative[:, -1:], axis=1)
        return action, np.take_along_axis(log_probs, action[:, None], axis=1)[:, 0]

    def values(self, features: np.ndarray) -> np.ndarray:
        """Returns the values that the agents estimate, [W]."""
        return _head(features, self._value)[: self._num_workers, 0]

    def take_in(self, action: np.ndarray, reward: np.ndarray, ended: np.ndarray) -> None:
        """Stores a step's action, reward and end as inputs of the next step."""
        if self._discrete:
            self._lived[:, :-2] = np.eye(self._action_features, dtype=np.float32)[action]
        else:
            self._lived[:, :-2] = action
        self._lived[:, -2] = self._normalisation.reward(reward)
        self._lived[:, -1] = ended


def _head(features: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
    kernel, bias, output_kernel, output_bias = weights
    return np.tanh(features @ kernel + bias) @ output_kernel + output_bias
