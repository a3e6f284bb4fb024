"""The policy that an evolved loss trains, for TF-Agents."""

# Pyright's TensorFlow stubs know neither static shapes nor nested specs.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false

from __future__ import annotations

import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from epg_tf.agent.networks import Policy
from epg_tf.agent.normaliser import RunningStatistics


class LossPolicy(tf_policy.TFPolicy):
    """pi(a | s; theta) of one agent.

    Attributes:
        network: The policy of one worker, whose weights the agent changes.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: types.NestedTensorSpec,
        network: Policy,
        statistics: RunningStatistics,
    ):
        """Stores the network.

        Args:
            time_step_spec: The environment's.
            action_spec: The environment's.
            network: The policy of one worker.
            statistics: The statistics that normalise observations, of one worker.
        """
        # The loss needs actions without clipping, and the simulator clips controls itself.
        super().__init__(time_step_spec, action_spec, clip=False, name="LossPolicy")
        self.network = network
        self._mean, self._std = tf.Variable(statistics.mean[0]), tf.Variable(statistics.std[0])

    def normalise_by(self, statistics: RunningStatistics) -> None:
        """Replaces the statistics that normalise observations."""
        self._mean.assign(statistics.mean[0])
        self._std.assign(statistics.std[0])

    def _variables(self) -> list[tf.Variable]:
        return [*self.network.weights, self._mean, self._std]

    def _distribution(self, time_step: ts.TimeStep, policy_state) -> policy_step.PolicyStep:
        samples = tf.cast(time_step.observation, tf.float64)
        observation = tf.cast((samples - self._mean) / self._std, tf.float32)
        output = self.network(observation[tf.newaxis])  # the environments are a worker's steps
        distribution = self.network.distribution(tuple(part[0] for part in output))
        if self.action_spec.dtype.is_integer:
            logits = distribution.logits
            distribution = tfp.distributions.Categorical(logits, dtype=self.action_spec.dtype)
        return policy_step.PolicyStep(distribution, policy_state)
