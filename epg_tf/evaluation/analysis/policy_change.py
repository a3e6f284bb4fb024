"""Fig. 6: how far an update moves the policy, KL(pi_k || pi_{k+1}).

The divergence is exact for each observation, because the policies are both Gaussians or both
multinomials. It is averaged over the update's M newest steps. Both policies get the update's
observations, so later changes of the running statistics do not count.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from epg_tf.agent.agents import pad_workers
from epg_tf.agent.networks import Policy
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Update


class PolicyChange:
    """Measures how much each update changes the policies of W agents while they learn."""

    def __init__(self, learner: Learner):
        """Starts without measurements."""
        self._learner = learner
        self._output = tf.function(learner.agents.policy.call, jit_compile=True, autograph=False)
        self._last: tuple[tf.Tensor, tuple[tf.Tensor, ...]] | None = None
        self._of_updates: list[np.ndarray] = []

    def observe(self, update: Update) -> None:
        """Measures the previous update, and keeps the policies' outputs before this one."""
        agents = self._learner.agents
        self._compare()
        newest = update.batch.observation[:, -update.experience.length :]
        self._num_workers = len(newest)
        observation = tf.constant(pad_workers(newest, agents.num_workers))
        self._last = observation, self._output(observation)

    def finish(self) -> np.ndarray:
        """Measures the last update.

        Returns:
            The divergence of every agent at every update, in nats, [W, K].
        """
        self._compare()
        self._last = None
        return np.stack(self._of_updates, axis=1)[: self._num_workers]

    def _compare(self) -> None:
        if self._last is not None:
            observation, before = self._last
            policy = self._learner.agents.policy  # read first: syncs a native learner's weights
            divergence = mean_kl(policy, before, self._output(observation))
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
