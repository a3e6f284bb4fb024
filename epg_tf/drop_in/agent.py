"""`EvolvedLossAgent`: a TF-Agents agent that learns from an evolved loss.

It replaces a `PPOClipAgent` among TF-Agents' drivers, replay buffers and metrics. The loop is the
same: collect M steps, `train` on them, clear the buffer, repeat.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportArgumentType=false, reportOperatorIssue=false
# pyright: reportIndexIssue=false, reportOptionalSubscript=false

from __future__ import annotations

import pathlib
from typing import Any

import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.policies import greedy_policy
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory
from tf_agents.typing import types

from epg_tf.drop_in.policy import LossPolicy, unit_columns
from epg_tf.drop_in.statistics import FixedStatistics, LifetimeStatistics
from epg_tf.evolved_loss.use import LoadedLoss, load_loss


class EvolvedLossAgent(tf_agent.TFAgent):
    """One agent in one environment, which descends L_phi.

    It ignores rewards unless its loss was evolved to see them. `loss.json` says how it acts,
    normalises and learns. `train` takes the M = `steps_per_update` newest steps of `collect_policy`
    as a `TFUniformReplayBuffer` returns them, [1, T] with boundaries between episodes.

    Attributes:
        loss: The loss with its description.
        steps_per_update: M.
    """

    def __init__(
        self,
        time_step_spec: ts.TimeStep,
        action_spec: types.NestedTensorSpec,
        loss: LoadedLoss | str | pathlib.Path,
        seed: int = 0,
        train_step_counter: tf.Variable | None = None,
    ):
        """Draws a fresh agent.

        Args:
            time_step_spec: The environment's.
            action_spec: The environment's.
            loss: A loss, its folder, or the name of one that ships; see `epg_tf.load_loss`.
            seed: The seed of its weights and of the order of its minibatches. Actions come from
                TensorFlow's global random state, as always in TF-Agents.
            train_step_counter: The counter of updates; TensorFlow's global step by default.

        Raises:
            ValueError: If there is no such loss, or it is for other observations or actions.
        """
        self.loss = loss if isinstance(loss, LoadedLoss) else load_loss(loss)
        about = self.loss.description
        _require_same_sizes(about, time_step_spec, action_spec)
        self.steps_per_update: int = about["steps_per_update"]
        self._update, self._size = about["inner_update"], about["buffer_size"]
        self._shown = [one["name"] for one in about["inputs"]]
        self._num_actions = about["family"]["num_actions"]
        sizes = {"observation": about["family"]["observation_size"], "reward": 1, "termination": 1}
        sizes["action"] = self._num_actions or about["family"]["action_size"]
        rule = about["normalisation"]
        self._statistics = {name: LifetimeStatistics(sizes[name], rule) for name in rule["of"]}
        if rule.get("observation"):
            self._statistics["observation"] = FixedStatistics(*rule["observation"])
        self._refreshes_first = rule["refresh"] == "before_update"
        policy = LossPolicy(
            time_step_spec, action_spec, about, self._statistics["observation"], seed
        )
        super().__init__(
            time_step_spec,
            action_spec,
            greedy_policy.GreedyPolicy(policy),
            policy,
            train_sequence_length=None,
            train_step_counter=train_step_counter,
        )
        # The newest N steps, oldest first, with a mask that is 0 before the first step.
        self._buffer = {
            name: tf.Variable(tf.zeros([self._size, size])) for name, size in sizes.items()
        } | {"mask": tf.Variable(tf.zeros([self._size, 1]))}
        self._draw = tf.random.Generator.from_seed(seed + 1)
        memory = about["memory"]
        kernel = unit_columns(self._draw, (memory["constant_size"], memory["size"]))
        self._memory = [tf.Variable(kernel), tf.Variable(tf.zeros(memory["size"]))]
        self._theta = [*policy.theta, *(self._memory if memory["trained"] else [])]
        self._optimizer = tf.keras.optimizers.Adam(
            self._update["learning_rate"],
            self._update["beta_1"],
            self._update["beta_2"],
            self._update["epsilon"],
            jit_compile=False,
        )
        self._optimizer.build(self._theta)
        self._step = tf.function(self._take_step, autograph=False)

    def _train(self, experience: Any, weights: types.Tensor | None = None) -> tf_agent.LossInfo:
        """Takes one update; see the class."""
        del weights
        newest = self._newest(experience)
        for name, steps in newest.items():
            buffer = self._buffer[name]
            buffer.assign(tf.concat([buffer[self.steps_per_update :], steps[-self._size :]], 0))
        if self._refreshes_first:
            self._refresh(newest)
        shown = {
            name: self._statistics[name].normalise(buffer) if name in self._statistics else buffer
            for name, buffer in self._buffer.items()
        }
        loss = self._descend({name: tf.convert_to_tensor(steps) for name, steps in shown.items()})
        if not self._refreshes_first:
            self._refresh(newest)
        self.train_step_counter.assign_add(1)
        return tf_agent.LossInfo(loss, ())

    def _newest(self, experience: trajectory.Trajectory) -> dict[str, tf.Tensor]:
        """Returns the M collected steps without boundaries, [M, size] by name."""
        if experience.step_type.shape[0] not in (1, None):
            raise ValueError(
                f"`experience` (of {experience.step_type.shape[0]} environments) must be of one: "
                "an agent lives alone."
            )
        steps = tf.nest.map_structure(lambda part: part[0], experience)
        rows = tf.where(~steps.is_boundary())[:, 0]
        num_steps = int(tf.size(rows))
        if num_steps != self.steps_per_update:
            raise ValueError(
                f"`experience` (of {num_steps} steps, boundaries not counted) must be of "
                f"{self.steps_per_update}: train after as many, and clear the replay buffer."
            )
        chosen = tf.nest.map_structure(lambda part: tf.gather(part, rows), steps)
        action = chosen.action
        if self._num_actions is not None:
            action = tf.one_hot(tf.reshape(action, [-1]), self._num_actions)
        parts = {
            "observation": chosen.observation,
            "action": action,
            "reward": chosen.reward[:, tf.newaxis],
            "termination": chosen.is_last()[:, tf.newaxis],
            "mask": tf.ones([num_steps, 1]),
        }
        return {name: tf.cast(part, tf.float32) for name, part in parts.items()}

    def _refresh(self, newest: dict[str, tf.Tensor]) -> None:
        for name, statistics in self._statistics.items():
            statistics.update(newest[name])

    def _descend(self, buffer: dict[str, tf.Tensor]) -> tf.Tensor:
        """Takes an update's gradient steps; returns the mean loss over the first pass."""
        num_steps, first = self.steps_per_update, self._size - self.steps_per_update
        losses = []
        for _ in range(self._update["num_passes"]):
            order = tf.argsort(self._draw.uniform([num_steps])) + first
            for rows in tf.split(order, self._update["num_minibatches"]):
                losses.append(self._step(buffer, rows))
        return tf.reduce_mean(losses[: self._update["num_minibatches"]])

    def _take_step(self, buffer: dict[str, tf.Tensor], rows: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.gather(self._losses(buffer), rows))
        gradients = tape.gradient(loss, self._theta, unconnected_gradients="zero")
        self._optimizer.apply_gradients(zip(gradients, self._theta, strict=True))
        return loss

    def _losses(self, buffer: dict[str, tf.Tensor]) -> tf.Tensor:
        kernel, bias = self._memory
        memory = tf.tanh(tf.ones([1, kernel.shape[0]]) @ kernel + bias)
        given = {
            **buffer,
            **self.collect_policy.outputs(buffer["observation"]),
            "memory": memory,
        }
        return self.loss.per_step_loss(**{name: given[name] for name in self._shown})


def _require_same_sizes(
    about: dict[str, Any], time_step_spec: ts.TimeStep, action_spec: Any
) -> None:
    """Checks that an environment's observations and actions fit a loss.

    Raises:
        ValueError: If they do not fit.
    """
    family = about["family"]
    needed = [family["observation_size"]]
    shape = time_step_spec.observation.shape.as_list()
    if shape != needed:
        raise ValueError(
            f"`time_step_spec.observation` (of shape {shape}) must be of shape {needed}, as "
            f"{family['name']} gives it, for which the loss is."
        )
    is_discrete = action_spec.dtype.is_integer
    if is_discrete != (family["num_actions"] is not None):
        raise ValueError(
            f"`action_spec` (of {action_spec.dtype.name}) must be "
            f"{'a box of float32' if is_discrete else 'action numbers'} for this loss."
        )
    theirs = (
        int(action_spec.maximum) - int(action_spec.minimum) + 1
        if is_discrete
        else action_spec.shape.num_elements()
    )
    ours = family["num_actions"] or family["action_size"]
    if theirs != ours:
        raise ValueError(
            f"`action_spec` (of {theirs} actions) must be of {ours}, as {family['name']} takes, "
            "for which the loss is."
        )
