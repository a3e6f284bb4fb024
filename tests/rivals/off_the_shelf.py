"""What the tests of TF-Agents' PPO and of its SAC share."""

import numpy as np
import tensorflow as tf

from epg_tf.agent.experience import Experience
from epg_tf.rivals.learning import returns_of
from epg_tf.seeds import VALIDATION_TASK_SEEDS, LifetimeSeed
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.simulator import BatchSimulator


def seeds(*numbers):
    return [LifetimeSeed(VALIDATION_TASK_SEEDS[n], (5, n)) for n in numbers]


def learn(rival, settings, family, seeds, on_update=None, configuration=None):
    """The returns of agents that learn for the lifetimes of some settings."""
    rollouts = rival.rollouts(settings, family, seeds, configuration=configuration)
    lifetime = settings.num_updates, settings.steps_per_update
    return returns_of(rollouts, len(seeds), *lifetime, on_update)


def experience(family, num_steps, ends):
    """Steps of no particular policy; the first of two workers' episodes end, once by themselves."""
    rng = np.random.default_rng(0)
    observation = rng.normal(size=(2, num_steps + 1, family.observation_size)).astype(np.float32)
    ended = np.zeros((2, num_steps), bool)
    ended[0, ends] = True
    terminated = np.zeros_like(ended)
    terminated[0, 19] = True
    arrival = observation[:, 1:].copy()
    arrival[ended] += 1.0
    action = (
        rng.normal(size=(2, num_steps, family.action_size)).astype(np.float32)
        if family.num_actions is None
        else rng.integers(family.num_actions, size=(2, num_steps))
    )
    reward = rng.normal(size=(2, num_steps))
    return Experience(observation[:, :-1], action, reward, terminated, ended, arrival)


def make_policy(kind, family, generators=()):
    """A policy that acts for two agents."""
    simulator = BatchSimulator(
        family, [family.sample(n) for n in range(2)], [np.random.default_rng(n) for n in range(2)]
    )
    environment = BatchedEnvironment(simulator)
    return kind(environment.time_step_spec(), environment.action_spec(), generators)


def swap_in(swapped, agent):
    """Assigns an agent to the variables that all share."""
    swapped._swapped.scatter(tf.constant(agent))
