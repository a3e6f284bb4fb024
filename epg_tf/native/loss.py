"""L_phi of single steps, forwards and backwards: the per-step network of one loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.native.arithmetic import add_product, dot, tanh_in_place
from epg_tf.native.compiler import compiled


class Losses(NamedTuple):
    """phi of W losses, as they see single steps.

    What is steady is the same at all steps, but not after the next gradient step: the policy's log
    standard deviation and, behind it, the memory where it is trained, D numbers.

    Attributes:
        features: What is constant in the hidden layer's input during an update, and its bias,
            [W, M, H] float32.
        factors: What the policy's mean is multiplied with in the bilinear term, [W, M, A] float32;
            [W, M, 0] without one.
        to_mean: The hidden kernel's rows for the policy's mean, [W, A, H] float32.
        to_steady: Those for what is steady, [W, D, H] float32.
        out: From the hidden layer to the loss, [W, H] float32.
        bias: Of the loss, [W] float32.
        smooth: Whether hidden layers are SiLU; leaky ReLU otherwise.
        slope: Of a leaky ReLU below 0.
        mean_penalty: kappa of the confinement; see `LearnedLoss`.
        log_std_penalty: Of the confinement.
    """

    features: np.ndarray
    factors: np.ndarray
    to_mean: np.ndarray
    to_steady: np.ndarray
    out: np.ndarray
    bias: np.ndarray
    smooth: bool
    slope: np.float32
    mean_penalty: np.float32
    log_std_penalty: np.float32


@compiled
def add_loss_gradient(losses, w, rows, places, common, mean, error, hidden, slopes, total_slopes):
    """The mean loss of some steps of worker w, and its gradient.

    Args:
        losses: The losses.
        w: Whose.
        rows: The steps, of the M newest, [B].
        places: Where they are in `mean` and `error`, [B].
        common: What they have in common in the hidden layer's input, [H].
        mean: The policy's means, [T, A].
        error: What the gradient with respect to them is added to, [T, A].
        hidden: Memory, [H].
        slopes: Memory, [H].
        total_slopes: Filled in with the gradient with respect to `common`, [H].

    Returns:
        The mean loss.
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
    """A hidden layer's activation, in place, and its slope there."""
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
