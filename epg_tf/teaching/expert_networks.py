"""The networks of an expert and its normalisation, and both as arrays."""

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

ExpertState = Mapping[str, np.ndarray]  # an expert in a checkpoint


class ExpertNetworks:
    """A policy and a value function of observation and task, and the Adam of both.

    Attributes:
        sees: Columns of the task's parameters that the policy sees.
        policy: N(mu*(s), std) or N(mu*(s, task), std).
        value_function: V(s, task) of scaled rewards, of the order of 1.
        variables: The trained variables.
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
        """Makes the networks; `restore` sets their weights.

        Args:
            observation_size: S.
            action_size: A, of a box.
            tasks: Parameters of many tasks, for their mean and spread, [tasks, T].
            hidden_sizes: Units of the hidden layers of policy and value function.
            initial_log_std: The policy's first log standard deviation.
            log_std_floor: The lower bound of it.
            sees: Columns of `tasks` that the policy sees too.
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
        """Returns the state of fresh networks."""
        weights = [*self.policy.draw(rng), *self.value_function.draw(rng)]
        for variable, weight in zip(self.variables, weights, strict=True):
            variable.assign(weight[np.newaxis])
        self.adam.reset()
        return self.state(RunningStatistics.start(1, self.observation_size), reward_scale=0.0)

    def output(self, observation: tf.Tensor, task: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the policy's output on [1, B] steps."""
        return self.policy(tf.concat([observation, tf.gather(task, self.sees, axis=-1)], -1))

    def value(self, observation: tf.Tensor, task: tf.Tensor) -> tf.Tensor:
        """Returns V of [1, B] steps."""
        return self.value_function(tf.concat([observation, task], -1))[..., 0]

    def normal_task(self, task: np.ndarray) -> np.ndarray:
        """Normalises parameters of tasks, [..., T]."""
        return ((task - self._task_mean) / self._task_std).astype(np.float32)

    def state(self, statistics: RunningStatistics, reward_scale: float) -> ExpertState:
        """Returns the networks, the statistics of observations and the reward scale as arrays."""
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
        """Restores the networks from a state."""
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
    """Returns the statistics of an expert's observations, as of a single worker."""
    count, *sums = (state[f"seen_{name}"] for name in _SUMS)
    return RunningStatistics(float(count), *sums)
