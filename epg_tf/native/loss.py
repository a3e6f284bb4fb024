"""Forward and backward pass of one loss's per-step network: L_phi of single steps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import add_product, dot, tanh_in_place
from epg_tf.native.compiler import compiled


class Losses(NamedTuple):
    """phi of W losses, for single steps.

    Time-invariant inputs (`per_update`) are equal at all steps; gradient steps change them.
    They are the policy's log standard deviation, then the memory if it is trained: D numbers.

    Attributes:
        features: The part of the hidden layer's input that is constant during an update, with the
            bias, [W, M, H] float32.
        factors: The bilinear term's multipliers of the policy's mean, [W, M, A] float32;
            [W, M, 0] without that term.
        to_mean: The hidden kernel's rows for the policy's mean, [W, A, H] float32.
        to_per_update: The hidden kernel's rows for time-invariant inputs, [W, D, H] float32.
        out: The kernel from the hidden layer to the loss, [W, H] float32.
        bias: The bias of the loss, [W] float32.
        smooth: True for SiLU in hidden layers, False for leaky ReLU.
        slope: The leaky ReLU's slope below 0.
        mean_penalty: kappa of the confinement; see `LearnedLoss`.
        log_std_penalty: The confinement's weight of log std; see `LearnedLoss`.
    """

    features: np.ndarray
    factors: np.ndarray
    to_mean: np.ndarray
    to_per_update: np.ndarray
    out: np.ndarray
    bias: np.ndarray
    smooth: bool
    slope: np.float32
    mean_penalty: np.float32
    log_std_penalty: np.float32


@compiled
def add_loss_gradient(losses, w, rows, places, common, mean, error, hidden, slopes, total_slopes):
    """Returns worker w's mean loss on some steps, and adds its gradient to `error`.

    Args:
        losses: The losses.
        w: The worker.
        rows: Positions of the steps among the M newest, [B].
        places: Positions of the steps in `mean` and `error`, [B].
        common: The part of the hidden layer's input that all steps share, [H].
        mean: The policy's means, [T, A].
        error: The gradient with respect to the means, added to, [T, A].
        hidden: Scratch space, [H].
        slopes: Scratch space, [H].
        total_slopes: Overwritten with the gradient with respect to `common`, [H].

    Returns:
        The mean loss, without the log std penalty.
    """
    width, num_actions = common.shape[0], mean.shape[1]
    share, total = np.float32(1.0 / rows.shape[0]), np.float32(0.0)
    total_slopes[:] = np.float32(0.0)
    for b in range(rows.shape[0]):
        features, at = losses.features[w, rows[b]], places[b]
        for j in range(width):
            hidden[j] = features[j] + common[j]
        add_product(mean[at], losses.to_mean[w], hidden)
        activate(hidden, slopes, losses.smooth, losses.slope)
        total += share * (dot(hidden, losses.out[w]) + losses.bias[w])
        for j in range(width):
            slopes[j] *= losses.out[w, j] * share
            total_slopes[j] += slopes[j]
        for a in range(num_actions):
            error[at, a] += dot(slopes, losses.to_mean[w, a])
        for a in range(losses.factors.shape[2]):
            factor = share * losses.factors[w, rows[b], a]
            error[at, a] += factor
            total += factor * mean[at, a]
        if losses.mean_penalty > 0:
            pull = share * losses.mean_penalty
            for a in range(num_actions):
                error[at, a] += pull * mean[at, a]
                total += np.float32(0.5) * pull * mean[at, a] * mean[at, a]
    return total


@compiled
def activate(hidden, slopes, smooth, slope):
    """Applies a hidden layer's activation in place and writes its derivative to `slopes`."""
    one, half = np.float32(1.0), np.float32(0.5)
    if smooth:
        for j in range(hidden.shape[0]):
            slopes[j] = half * hidden[j]
        tanh_in_place(slopes)
        for j in range(hidden.shape[0]):
            gate = half + half * slopes[j]
            slopes[j] = gate * (one + hidden[j] * (one - gate))
            hidden[j] *= gate
    else:
        for j in range(hidden.shape[0]):
            slopes[j] = one if hidden[j] > 0 else slope
            hidden[j] *= slopes[j]
