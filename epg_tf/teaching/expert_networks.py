"""What an expert is made of: its networks, what it normalises by, and both as arrays."""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.adam import WorkerAdam
from epg_tf.agent.networks import GaussianPolicy, Multilayer
from epg_tf.agent.normaliser import RunningStatistics

_ADAM_EPSILON = 1e-5
_SUMS = tuple(field.name for field in dataclasses.fields(RunningStatistics))

ExpertState = Mapping[str, np.ndarray]  # what a checkpoint has of an expert


class ExpertNetworks:
    """A policy and a value function of observation and task, and the Adam of both.

    Attributes:
        sees: Which numbers of a task the policy is shown, as columns.
        policy: N(mu*(s), std), or mu*(s, task).
        value_function: V(s, task), of rewards scaled such that it is of the order of 1.
        variables: What is trained.
        rate: The step size of Adam.
        adam: The optimiser.
    """

    def __init__(
        self,
        observation_size: int,
        action_size: int,
        tasks: np.ndarray,
        hidden_sizes: Sequence[int],
        initial_log_std: float,
        log_std_floor: float,
        sees: Sequence[int],
    ):
        """Makes the networks; a state says what they hold.

        Args:
            observation_size: S.
            action_size: A, of a box.
            tasks: What was drawn for many tasks, by which it is normalised, [tasks, T].
            hidden_sizes: Units of the hidden layers of policy and value function.
            initial_log_std: Where the policy's log standard deviation starts.
            log_std_floor: The lowest that it can be.
            sees: Which numbers of a task the policy is shown too, as columns of `tasks`.
        """
        self.sees = np.asarray(sees, int)
        self._task_mean, self._task_std = tasks.mean(axis=0), np.maximum(tasks.std(axis=0), 1e-6)
        self.observation_size, num_seen = observation_size, observation_size + tasks.shape[1]
        bounds = (log_std_floor, np.inf)
        self.policy = GaussianPolicy(
            1, action_size, hidden_sizes, initial_log_std, log_std_bounds=bounds
        )
        self.value_function = Multilayer(1, hidden_sizes, 1, output_gain=1.0)
        self.policy(tf.zeros([1, 1, observation_size + len(sees)]))
        self.value_function(tf.zeros([1, 1, num_seen]))
        self.variables = [
            *self.policy.trainable_variables,
            *self.value_function.trainable_variables,
        ]
        self.rate = tf.Variable(0.0)
        self.adam = WorkerAdam(self.variables, self.rate, _ADAM_EPSILON)

    def draw(self, rng: np.random.Generator) -> ExpertState:
        """Fresh networks."""
        weights = [*self.policy.draw(rng), *self.value_function.draw(rng)]
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight[np.newaxis])
        self.adam.reset()
        return self.state(RunningStatistics.start(1, self.observation_size), reward_scale=0.0)

    def output(self, observation: tf.Tensor, task: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The policy's output on [1, B] steps."""
        return self.policy(tf.concat([observation, tf.gather(task, self.sees, axis=-1)], -1))

    def value(self, observation: tf.Tensor, task: tf.Tensor) -> tf.Tensor:
        """V of [1, B] steps."""
        return self.value_function(tf.concat([observation, task], -1))[..., 0]

    def normal_task(self, task: np.ndarray) -> np.ndarray:
        """What was drawn, [..., T], as the networks are shown it."""
        return ((task - self._task_mean) / self._task_std).astype(np.float32)

    def state(self, statistics: RunningStatistics, reward_scale: float) -> ExpertState:
        """All of this as arrays, with what it has seen and what rewards are multiplied by."""
        count, m, v = self.adam.moments()
        weights = [variable.numpy() for variable in self.variables]
        return {
            "weights": np.concatenate(weights, axis=None),
            "moments": np.concatenate([*m, *v], axis=None),
            "count": np.array(count),
            "reward_scale": np.array(reward_scale),
            **{f"seen_{name}": np.asarray(getattr(statistics, name)) for name in _SUMS},
        }

    def restore(self, state: ExpertState) -> None:
        """Takes over what `state` gave."""
        shapes = [variable.shape.as_list() for variable in self.variables]
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])

        def parts(flat: np.ndarray) -> list[np.ndarray]:
            split = np.split(flat, ends[:-1])
            return [part.reshape(shape) for part, shape in zip(split, shapes, strict=True)]

        for variable, weight in zip(self.variables, parts(state["weights"]), strict=True):
            variable.assign(weight)
        m, v = np.split(state["moments"], 2)
        self.adam.restore(float(state["count"]), parts(m), parts(v))


def statistics_of(state: ExpertState) -> RunningStatistics:
    """Of all that an expert has seen, as if a single worker had."""
    count, *sums = (state[f"seen_{name}"] for name in _SUMS)
    return RunningStatistics(float(count), *sums)
