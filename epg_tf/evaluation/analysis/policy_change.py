"""Fig. 6: how far an update moves the policy, KL(pi_k || pi_{k+1}).

The divergence is exact for each observation (both policies are Gaussians, or both multinomials) and
averaged over the M steps that the update learned from. Both policies are given these observations
as the update saw them: what the running statistics add between two updates is not counted.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from epg_tf.agent.agents import widened
from epg_tf.agent.networks import Policy
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update


class PolicyChange:
    """Watches W agents learn, and measures by how much each update changes their policies."""

    def __init__(self, learner: Learner):
        """Begins with nothing seen."""
        self._learner = learner
        self._output = tf.function(learner.agents.policy.call, jit_compile=True, autograph=False)
        self._last: tuple[tf.Tensor, tuple[tf.Tensor, ...]] | None = None
        self._of_updates: list[np.ndarray] = []

    def observe(self, update: Update) -> None:
        """Looks at the policies before an update, which are those after the one before it."""
        agents = self._learner.agents
        self._compare()
        newest = update.batch.observation[:, -update.experience.length :]
        self._num_workers = len(newest)
        observation = tf.constant(widened(newest, agents.num_workers))
        self._last = observation, self._output(observation)

    def finish(self) -> np.ndarray:
        """Looks at the policies after the last update.

        Returns:
            The divergence of every agent at every update, in nats, [W, K].
        """
        self._compare()
        self._last = None
        return np.stack(self._of_updates, axis=1)[: self._num_workers]

    def _compare(self) -> None:
        if self._last is not None:
            observation, before = self._last
            policy = self._learner.agents.policy  # first: a learner may keep weights elsewhere
            divergence = mean_kl(policy, before, self._output(observation))
            self._of_updates.append(divergence.numpy())


def mean_kl(
    policy: Policy, before: tuple[tf.Tensor, ...], after: tuple[tf.Tensor, ...]
) -> tf.Tensor:
    """KL(before || after), the mean over T observations.

    In double precision: the terms for mean and deviation nearly cancel where a change is small.

    Args:
        policy: Says what its outputs mean.
        before: An output of the policy, a tuple of [W, T or 1, size].
        after: A later one on the same observations.

    Returns:
        [W] float64, in nats.
    """
    first, second = (
        policy.distribution(tuple(tf.cast(part, tf.float64) for part in output))
        for output in (before, after)
    )
    return tf.reduce_mean(first.kl_divergence(second), axis=1)
