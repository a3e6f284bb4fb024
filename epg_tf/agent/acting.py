"""The policies that act in the simulator: Algorithm 1, line 9, for W agents at a time, in NumPy.

A TensorFlow call per step would cost more than a forward pass of these small networks, and leaks
memory on Python 3.11 (tensorflow#62551). So the policies take copies of theta's arrays, once after
each update.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tf_agents.policies import py_policy
from tf_agents.specs import array_spec
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.native.collect import Actors


class ActingPolicy(py_policy.PyPolicy):
    """Acts for W agents, each with its own weights, statistics and random numbers.

    The same generators give the same actions whether noise is drawn step by step (`action`) or for
    many steps at once (`draw_noise`, then `act`).

    Attributes:
        generators: One per worker, for the noise of its actions.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: array_spec.BoundedArraySpec,
        generators: Sequence[np.random.Generator],
        mean_activation: str | None = None,
    ):
        """Makes a policy without weights; `load` sets them.

        Args:
            time_step_spec: The environment's time steps, per worker.
            action_spec: The environment's actions; an integer for a finite action space.
            generators: One per worker, for the noise of its actions.
            mean_activation: The activation of a Gaussian policy's mean: None or "tanh".
        """
        super().__init__(time_step_spec, action_spec)  # pyright: ignore[reportArgumentType]
        self.generators = list(generators)
        self._discrete = np.issubdtype(action_spec.dtype, np.integer)
        self._squashed = mean_activation == "tanh" and not self._discrete
        self._noise_shape = (1,) if self._discrete else tuple(action_spec.shape)

    def load(self, weights: Sequence[np.ndarray], statistics: RunningStatistics) -> None:
        """Sets the weights, and the statistics that normalise observations.

        Args:
            weights: The weights of a `GaussianPolicy` or `CategoricalPolicy`, [W, ...] each.
            statistics: The statistics of observations, [W, S].
        """
        if not self._discrete:
            *weights, log_std = weights
            self._std = np.exp(log_std[:, 0])
        self._layers = list(zip(weights[::2], weights[1::2], strict=True))
        self._statistics = statistics

    def draw_noise(self, num_steps: int) -> np.ndarray:
        """Draws noise for the next steps, [W, num_steps, A], or [W, num_steps, 1] if discrete."""
        shape = (num_steps, *self._noise_shape)
        draw = np.random.Generator.random if self._discrete else np.random.Generator.standard_normal
        return np.stack([draw(g, shape, dtype=np.float32) for g in self.generators])

    @property
    def actors(self) -> Actors:
        """The policies in the form that `native.collect` takes, once `load` was called."""
        kernels = [kernel for kernel, _ in self._layers]
        flat = [w.reshape(len(w), -1) for layer in self._layers for w in layer]
        sizes = [kernels[0].shape[1], *(kernel.shape[2] for kernel in kernels)]
        deviation = np.empty((len(flat[0]), 0), np.float32) if self._discrete else self._std
        return Actors(
            np.concatenate(flat, axis=1),
            np.array(sizes),
            deviation,
            self._squashed,
            self._statistics.mean,
            self._statistics.std,
        )

    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Samples actions.

        Args:
            observation: The simulator's observation, not normalised, [W, S].
            noise: One step of the result of `draw_noise`, [W, A] or [W, 1].

        Returns:
            [W, A] float32, or [W] action numbers.
        """
        outputs = self.mean(observation[:, np.newaxis])
        if not self._discrete:
            return outputs[:, 0] + self._std * noise
        weights = np.exp(outputs[:, 0] - outputs[:, 0].max(axis=1, keepdims=True))
        cumulative = np.cumsum(weights, axis=1)
        return np.sum(cumulative[:, :-1] <= noise * cumulative[:, -1:], axis=1)

    def mean(self, observation: np.ndarray) -> np.ndarray:
        """Returns the networks' outputs on [W, T, S]: mean actions [W, T, A], or logits."""
        return self._forward(self._statistics.normalise(observation))

    def _forward(self, hidden: np.ndarray) -> np.ndarray:
        last = len(self._layers) - 1
        for position, (kernel, bias) in enumerate(self._layers):
            hidden = np.matmul(hidden, kernel)
            hidden += bias
            if position < last or self._squashed:
                np.tanh(hidden, out=hidden)
        return hidden

    def _action(self, time_step: ts.TimeStep, policy_state, seed=None) -> policy_step.PolicyStep:
        del seed
        action = self.act(time_step.observation, self.draw_noise(1)[:, 0])  # pyright: ignore[reportArgumentType]
        return policy_step.PolicyStep(action, policy_state)  # pyright: ignore[reportCallIssue]
