"""Fig. 6: how far an update moves the policy, KL(pi_k || pi_{k+1}).

The divergence is exact for each observation, because the policies are both Gaussians or both
multinomials. It is averaged over the update's M newest steps. Both policies get the update's
observations, so later changes of the running statistics do not count.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from epg_tf.agent.agents import Agents, AgentState, pad_workers
from epg_tf.agent.networks import Policy
from epg_tf.inner_loop.lifetime import Update


class PolicyChange:
    """Measures how much each update changes the policies of W agents while they learn."""

    def __init__(self, agents: Agents):
        """Starts without measurements; `agents` are networks that it may give any weights."""
        self._agents = agents
        self._output = tf.function(agents.policy.call, jit_compile=True, autograph=False)
        self._last: tuple[tf.Tensor, tuple[tf.Tensor, ...]] | None = None
        self._of_updates: list[np.ndarray] = []

    def observe(self, update: Update) -> None:
        """Measures the previous update, and keeps the policies' outputs before this one."""
        self._compare(update.agents)
        newest = update.batch.observation[:, -update.experience.length :]
        self._num_workers = len(newest)
        observation = tf.constant(pad_workers(newest, self._agents.num_workers))
        self._last = observation, self._output(observation)

    def finish(self, agents: AgentState) -> np.ndarray:
        """Measures the last update.

        Args:
            agents: The agents after it.

        Returns:
            The divergence of every agent at every update, in nats, [W, K].
        """
        self._compare(agents)
        self._last = None
        return np.stack(self._of_updates, axis=1)[: self._num_workers]

    def _compare(self, agents: AgentState) -> None:
        self._agents.assign(agents.theta)
        if self._last is not None:
            observation, before = self._last
            divergence = mean_kl(self._agents.policy, before, self._output(observation))
            self._of_updates.append(divergence.numpy())


def mean_kl(
    policy: Policy, before: tuple[tf.Tensor, ...], after: tuple[tf.Tensor, ...]
) -> tf.Tensor:
    """Returns KL(before || after), the mean over T observations.

    Small changes need double precision: the terms for mean and deviation nearly cancel.

    Args:
        policy: The policy, which makes distributions of its outputs.
        before: An output of the policy, a tuple of [W, T or 1, size].
        after: A later output on the same observations.

    Returns:
        [W] float64, in nats.
    """
    first, second = (
        policy.distribution(tuple(tf.cast(part, tf.float64) for part in output))
        for output in (before, after)
    )
    return tf.reduce_mean(first.kl_divergence(second), axis=1)
