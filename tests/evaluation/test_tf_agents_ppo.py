import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from epg_tf.agent.experience import Experience
from epg_tf.evaluation.tf_agents_agent import TUNED, SwappedAgent
from epg_tf.evaluation.tf_agents_ppo import (
    ObservationMoments,
    RawObservations,
    TFAgentsActingPolicy,
    learn,
)
from epg_tf.inner_loop import InnerLoop, LifetimeSeed
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import VALIDATION_TASK_SEEDS
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator

NORMALISING = dataclasses.replace(
    TUNED, normalise_observations=True, normalise_rewards=True, num_epochs=2
)
BOX, FINITE = RandomReacher(), DiscreteActions(RandomReacher())
SETTINGS = InnerLoop(num_updates=3, steps_per_update=64)


def seeds(*numbers):
    return [LifetimeSeed(VALIDATION_TASK_SEEDS[n], (5, n)) for n in numbers]


def experience(family, num_workers=2, num_steps=64, seed=0):
    """Steps of no particular policy; the first worker's episodes end twice, once by themselves."""
    rng = np.random.default_rng(seed)
    observation = rng.normal(size=(num_workers, num_steps + 1, family.observation_size))
    observation = observation.astype(np.float32)
    ended = np.zeros((num_workers, num_steps), bool)
    ended[0, [19, 49]] = True
    terminated = np.zeros_like(ended)
    terminated[0, 19] = True
    shape = (num_workers, num_steps)
    action = (
        rng.normal(size=(*shape, family.action_size)).astype(np.float32)
        if family.num_actions is None
        else rng.integers(family.num_actions, size=shape)
    )
    return Experience(
        observation=observation[:, :-1],
        action=action,
        reward=rng.normal(size=shape),
        terminated=terminated,
        ended=ended,
        next_observation=observation[:, 1:],
    )


def after_an_update(configuration, family):
    """A `SwappedAgent`, and two agents that have learned once."""
    swapped = SwappedAgent(
        configuration, (64, 64), family.observation_size, family.action_size, family.num_actions
    )
    agents = np.stack([swapped.draw(np.random.default_rng(n)) for n in range(2)])
    lived = experience(family)
    for worker in range(2):
        rng = np.random.default_rng(worker)
        agents[worker] = swapped.update(agents[worker], 0, lived, worker, rng)
    return swapped, agents


@pytest.fixture(name="box", scope="module")
def make_box():
    return after_an_update(NORMALISING, BOX)


def acting(family, swapped, agents):
    simulator = BatchSimulator(
        family, [family.sample(n) for n in range(2)], [np.random.default_rng(n) for n in range(2)]
    )
    environment = BatchedEnvironment(simulator)
    policy = TFAgentsActingPolicy(environment.time_step_spec(), environment.action_spec(), [])
    moments = swapped.observation_moments(agents)
    statistics = RawObservations() if moments is None else ObservationMoments(*moments)
    policy.load(swapped.actor_weights(agents), statistics)
    return policy


def collecting(swapped, agent, observation):
    """What TF-Agents' own collect policy says to observations [T, S]."""
    swapped.swap_in(agent)
    time_step = ts.restart(tf.constant(observation), batch_size=len(observation))
    return swapped.agent.collect_policy.distribution(time_step).action


def test_numpy_acts_by_the_distribution_of_the_collect_policy(box):
    swapped, agents = box
    policy = acting(BOX, swapped, agents)
    observation = np.random.default_rng(3).normal(size=(2, 10)).astype(np.float32)
    mean = policy.act(observation, np.zeros((2, 2), np.float32))
    above = policy.act(observation, np.ones((2, 2), np.float32))
    for worker in range(2):
        expected = collecting(swapped, agents[worker], observation[worker : worker + 1])
        np.testing.assert_allclose(mean[worker], expected.mean()[0], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose((above - mean)[worker], expected.stddev()[0], rtol=1e-4)
