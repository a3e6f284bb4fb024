import numpy as np
import pytest
from tf_agents.drivers import py_driver
from tf_agents.trajectories import time_step as ts

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.agents import Agents
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator


def generators(stream, num_workers=3):
    return [np.random.default_rng([worker, stream]) for worker in range(num_workers)]


def acting(family, agents, num_workers=3, mean_activation=None):
    tasks = [family.sample(seed) for seed in range(num_workers)]
    environment = BatchedEnvironment(BatchSimulator(family, tasks, generators(1, num_workers)))
    policy = ActingPolicy(
        environment.time_step_spec(),
        environment.action_spec(),
        generators(2, num_workers),
        mean_activation,
    )
    samples = np.random.default_rng(3).normal(2.0, 3.0, size=(num_workers, 50, 10))
    statistics = RunningStatistics.start(num_workers, 10).updated(samples)
    policy.load(agents.policy.get_weights(), statistics)
    return environment, policy, statistics


@pytest.fixture(name="agents")
def make_agents():
    agents = Agents(3, observation_size=10, action_size=2)
    agents.assign(agents.draw(generators(0)).theta)
    weights = [
        w + 0.1 * np.random.default_rng(9).normal(size=w.shape) for w in agents.policy.get_weights()
    ]
    agents.policy.set_weights(weights)
    return agents


def test_numpy_acts_as_the_keras_policy_says(agents):
    _, policy, statistics = acting(RandomReacher(), agents)
    observation = np.random.default_rng(5).normal(size=(3, 10)).astype(np.float32)
    noise = policy.draw_noise(1)[:, 0]
    mean, log_std = agents.policy(statistics.normalise(observation[:, None]))
    expected = mean[:, 0] + np.exp(log_std[:, 0]) * noise
    np.testing.assert_allclose(policy.act(observation, noise), expected, rtol=1e-5, atol=1e-6)


def test_a_squashed_mean_stays_in_the_box_for_both():
    agents = Agents(3, observation_size=10, action_size=2, mean_activation="tanh")
    agents.assign(agents.draw(generators(0)).theta)
    agents.policy.set_weights([30.0 * w for w in agents.policy.get_weights()])
    _, policy, statistics = acting(RandomReacher(), agents, mean_activation="tanh")
    observation = np.random.default_rng(5).normal(size=(3, 10)).astype(np.float32)
    mean, _ = agents.policy(statistics.normalise(observation[:, None]))
    without_noise = policy.act(observation, np.zeros((3, 2), np.float32))
    np.testing.assert_allclose(without_noise, mean[:, 0], rtol=1e-5, atol=1e-6)
    assert 0.5 < np.abs(without_noise).max() <= 1.0


def test_noise_drawn_at_once_is_the_noise_drawn_step_by_step(agents):
    _, at_once, _ = acting(RandomReacher(), agents)
    _, stepwise, _ = acting(RandomReacher(), agents)
    expected = np.concatenate([stepwise.draw_noise(1) for _ in range(7)], axis=1)
    np.testing.assert_array_equal(at_once.draw_noise(7), expected)


def test_noise_of_a_worker_does_not_depend_on_how_many_there_are(agents):
    _, policy, _ = acting(RandomReacher(), agents)
    alone = ActingPolicy(policy.time_step_spec, policy.action_spec, generators(2)[1:2])
    np.testing.assert_array_equal(policy.draw_noise(5)[1:2], alone.draw_noise(5))


def test_finite_actions_come_as_often_as_the_policy_says():
    family = DiscreteActions(RandomReacher(), 3)
    agents = Agents(1, 10, 2, num_actions=9)
    agents.assign(agents.draw(generators(0, 1)).theta)
    *weights, bias = agents.policy.get_weights()
    agents.policy.set_weights([*weights, np.arange(9.0).reshape(1, 1, 9) / 4])
    _, policy, statistics = acting(family, agents, 1)
    observation = np.zeros((1, 10), np.float32)
    noise = policy.draw_noise(20_000)
    actions = [policy.act(observation, noise[:, t])[0] for t in range(20_000)]
    (log_probabilities,) = agents.policy(statistics.normalise(observation[:, None]))
    np.testing.assert_allclose(
        np.bincount(actions, minlength=9) / 20_000, np.exp(log_probabilities)[0, 0], atol=0.012
    )


@pytest.mark.parametrize("discrete", [False, True])
def test_a_stock_driver_drives_environment_and_policy(discrete):
    family = DiscreteActions(RandomReacher(), 3) if discrete else RandomReacher()
    agents = Agents(3, 10, 2, num_actions=family.num_actions)
    agents.assign(agents.draw(generators(0)).theta)
    environment, policy, _ = acting(family, agents)
    seen = []
    driver = py_driver.PyDriver(environment, policy, [seen.append], max_steps=3 * 120)
    driver.run(environment.reset())
    is_step = np.array([trajectory.step_type != ts.StepType.LAST for trajectory in seen])
    assert is_step.sum() == 3 * 120
    # Episodes of 50 steps end twice in 120 transitions, each followed by a boundary.
    assert (~is_step).sum() == 3 * 2
