"""The expert that teaches phi: one policy for all tasks, trained by PPO on rewards beside phi.

Its value function sees the parameters of the task (an asymmetric actor-critic, Pinto et al. 2017).
Its policy sees those that `sees` names. It labels states of phi's own agents, as in DAgger (Ross et
al. 2011), with the gradient of -log N(mu*(s_t); mean, std) by the policy's output. The target of
the mean is this gradient times std^2, `mean - mu*`. The target of log std is it times std, `std (1
- (mean - mu*)^2 / std^2)`, at least -std. So the noise of agents falls with their distance from the
expert.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false, reportOperatorIssue=false, reportArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportAttributeAccessIssue=false

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.agent.adam import all_finite
from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.loss.guidance import PPO, GuideBatch, GuideTargets
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.expert_networks import ExpertNetworks, ExpertState, statistics_of

_LARGEST_GRADIENT_NORM = 1.0
_CHUNK = 64  # demonstrations whose targets are made at a time


class Rows(NamedTuple):
    """A minibatch of B steps, [1, B, ...] each, with the targets of PPO."""

    observation: np.ndarray
    task: np.ndarray
    action: np.ndarray
    targets: GuideTargets


class Expert:
    """A policy that acts, learns and labels states.

    Attributes:
        networks: The networks; a separate state holds their weights.
    """

    def __init__(self, networks: ExpertNetworks, ppo: PPO):
        """Stores networks and settings.

        Args:
            networks: The policy and the value function.
            ppo: The settings of PPO.
        """
        self.networks, self._ppo = networks, ppo

    def actors(
        self, state: ExpertState, tasks: np.ndarray
    ) -> tuple[list[np.ndarray], RunningStatistics]:
        """Returns W policies of observations alone, each for one task.

        The contribution of the task to the first layer becomes part of its bias.

        Args:
            state: The state of the expert.
            tasks: The parameters of the tasks, [W, T].

        Returns:
            The arguments of `ActingPolicy.load`.
        """
        self.networks.restore(state)
        kernel, bias, *others = [weight[0] for weight in self.networks.policy.get_weights()]
        biases = np.broadcast_to(bias, (len(tasks), 1, bias.shape[-1]))
        kernel, of_task = np.split(kernel, [self.networks.observation_size])
        shown = self.networks.normal_task(tasks)[:, self.networks.sees]
        # A sum of terms, since the rounding of a matrix product depends on its number of rows, W.
        for number, weights in zip(shown.T, of_task, strict=True):
            biases = biases + number[:, np.newaxis, np.newaxis] * weights
        parts = [np.broadcast_to(part, (len(tasks), *part.shape)) for part in (kernel, *others)]
        weights = [parts[0], biases, *parts[1:]]
        one = statistics_of(state)
        sums = (np.repeat(total, len(tasks), axis=0) for total in (one.total, one.total_of_squares))
        arrays = [np.ascontiguousarray(weight, np.float32) for weight in weights]
        return arrays, RunningStatistics(one.count, *sums)

    def learn(
        self,
        state: ExpertState,
        experience: Experience,
        tasks: np.ndarray,
        learning_rate: float,
        num_passes: int,
        minibatch_size: int,
        rng: np.random.Generator,
    ) -> ExpertState:
        """Trains the expert on steps that it took itself.

        Args:
            state: The state with which it acted.
            experience: M steps of W agents.
            tasks: The parameters of their tasks, [W, T].
            learning_rate: The step size of Adam.
            num_passes: Passes over the steps.
            minibatch_size: Steps per gradient step.
            rng: The generator of the order of steps.

        Returns:
            The new state.
        """
        self.networks.restore(state)
        statistics = statistics_of(state)
        scale = float(state["reward_scale"])
        if not scale:  # scales discounted sums of rewards to the order of 1
            size = np.sqrt(np.mean(np.square(experience.reward, dtype=np.float64)))
            of_order_1 = (1.0 - self._ppo.discount + 1e-3) / max(size, 1e-6)
            scale = of_order_1 if np.isfinite(size) else 0.0
        rows = self._rows(statistics, experience, tasks, scale)
        num_steps = rows.action.shape[1]
        size = min(minibatch_size, num_steps)
        self.networks.rate.assign(learning_rate)
        for _ in range(num_passes):
            order = rng.permutation(num_steps)[: num_steps // size * size]
            for taken in order.reshape(-1, size):
                self._step(tf.nest.map_structure(lambda part, t=taken: part[:, t], rows))
        seen = experience.observation.reshape(1, num_steps, -1)
        return self.networks.state(statistics.updated(seen), scale)

    def with_targets(self, state: ExpertState, demonstrations: Demonstrations) -> Demonstrations:
        """Adds the expert's targets to demonstrations; see the module."""
        if not demonstrations.number:
            return demonstrations
        self.networks.restore(state)
        assert demonstrations.steps is not None
        observation, task = demonstrations.steps.observation, demonstrations.steps.task
        statistics, task = statistics_of(state), self.networks.normal_task(task)
        chunks = [slice(start, start + _CHUNK) for start in range(0, demonstrations.number, _CHUNK)]
        parts = [
            self._best(statistics.normalise(_flat(observation[c])), _flat(task[c])) for c in chunks
        ]
        mean, log_std = (part[:, -observation.shape[1] :] for part in demonstrations.inputs.policy)
        best = np.concatenate(parts, axis=1).reshape(mean.shape)
        off = mean - best
        std = np.exp(log_std)
        quieter = std * np.maximum(1.0 - np.square(off / std), -1.0)
        return demonstrations._replace(targets=(off, quieter))

    def _rows(
        self,
        statistics: RunningStatistics,
        experience: Experience,
        tasks: np.ndarray,
        reward_scale: float,
    ) -> Rows:
        """All steps as one row, with advantages that are standardised over all of them."""
        shape = experience.reward.shape
        task = _flat(np.repeat(self.networks.normal_task(tasks)[:, np.newaxis], shape[1], axis=1))
        now, later = (
            statistics.normalise(_flat(observation))
            for observation in (experience.observation, experience.next_observation)
        )
        action = _flat(experience.action)
        log_prob, value, next_value = self._judge(now, later, task, action)
        targets = self._ppo.targets(
            GuideBatch(
                log_prob=tf.reshape(log_prob, shape),
                reward=tf.constant(reward_scale * experience.reward, tf.float32),
                terminated=tf.constant(experience.terminated, tf.float32),
                ended=tf.constant(experience.ended, tf.float32),
                value=tf.reshape(value, shape),
                next_value=tf.reshape(next_value, shape),
            )
        )
        advantage = targets.value.numpy() - value.numpy().reshape(shape)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        parts = (advantage, targets.value.numpy(), targets.log_prob.numpy())
        return Rows(now, task, action, GuideTargets(*(part.reshape(1, -1) for part in parts)))

    @tf.function(jit_compile=True, autograph=False)
    def _judge(self, now, later, task, action):
        """Returns log probabilities of the actions, V(s) and V(s') of [1, B] steps."""
        networks = self.networks
        log_prob = networks.policy.distribution(networks.output(now, task)).log_prob(action)
        return log_prob, networks.value(now, task), networks.value(later, task)

    @tf.function(jit_compile=True, autograph=False)
    def _best(self, observation: tf.Tensor, task: tf.Tensor) -> tf.Tensor:
        """mu*, within the box."""
        return tf.clip_by_value(self.networks.output(observation, task)[0], -1.0, 1.0)

    @tf.function(jit_compile=True, autograph=False)
    def _step(self, rows: Rows) -> None:
        """Takes a gradient step, unless the gradient is not finite."""
        networks = self.networks
        with tf.GradientTape() as tape:
            output = networks.output(rows.observation, rows.task)
            now = networks.policy.distribution(output)
            value = networks.value(rows.observation, rows.task)
            log_prob = now.log_prob(rows.action)
            loss = self._ppo.loss(rows.targets, log_prob, tf.zeros_like(log_prob), value)
        gradients, _ = tf.clip_by_global_norm(
            tape.gradient(loss, networks.variables), _LARGEST_GRADIENT_NORM
        )
        steps = networks.adam.steps(gradients)
        networks.adam.descend(gradients, steps, all_finite(steps))


def _flat(steps: np.ndarray) -> np.ndarray:
    """[W, M, size] -> [1, W M, size] float32."""
    return steps.reshape(1, -1, steps.shape[-1]).astype(np.float32, copy=False)
