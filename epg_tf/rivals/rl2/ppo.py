"""PPO over whole trials: rewards that count, advantages and gradient steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.rivals.rl2.network import RecurrentNetwork
from epg_tf.rivals.rl2.settings import RL2
from epg_tf.rivals.rl2.trials import Trials


def counted_rewards(rewards: np.ndarray, ended: np.ndarray, num_free_episodes: int) -> np.ndarray:
    """Returns rewards [T, W], with zeros for each trial's free first episodes (E-RL²)."""
    episodes_before = np.cumsum(ended, axis=0) - ended
    return np.where(episodes_before < num_free_episodes, 0.0, rewards)


def advantages(
    rewards: np.ndarray, values: np.ndarray, discount: float, gae_lambda: float
) -> np.ndarray:
    """Returns generalised advantages along whole trials, across the ends of episodes, [T, W].

    `A_t = sum_l (gamma lambda)^l (r_{t+l} + gamma V_{t+l+1} - V_{t+l})` (Schulman et al. 2016).

    Args:
        rewards: [T, W].
        values: [T + 1, W]; the last row bootstraps.
        discount: gamma.
        gae_lambda: lambda.
    """
    errors = rewards + discount * values[1:] - values[:-1]
    found, running = np.empty_like(errors), np.zeros(errors.shape[1])
    for t in reversed(range(len(errors))):
        running = found[t] = errors[t] + discount * gae_lambda * running
    return found


class PPOUpdate:
    """Makes the gradient steps of an epoch, in one compiled call each."""

    def __init__(
        self,
        settings: RL2,
        network: RecurrentNetwork,
        optimizer: tf.keras.optimizers.Optimizer,
    ):
        """Prepares the gradient step, which its first call compiles.

        Args:
            settings: The settings of RL², for loss, passes and minibatches.
            network: The network to train.
            optimizer: The optimiser, built for the network.
        """
        self._settings, self._network, self._optimizer = settings, network, optimizer
        self._step = tf.function(self._take_step, reduce_retracing=True)

    def run(
        self, trials: Trials, scaled_rewards: np.ndarray, generator: np.random.Generator
    ) -> dict[str, float]:
        """Makes an epoch's passes over its trials.

        Args:
            trials: T steps of W trials.
            scaled_rewards: The rewards to maximise, [T, W].
            generator: The generator that shuffles the chunks.

        Returns:
            Means over the gradient steps, by name.
        """
        settings = self._settings
        gains = advantages(
            scaled_rewards, trials.values, settings.discount, settings.gae_lambda
        ).astype(np.float32)
        targets = gains + trials.values[:-1]
        gains = (gains - gains.mean()) / (gains.std() + 1e-8)
        along_time = (trials.inputs, trials.actions, trials.log_probs, gains, targets)
        arrays = [_chunks(array, settings.chunk_steps) for array in along_time]
        states = trials.states.reshape(-1, trials.states.shape[-1])
        logs = []
        for _ in range(settings.num_passes):
            order = generator.permutation(len(states))
            for rows in np.array_split(order, min(settings.num_minibatches, len(order))):
                logs.append(self._step(states[rows], *(array[rows] for array in arrays)))
        names = ("policy_loss", "value_loss", "entropy", "approximate_kl", "gradient_norm")
        means = np.mean([[float(number) for number in step] for step in logs], axis=0)
        return dict(zip(names, map(float, means), strict=True))

    def _take_step(
        self,
        states: tf.Tensor,
        inputs: tf.Tensor,
        actions: tf.Tensor,
        old_log_probs: tf.Tensor,
        gains: tf.Tensor,
        targets: tf.Tensor,
    ) -> Sequence[tf.Tensor]:
        settings, network = self._settings, self._network
        with tf.GradientTape() as tape:
            output, values = network(inputs, states)  # pyright: ignore[reportCallIssue]
            distribution = network.distribution(output)
            log_ratio = distribution.log_prob(actions) - old_log_probs
            ratio = tf.exp(log_ratio)
            clipped = tf.clip_by_value(ratio, 1.0 - settings.clip, 1.0 + settings.clip)
            policy_loss = -tf.reduce_mean(tf.minimum(ratio * gains, clipped * gains))
            value_loss = tf.reduce_mean(tf.square(values - targets))
            entropy = tf.reduce_mean(distribution.entropy())
            loss = (
                policy_loss
                + settings.value_coefficient * value_loss
                - settings.entropy_coefficient * entropy
            )
        variables = network.parameters
        gradients, norm = tf.clip_by_global_norm(
            tape.gradient(loss, variables), settings.max_gradient_norm
        )
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return policy_loss, value_loss, entropy, tf.reduce_mean(ratio - 1.0 - log_ratio), norm


def _chunks(array: np.ndarray, chunk_steps: int) -> np.ndarray:
    """Turns [T, W, ...] into [T / L * W, L, ...], in the order of `Trials.states`."""
    by_chunk = array.reshape(-1, chunk_steps, *array.shape[1:])
    together = np.swapaxes(by_chunk, 1, 2).reshape(-1, chunk_steps, *array.shape[2:])
    return together.astype(np.float32) if together.dtype == np.float64 else together
