"""PPO over whole trials: the rewards that count, the data of an epoch and the loss."""

# Pyright's TensorFlow stubs do not know how Keras's models are called.
# pyright: reportCallIssue=false

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.rivals.ppo import advantages, clipped_loss
from epg_tf.rivals.rl2.network import RecurrentNetwork
from epg_tf.rivals.rl2.settings import RL2
from epg_tf.rivals.rl2.trials import Trials


def counted_rewards(rewards: np.ndarray, ended: np.ndarray, num_free_episodes: int) -> np.ndarray:
    """Returns rewards [T, W], with zeros for each trial's free first episodes (E-RL²)."""
    episodes_before = np.cumsum(ended, axis=0) - ended
    return np.where(episodes_before < num_free_episodes, 0.0, rewards)


class Chunks(NamedTuple):
    """Parts of L steps of trials, [B, L] each unless noted.

    Attributes:
        state: The GRU's state before the first step, [B, H].
        inputs: The network's inputs, [B, L, I].
        action: [B, L, A], or action numbers.
        log_prob: The log-probabilities that the acting policy gave to the actions.
        advantage: Standardised over all trials.
        target: The targets of the values.
    """

    state: np.ndarray
    inputs: np.ndarray
    action: np.ndarray
    log_prob: np.ndarray
    advantage: np.ndarray
    target: np.ndarray


def chunks_of(settings: RL2, trials: Trials, scaled_rewards: np.ndarray) -> Chunks:
    """Cuts T steps of W trials, and the rewards [T, W] to maximise on them, into chunks."""
    lived = scaled_rewards, trials.values, settings.discount, settings.gae_lambda
    gains = advantages(*lived).astype(np.float32)
    targets = gains + trials.values[:-1]
    gains = (gains - gains.mean()) / (gains.std() + 1e-8)
    along_time = (trials.inputs, trials.actions, trials.log_probs, gains, targets)
    states = trials.states.reshape(-1, trials.states.shape[-1])
    return Chunks(states, *(_chunked(array, settings.chunk_steps) for array in along_time))


def loss_of(
    settings: RL2, network: RecurrentNetwork, chunks: Chunks
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Returns the loss of some chunks: of policy, values and entropy; and its parts by name."""
    output, values = network(chunks.inputs, chunks.state)
    distribution = network.distribution(output)
    log_ratio = distribution.log_prob(chunks.action) - chunks.log_prob
    policy_loss, divergence = clipped_loss(log_ratio, chunks.advantage, settings.clip)
    value_loss = tf.reduce_mean(tf.square(values - chunks.target))
    entropy = tf.reduce_mean(distribution.entropy())
    loss = (
        policy_loss
        + settings.value_coefficient * value_loss
        - settings.entropy_coefficient * entropy
    )
    parts = {"policy_loss": policy_loss, "value_loss": value_loss, "entropy": entropy}
    return loss, {**parts, "approximate_kl": divergence}


def _chunked(array: np.ndarray, chunk_steps: int) -> np.ndarray:
    """Turns [T, W, ...] into [T / L * W, L, ...], in the order of `Trials.states`."""
    by_chunk = array.reshape(-1, chunk_steps, *array.shape[1:])
    together = np.swapaxes(by_chunk, 1, 2).reshape(-1, chunk_steps, *array.shape[2:])
    return together.astype(np.float32) if together.dtype == np.float64 else together
