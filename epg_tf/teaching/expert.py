"""The expert that teaches phi: a policy for all tasks, which PPO trains on rewards beside phi.

Its value function is shown what was drawn for the task (an asymmetric actor-critic, Pinto et al.
2017), and its policy is too as far as `sees` says so. What it teaches is what to do where phi's
own agents go, as in DAgger (Ross et al. 2011): the gradient of -log N(mu*(s_t); mean, std) with
respect to the policy's output. For the mean it is taken times std^2, `mean - mu*`; for log std
times std, `std (1 - (mean - mu*)^2 / std^2)`, and no lower than -std. So agents grow as quiet as
they are close to the expert.
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
from epg_tf.teaching.expert_networks import ExpertNetworks, ExpertState, statistics_of
from epg_tf.teaching.lessons import Lessons

_LARGEST_GRADIENT_NORM = 1.0
_CHUNK = 64  # lessons whose targets are made at a time


class Rows(NamedTuple):
    """B steps to descend on: what is seen, [1, B, ...], what was done, and the guide's targets."""

    observation: np.ndarray
    task: np.ndarray
    action: np.ndarray
    targets: GuideTargets


class Expert:
    """What acts, learns and teaches.

    Attributes:
        networks: What it is made of; a state says what they hold.
    """

    def __init__(self, networks: ExpertNetworks, ppo: PPO):
        """Learns nothing yet.

        Args:
            networks: What it is made of.
            ppo: How it learns.
        """
        self.networks, self._ppo = networks, ppo

    def actors(
        self, state: ExpertState, tasks: np.ndarray
    ) -> tuple[list[np.ndarray], RunningStatistics]:
        """The expert as W policies of observations alone, each on a task of its own.

        What a first layer makes of the task is part of its bias.

        Args:
            state: The expert's.
            tasks: What was drawn, [W, T].

        Returns:
            What `ActingPolicy.load` takes.
        """
        self.networks.restore(state)
        kernel, bias, *others = [weight[0] for weight in self.networks.policy.get_weights()]
        biases = np.broadcast_to(bias, (len(tasks), 1, bias.shape[-1]))
        kernel, of_task = np.split(kernel, [self.networks.observation_size])
        shown = self.networks.normal_task(tasks)[:, self.networks.sees]
        # Term by term: a product of matrices rounds by how many rows it has, which is W here.
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
        """Learns from steps that it has taken itself.

        Args:
            state: The expert's, as it acted.
            experience: M steps of W agents.
            tasks: What was drawn for each, [W, T].
            learning_rate: Of Adam.
            num_passes: Over the steps.
            minibatch_size: Steps in each gradient step.
            rng: For the order of the steps.

        Returns:
            The state that comes after it.
        """
        self.networks.restore(state)
        statistics = statistics_of(state)
        scale = float(state["reward_scale"])
        if not scale:  # the sum of all rewards that are looked ahead to is then of the order of 1
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

    def with_targets(self, state: ExpertState, lessons: Lessons) -> Lessons:
        """Lessons with what the expert would have done as their targets; see the module."""
        if not lessons.number:
            return lessons
        self.networks.restore(state)
        assert lessons.steps is not None
        observation, task = lessons.steps.observation, lessons.steps.task
        statistics, task = statistics_of(state), self.networks.normal_task(task)
        chunks = [slice(start, start + _CHUNK) for start in range(0, lessons.number, _CHUNK)]
        parts = [
            self._best(statistics.normalise(_flat(observation[c])), _flat(task[c])) for c in chunks
        ]
        mean, log_std = (part[:, -observation.shape[1] :] for part in lessons.inputs.policy)
        best = np.concatenate(parts, axis=1).reshape(mean.shape)
        off = mean - best
        std = np.exp(log_std)
        quieter = std * np.maximum(1.0 - np.square(off / std), -1.0)
        return lessons._replace(targets=(off, quieter))

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
        """How likely actions were, V(s) and V(s') of [1, B] steps."""
        networks = self.networks
        log_prob = networks.policy.distribution(networks.output(now, task)).log_prob(action)
        return log_prob, networks.value(now, task), networks.value(later, task)

    @tf.function(jit_compile=True, autograph=False)
    def _best(self, observation: tf.Tensor, task: tf.Tensor) -> tf.Tensor:
        """mu*, within the box."""
        return tf.clip_by_value(self.networks.output(observation, task)[0], -1.0, 1.0)

    @tf.function(jit_compile=True, autograph=False)
    def _step(self, rows: Rows) -> None:
        """A gradient step; none where the gradient is not finite."""
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
