"""`EvolvedLossAgent`: a TF-Agents agent that learns from an evolved loss.

It replaces a `PPOClipAgent` among TF-Agents' drivers, replay buffers and metrics. The loop is the
same: collect M steps, `train` on them, clear the buffer, repeat. Updates are those of lifetimes.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportArgumentType=false

from __future__ import annotations

import io
import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
from tf_agents.agents import tf_agent
from tf_agents.policies import greedy_policy
from tf_agents.trajectories import StepType
from tf_agents.trajectories import time_step as ts
from tf_agents.typing import types

from epg_tf.agent.experience import Experience
from epg_tf.drop_in.policy import LossPolicy
from epg_tf.evolved_loss.use import LoadedLoss, load_loss
from epg_tf.inner_loop.backends import Backends
from epg_tf.inner_loop.learning import Learning
from epg_tf.inner_loop.networks import build_agents
from epg_tf.seeds import LifetimeSeed


class EvolvedLossAgent(tf_agent.TFAgent):
    """One agent in one environment, which descends L_phi.

    It ignores rewards unless its loss was evolved to see them. `loss.json` says how it acts,
    normalises and learns. `train` takes the M = `steps_per_update` newest steps of `collect_policy`
    as a `TFUniformReplayBuffer` returns them, [1, T] with boundaries between episodes. Call it
    outside of any `tf.function`: its updates are compiled already.

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
        _require_same_spaces(self.loss.description["family"], time_step_spec, action_spec)
        self._settings, spaces = self.loss.settings, self.loss.spaces
        self._num_actions = spaces.num_actions
        self.steps_per_update: int = self._settings.steps_per_update
        self._agents = build_agents(self._settings, spaces)
        seeds = [LifetimeSeed(0, (seed,))]
        self._learning = Learning.begin(self._settings, spaces, self._agents, seeds)
        self._agents.assign(self._learning.agents.theta)
        self._backends, self._backend = Backends(self._settings, spaces, 1), None
        statistics = self._learning.statistics["observation"]
        policy = LossPolicy(time_step_spec, action_spec, self._agents.policy, statistics)
        super().__init__(
            time_step_spec,
            action_spec,
            greedy_policy.GreedyPolicy(policy),
            policy,
            train_sequence_length=None,
            train_step_counter=train_step_counter,
        )
        # TensorFlow keeps these two in checkpoints.
        self._networks = self._agents.networks
        self._rest = _Rest(self._learning)

    def _train(self, experience: Any, weights: types.Tensor | None = None) -> tf_agent.LossInfo:
        """Takes one update; see the class."""
        del weights
        if not tf.executing_eagerly():
            raise ValueError(
                "`train` (within a tf.function) must be called outside of one: leave out "
                "`common.function(agent.train)`, since updates are compiled already."
            )
        if experience.step_type.shape[0] != 1:
            raise ValueError(
                f"`experience` (of {experience.step_type.shape[0]} environments) must be of one: "
                "an agent lives alone."
            )
        names = ("step_type", "observation", "action", "reward", "next_step_type", "discount")
        newest = self._newest(*(getattr(experience, name).numpy() for name in names))
        learning = self._learning
        if self._backend is None:
            self._backend = self._backends.load(self.loss.phi[np.newaxis], 0.0)
        batch, refreshed = learning.take_in(self._settings, newest, self._num_actions, guided=False)
        loss, _ = self._backend.descend(learning.agents, batch, 0.0)
        learning.statistics = refreshed
        self._agents.assign(learning.agents.theta)
        self.collect_policy.normalise_by(refreshed["observation"])
        self.train_step_counter.assign_add(1)
        return tf_agent.LossInfo(tf.constant(loss[0]), ())

    def _newest(self, step_type, observation, action, reward, next_step_type, discount):
        """Returns the M collected steps without boundaries, as an `Experience`."""
        is_step = step_type[0] != StepType.LAST
        num_steps = np.count_nonzero(is_step)
        if num_steps != self.steps_per_update:
            raise ValueError(
                f"`experience` (of {num_steps} steps, boundaries not counted) must be of "
                f"{self.steps_per_update}: train after as many, and clear the replay buffer."
            )
        ended = next_step_type == StepType.LAST
        terminated = ended & (discount == 0.0)
        # Only guidance reads what follows, and there is none here.
        parts = observation, action, reward, terminated, ended, observation
        return Experience(*(part[:, is_step] for part in parts))


class _Rest(tf.train.experimental.PythonState):
    """The part of an agent that a checkpoint needs beside its networks."""

    def __init__(self, learning: Learning):
        self._learning = learning

    def serialize(self) -> bytes:
        file = io.BytesIO()
        np.savez(file, **self._learning.as_arrays())
        return file.getvalue()

    def deserialize(self, string_value: bytes) -> None:
        with np.load(io.BytesIO(string_value), allow_pickle=False) as arrays:
            self._learning.restore(dict(arrays))


def _require_same_spaces(
    family: dict[str, Any], time_step_spec: ts.TimeStep, action_spec: Any
) -> None:
    """Checks that an environment's observations and actions fit a loss.

    Raises:
        ValueError: If they do not fit.
    """
    for name, spec in (
        ("time_step_spec.observation", time_step_spec.observation),
        ("action_spec", action_spec),
    ):
        if not isinstance(spec, tf.TypeSpec):
            raise ValueError(f"`{name}` (a {type(spec).__name__}) must be one spec of one array.")
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
    if is_discrete and action_spec.shape.rank:
        raise ValueError(
            f"`action_spec` (of shape {action_spec.shape.as_list()}) must be one action number."
        )
    if is_discrete and int(action_spec.minimum):
        raise ValueError(f"`action_spec` (from {int(action_spec.minimum)}) must begin at 0.")
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
