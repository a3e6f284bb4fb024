"""The policy that an evolved loss trains, as described in `loss.json`, for TF-Agents."""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from epg_tf.drop_in.statistics import FixedStatistics, LifetimeStatistics


class LossPolicy(tf_policy.TFPolicy):
    """pi(a | s; theta) of one agent.

    Attributes:
        log_std: The log standard deviation of a Gaussian policy, [1, A]; None if categorical.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: types.NestedTensorSpec,
        description: Mapping[str, Any],
        observations: LifetimeStatistics | FixedStatistics,
        seed: int,
    ):
        """Draws fresh weights.

        Args:
            time_step_spec: The environment's.
            action_spec: The environment's.
            description: The content of `loss.json`.
            observations: The statistics that normalise observations.
            seed: The seed of the weights.
        """
        # The loss needs actions without clipping, and the simulator clips controls itself.
        super().__init__(time_step_spec, action_spec, clip=False, name="LossPolicy")
        about = description["policy"]
        self._observations, self._seed = observations, seed
        self.log_std = None
        num_outputs = about.get("num_actions") or about["action_size"]
        if about["distribution"] == "gaussian":
            low, high = about["log_std_bounds"] or (-float("inf"), float("inf"))
            self.log_std = tf.Variable(
                tf.fill([1, num_outputs], float(about["initial_log_std"])),
                constraint=lambda values: tf.clip_by_value(values, low, high),
            )
        self._squashes = about.get("mean_activation") == "tanh"
        draw = tf.random.Generator.from_seed(seed)
        sizes = [description["family"]["observation_size"], *about["hidden_sizes"], num_outputs]
        self._layers = [
            (tf.Variable(unit_columns(draw, shape)), tf.Variable(tf.zeros(shape[1])))
            for shape in zip(sizes, sizes[1:], strict=False)
        ]
        last = self._layers[-1][0]
        last.assign(about["output_gain"] * last)

    def outputs(self, observation: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the policy's output, as input for the loss.

        Args:
            observation: Normalised, [T, S].

        Returns:
            `policy_mean` [T, A] and `policy_log_std` [1, A], or `policy_log_probabilities` [T, A].
        """
        found = observation
        for kernel, bias in self._layers[:-1]:
            found = tf.tanh(found @ kernel + bias)
        kernel, bias = self._layers[-1]
        found = found @ kernel + bias
        if self.log_std is None:
            return {"policy_log_probabilities": tf.nn.log_softmax(found)}
        mean = tf.tanh(found) if self._squashes else found
        return {"policy_mean": mean, "policy_log_std": tf.convert_to_tensor(self.log_std)}

    @property
    def theta(self) -> list[tf.Variable]:
        """The trained variables: kernel and bias of each layer, and the log standard deviation."""
        weights = [variable for layer in self._layers for variable in layer]
        return weights if self.log_std is None else [*weights, self.log_std]

    def _variables(self) -> list[tf.Variable]:
        return [*self.theta, *self._observations.variables]

    def _distribution(self, time_step: ts.TimeStep, policy_state) -> policy_step.PolicyStep:
        outputs = self.outputs(self._observations.normalise(time_step.observation))
        spec = self.action_spec
        if self.log_std is None:
            logits = outputs["policy_log_probabilities"]
            distribution: Any = tfp.distributions.Categorical(logits=logits, dtype=spec.dtype)
        else:
            std = tf.exp(outputs["policy_log_std"]) * tf.ones_like(outputs["policy_mean"])
            distribution = tfp.distributions.MultivariateNormalDiag(outputs["policy_mean"], std)
        return policy_step.PolicyStep(distribution, policy_state)


def unit_columns(draw: tf.random.Generator, shape: tuple[int, int]) -> tf.Tensor:
    """Draws a Gaussian kernel whose columns, one per unit, have norm 1."""
    return tf.math.l2_normalize(draw.normal(shape), axis=0)
