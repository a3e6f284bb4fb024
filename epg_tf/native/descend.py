"""Algorithm 1, line 12, in one call: an update's gradient steps of W agents on their losses.

It serves the standard agent: dense layers with tanh between them, a Gaussian whose log standard
deviation is a parameter, and a memory. A worker takes all its steps before the next worker does, so
that its parameters stay in the cache. The reference implementation is `inner_loop.learner`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.native.adam import Adam, descend_once
from epg_tf.native.arithmetic import add_product, copy, dot, largest, tanh_in_place
from epg_tf.native.compiler import compiled
from epg_tf.native.context import Contexts, add_context, add_context_gradient
from epg_tf.native.loss import Losses, add_loss_gradient
from epg_tf.native.policy import backward, forward, places_of_layers

__all__ = ["Adam", "Contexts", "Losses", "Parameters", "descend"]


class Parameters(NamedTuple):
    """theta and Adam's state, of W agents.

    Attributes:
        theta: Kernel and bias of each policy layer in turn, then log std, then kernel and bias of
            the memory; other parameters may follow; [W, P] float32.
        moments: The means of gradients and of their squares, [W, 2, P] float32.
        sizes: The policy layers' widths, from the observation to the mean, [layers + 1].
        squashed: True if the mean goes through tanh.
        lowest: The lower bound of log std.
        highest: The upper bound of log std.
        memory_size: Units of the memory; 0 if it is not trained.
        num_trained: The number of parameters, from the first one on, that the steps change.
        adam: The hyperparameters.
    """

    theta: np.ndarray
    moments: np.ndarray
    sizes: np.ndarray
    squashed: bool
    lowest: np.float32
    highest: np.float32
    memory_size: int
    num_trained: int
    adam: Adam


@compiled
def descend(parameters, losses, contexts, observation, minibatches, rates, loss, diverged):
    """Takes the gradient steps of an update.

    Args:
        parameters: theta and Adam's state, updated in place.
        losses: phi, except its temporal convolutions.
        contexts: The temporal convolutions of phi.
        observation: Normalised, [W, M, S] float32; with a context the whole buffer, [W, N, S].
        minibatches: Positions among the M newest steps, per gradient step, [W, steps, B] int32.
        rates: Bias-corrected step sizes of policy and memory, [2, steps] float32.
        loss: Overwritten with the mean of L_phi over the gradient steps, [W] float32.
        diverged: Set to True if a step was not finite and thus not taken, [W] bool.
    """
    num_workers, num_gradient_steps, size = minibatches.shape
    sizes, in_all = parameters.sizes, observation.shape[1]
    has_context = contexts.shapes.shape[0] > 0
    # Only the context needs the policy on steps outside the minibatch.
    count, first = (in_all, in_all - losses.features.shape[1]) if has_context else (size, 0)
    num_layers, num_parameters = sizes.shape[0] - 1, parameters.num_trained
    num_actions, width, units = sizes[num_layers], losses.out.shape[1], parameters.memory_size
    places = places_of_layers(sizes)
    end = places[num_layers] + num_actions  # of the policy's parameters
    widest = largest(sizes)
    outputs = np.empty((num_layers + 1, count * widest), np.float32)
    errors = np.empty((2, count * widest), np.float32)
    memory = np.empty(widest * widest, np.float32)
    per_update = np.empty(num_actions + units, np.float32)
    of_per_update = np.empty(num_actions + units, np.float32)
    hidden, slopes = np.empty(width, np.float32), np.empty(width, np.float32)
    common, total_slopes = np.empty(width, np.float32), np.empty(width, np.float32)
    reached = np.empty((3, contexts.constant.shape[1]), np.float32)  # outputs, slopes, errors
    masked = np.empty((count, num_actions), np.float32)
    gradient, step = np.empty(num_parameters, np.float32), np.empty(num_parameters, np.float32)
    other_moments = np.empty((2, num_parameters), np.float32)
    mean = outputs[num_layers, : count * num_actions].reshape((count, num_actions))
    error = errors[num_layers % 2, : count * num_actions].reshape((count, num_actions))
    in_outputs = np.arange(size)
    for w in range(num_workers):
        theta = parameters.theta[w, :num_parameters]
        now, following = parameters.moments[w], other_moments
        log_std, total_loss = theta[end - num_actions : end], np.float32(0.0)
        for k in range(num_gradient_steps):
            rows = minibatches[w, k]
            if has_context:
                for b in range(size):
                    in_outputs[b] = first + rows[b]
            for b in range(count):
                for i in range(sizes[0]):
                    at = b if has_context else rows[b]
                    outputs[0, b * sizes[0] + i] = observation[w, at, i]
            forward(theta, places, sizes, parameters.squashed, outputs, memory, count)
            copy(log_std, per_update[:num_actions])
            _remember(theta[end:], per_update[num_actions:])
            common[:] = np.float32(0.0)
            add_product(per_update, losses.to_per_update[w], common)
            if has_context:
                add_context(
                    contexts, losses, w, mean, per_update, masked, reached[0], reached[1], common
                )
            error[:] = np.float32(0.0)
            total_loss += add_loss_gradient(
                losses, w, rows, in_outputs, common, mean, error, hidden, slopes, total_slopes
            )
            for i in range(per_update.shape[0]):
                of_per_update[i] = dot(total_slopes, losses.to_per_update[w, i])
            for a in range(num_actions):
                of_per_update[a] += losses.log_std_penalty
                total_loss += losses.log_std_penalty * log_std[a]
            if has_context:
                add_context_gradient(
                    *(contexts, w, reached[1], total_slopes, reached[2], masked),
                    *(error, of_per_update[:num_actions]),
                )
            backward(
                theta, places, sizes, parameters.squashed, outputs, errors, gradient, memory, count
            )
            copy(of_per_update[:num_actions], gradient[end - num_actions : end])
            _remember_gradient(
                per_update[num_actions:], of_per_update[num_actions:], gradient[end:]
            )
            rate, memory_rate = rates[0, k], rates[1, k]
            if not descend_once(
                parameters.adam, theta, gradient, now, following, step, rate, memory_rate, end
            ):
                diverged[w] = True
            now, following = following, now
            for a in range(num_actions):
                log_std[a] = min(max(log_std[a], parameters.lowest), parameters.highest)
        if num_gradient_steps % 2 == 1:
            for part in range(2):
                copy(other_moments[part], parameters.moments[w, part])
        loss[w] = total_loss / np.float32(num_gradient_steps)


@compiled
def _remember(parameters, memory):
    """Computes the memory [U] on an input of ones, from kernel [constants, U] and then bias [U]."""
    units = memory.shape[0]
    memory[:] = np.float32(0.0)
    for first in range(0, parameters.shape[0], max(units, 1)):
        for j in range(units):
            memory[j] += parameters[first + j]
    tanh_in_place(memory)


@compiled
def _remember_gradient(memory, error, gradient):
    """Backpropagates the memory's error [U]; all rows of kernel and bias get the same gradient."""
    units = memory.shape[0]
    for j in range(units):
        error[j] *= np.float32(1.0) - memory[j] * memory[j]
    for first in range(0, gradient.shape[0], max(units, 1)):
        copy(error, gradient[first : first + units])
