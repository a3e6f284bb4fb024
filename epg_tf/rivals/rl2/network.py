"""The recurrent policy and its value in Keras, which trains them on whole chunks of trials."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from epg_tf.rivals.rl2.settings import RL2

tfd = tfp.distributions


class RecurrentNetwork(tf.keras.Model):
    """Input -> dense -> GRU; both feed policy and value, through a hidden layer each.

    `acting.RecurrentActor` relies on the order of `parameters`: embedding, GRU (kernel, recurrent
    kernel, biases), policy (hidden layer, output), value (hidden layer, output). The log standard
    deviation comes last if actions are a box.
    """

    def __init__(
        self, settings: RL2, input_size: int, action_size: int, num_actions: int | None, seed: int
    ):
        """Builds the network.

        Args:
            settings: The settings of RL², for the network.
            input_size: I.
            action_size: A, if actions are a box.
            num_actions: The size of a finite action space; None for a box.
            seed: The seed of the initial weights.
        """
        super().__init__()
        seeds = iter(np.random.SeedSequence(seed).generate_state(16) % 2**31)

        def orthogonal(gain: float) -> tf.keras.initializers.Initializer:
            return tf.keras.initializers.Orthogonal(gain, seed=int(next(seeds)))

        def dense(size: int, gain: float, activation: str | None = None) -> tf.keras.layers.Layer:
            return tf.keras.layers.Dense(size, activation, kernel_initializer=orthogonal(gain))

        self._discrete = num_actions is not None
        self._squashed = settings.mean_activation == "tanh" and not self._discrete
        self.embedding = dense(settings.embedding_size, np.sqrt(2.0), "tanh")
        self.gru = tf.keras.layers.GRU(
            settings.hidden_size,
            return_sequences=True,
            kernel_initializer=orthogonal(1.0),
            recurrent_initializer=orthogonal(1.0),
        )
        self.policy_hidden = dense(settings.head_size, np.sqrt(2.0), "tanh")
        self.policy_output = dense(num_actions or action_size, 0.01)
        self.value_hidden = dense(settings.head_size, np.sqrt(2.0), "tanh")
        self.value_output = dense(1, 1.0)
        features = settings.embedding_size + settings.hidden_size
        self.embedding.build((None, input_size))
        self.gru.build((None, None, settings.embedding_size))
        for hidden, output in (
            (self.policy_hidden, self.policy_output),
            (self.value_hidden, self.value_output),
        ):
            hidden.build((None, features))
            output.build((None, settings.head_size))
        if not self._discrete:
            start = tf.fill([action_size], float(settings.initial_log_std))
            self.log_std = tf.Variable(start, name="log_std")

    def call(self, inputs: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the outputs of policy and value along chunks.

        Args:
            inputs: [B, L, I].
            state: The GRU's state at the start of each chunk, [B, H].

        Returns:
            Means or logits [B, L, A], and values [B, L].
        """
        embedded = self.embedding(inputs)
        features = tf.concat([embedded, self.gru(embedded, initial_state=state)], axis=-1)
        output = self.policy_output(self.policy_hidden(features))
        if self._squashed:
            output = tf.tanh(output)
        return output, self.value_output(self.value_hidden(features))[..., 0]

    def distribution(self, output: tf.Tensor) -> tfd.Distribution:  # pyright: ignore[reportInvalidTypeForm]
        """Returns the distribution of actions for the policy's output [B, L, A]."""
        if self._discrete:
            return tfd.Categorical(logits=output)
        return tfd.MultivariateNormalDiag(output, tf.exp(self.log_std))

    @property
    def parameters(self) -> list[tf.Variable]:
        """All variables, in the order that the class docstring lists."""
        layers = (
            *(self.embedding, self.gru, self.policy_hidden, self.policy_output),
            *(self.value_hidden, self.value_output),
        )
        variables = [variable for layer in layers for variable in layer.weights]
        return variables if self._discrete else [*variables, self.log_std]
