"""The policy that is adapted, as a function of weights with a worker axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.networks import CategoricalPolicy, GaussianPolicy
from epg_tf.rivals.adaptation.settings import Adaptation
from epg_tf.tasks.family import TaskFamily


class AdaptablePolicy:
    """pi(a | s; theta): an MLP with tanh, Gaussian or categorical.

    The weights have the order of the loss's agents: kernel [W, in, out] and bias [W, 1, out] per
    layer. A Gaussian policy's log standard deviation [W, 1, A] comes last.
    """

    def __init__(self, settings: Adaptation, family: TaskFamily):
        """Builds the policy.

        Args:
            settings: The settings of adaptation, for the network.
            family: The distribution of tasks, for the sizes of observations and actions.
        """
        self._discrete = family.num_actions is not None
        self._squashed = settings.mean_activation == "tanh" and not self._discrete
        if family.num_actions is not None:
            self._model = CategoricalPolicy(1, family.num_actions, settings.hidden_sizes)
        else:
            self._model = GaussianPolicy(
                1,
                family.action_size,
                settings.hidden_sizes,
                settings.initial_log_std,
                settings.mean_activation,
            )
        self._model(tf.zeros([1, 1, family.observation_size]))  # pyright: ignore[reportCallIssue]

    def draw(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draws the initial weights of one worker, [1, ...] each."""
        return [array[np.newaxis] for array in self._model.draw(rng)]

    def log_prob(
        self, weights: Sequence[tf.Tensor], observation: tf.Tensor, action: tf.Tensor
    ) -> tf.Tensor:
        """Returns the log-probabilities log pi(a | s; theta).

        Args:
            weights: theta, [W, ...] each.
            observation: Normalised observations, [W, T, S].
            action: [W, T, A], or [W, T] action numbers.

        Returns:
            [W, T].
        """
        layers = weights if self._discrete else weights[:-1]
        hidden, last = observation, len(layers) // 2 - 1
        for number, (kernel, bias) in enumerate(zip(layers[::2], layers[1::2], strict=True)):
            hidden = tf.matmul(hidden, kernel) + bias
            if number < last or self._squashed:
                hidden = tf.tanh(hidden)
        output = (tf.nn.log_softmax(hidden),) if self._discrete else (hidden, weights[-1])
        return self._model.distribution(output).log_prob(action)
