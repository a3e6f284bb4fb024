"""Behaviour cloning (Pomerleau 1988): a policy like the agents', fitted to the loss's teacher.

The teacher demonstrates on training tasks, with exploration noise, for as many steps as agents take
in the run's first epoch. The policy does not see the task. Least squares fit it to the teacher's
mean actions on these steps. It acts without noise.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalSubscript=false

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.adam import WorkerAdam, all_finite
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.networks import GaussianPolicy
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop import collection
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.taught_epochs import TrainedTeacher
from epg_tf.rivals import teacher as demonstrating
from epg_tf.seeds import LifetimeSeed, Stream, training_seed
from epg_tf.tasks.family import TaskFamily

_EPOCH = 0  # in the seeds of demonstrations; training's epochs start at 1
_NUM_PASSES, _MINIBATCH_SIZE, _LEARNING_RATE = 30, 256, 1e-3


def make_driver(
    teacher: TrainedTeacher,
    settings: InnerLoop,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
) -> LifetimeDriver:
    """Starts an episode for one copy of the clone per seed."""
    weights, statistics = clone(teacher)
    squash = teacher.run.inner_loop.mean_activation
    make_policy = functools.partial(ActingPolicy, mean_activation=squash)
    driver = collection.make_driver(family, seeds, make_policy, settings.steps_per_update)
    every = [np.repeat(weight, len(seeds), axis=0) for weight in weights]
    driver.policy.load(every, RunningStatistics.side_by_side([statistics] * len(seeds)))
    return driver


@functools.lru_cache(maxsize=1)  # an evaluation calls it for every batch of agents
def clone(teacher: TrainedTeacher) -> tuple[list[np.ndarray], RunningStatistics]:
    """Returns the arguments of `ActingPolicy.load` for one clone; the run's seed determines it.

    The network is like the agents'. Without `InnerLoop.observation_statistics` the demonstrations
    give the statistics of observations; agents would use their own steps.
    """
    run, settings = teacher.run, teacher.run.inner_loop
    seeds = [training_seed(run.seed, _EPOCH, n) for n in range(run.num_workers)]
    driver = demonstrating.make_driver(teacher, settings, run.family, seeds, explores=True)
    lived = [driver.run().observation for _ in range(run.num_updates_in(1))]
    target = np.concatenate([driver.policy.mean(part) for part in lived]).clip(-1.0, 1.0)
    observation = np.concatenate(lived).reshape(1, -1, run.family.observation_size)
    target = target.reshape(1, -1, run.family.action_size)
    statistics = RunningStatistics.start(1, observation.shape[2]).updated(observation)
    if settings.observation_statistics is not None:
        statistics = RunningStatistics.of(*settings.observation_statistics, num_workers=1)
    seen, rng = statistics.normalise(observation), seeds[0].generator(Stream.AGENT)
    sizes, squash = settings.hidden_sizes, settings.mean_activation
    policy = GaussianPolicy(1, run.family.action_size, sizes, mean_activation=squash)
    policy(seen[:, :1])
    policy.set_weights([weight[np.newaxis] for weight in policy.draw(rng)])
    adam = WorkerAdam(policy.mean.trainable_variables, _LEARNING_RATE, settings.adam_epsilon)

    @tf.function(jit_compile=True, autograph=False)
    def step(seen: tf.Tensor, target: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(tf.math.squared_difference(policy(seen)[0], target))
        steps = adam.steps(gradients := tape.gradient(error, adam.variables))
        adam.descend(gradients, steps, all_finite(steps))

    size = min(_MINIBATCH_SIZE, seen.shape[1])
    for _ in range(_NUM_PASSES):
        order = rng.permutation(seen.shape[1])
        for rows in order[: len(order) // size * size].reshape(-1, size):
            step(seen[:, rows], target[:, rows])
    *weights, log_std = policy.get_weights()
    return [*weights, np.full_like(log_std, -np.inf)], statistics
