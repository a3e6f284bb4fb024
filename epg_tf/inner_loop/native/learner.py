"""Algorithm 1, line 12, in machine code: one call takes all gradient steps of an update.

It serves learned losses of agents with Gaussian policies. The reference is `learner.Learner`.
"""

from __future__ import annotations

import numpy as np

from epg_tf.agent.adam import BETA_1, BETA_2
from epg_tf.agent.agents import AgentState
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.native.phi import NativePhi
from epg_tf.inner_loop.networks import build_agents
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.native.compiler import prepare
from epg_tf.native.descend import Adam, Parameters, descend
from epg_tf.tasks.family import Spaces


class NativeLearner:
    """Takes the gradient steps of W agents on the learned loss; a `backends.Backend`."""

    def __init__(self, settings: InnerLoop, spaces: Spaces):
        """Makes a learner; `load` gives it the losses.

        Args:
            settings: The settings of the lifetimes.
            spaces: The spaces of observations and actions; actions must be a box.
        """
        self._settings = settings
        self._sizes = np.array(
            [spaces.observation_size, *settings.hidden_sizes, spaces.action_size]
        )
        self._phi = NativePhi(settings, spaces)
        agents = build_agents(settings, spaces)
        self._parts, self._num_policy = agents.parts, len(agents.policy.weights)
        networks = (agents.policy, agents.memory) if self._phi.trains_memory else (agents.policy,)
        self._num_trained = sum(network.count_params() for network in networks)
        self._is_prepared = False

    def load(self, phi: np.ndarray) -> None:
        """Takes the losses phi [W, P]; see `backends.Backend`."""
        self._phi.assign(phi)

    def descend(
        self, state: AgentState, batch: UpdateBatch, guidance: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Takes one update's gradient steps; see `backends.Backend`."""
        assert guidance == 0.0
        settings, num_workers = self._settings, len(state.theta)
        num_steps = settings.steps_per_update
        minibatches = batch.permutation.reshape(
            num_workers, -1, num_steps // settings.num_minibatches
        )
        seen = settings.buffer_size if settings.learned_loss.context_size else num_steps
        t = state.counts[:2, np.newaxis] + 1 + np.arange(minibatches.shape[1])
        rates = settings.learning_rate * np.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)
        loss, diverged = np.empty(num_workers, np.float32), np.zeros(num_workers, bool)
        low, high = settings.log_std_bounds or (-np.inf, np.inf)
        kernel, bias = self._parts(state.theta)[self._num_policy :][:2]
        memory = np.tanh(kernel.sum(axis=1, keepdims=True) + bias)
        parameters = Parameters(
            theta=state.theta,
            moments=state.moments,
            sizes=self._sizes,
            squashed=settings.mean_activation == "tanh",
            lowest=np.float32(low),
            highest=np.float32(high),
            memory_size=settings.memory_size if self._phi.trains_memory else 0,
            num_trained=self._num_trained,
            adam=Adam(*map(np.float32, (settings.adam_epsilon, BETA_1, BETA_2))),
        )
        arguments = (
            parameters,
            *self._phi.before_update(batch, memory),
            # Copies, since numba would compile again for read-only or non-contiguous arrays.
            batch.observation[:, -seen:].copy(),
            minibatches.copy(),
            rates.astype(np.float32),
            loss,
            diverged,
        )
        if not self._is_prepared:
            prepare(descend, arguments)
            self._is_prepared = True
        descend(*arguments)
        state.counts[:2] += minibatches.shape[1]
        return loss, diverged
