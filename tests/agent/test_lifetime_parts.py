"""Normaliser, buffer, driver and episode returns."""

import numpy as np
import pytest

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.agents import Agents
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.episodes import EpisodeReturns, last_episodes, weighted_episodes
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator


def test_statistics_are_those_of_all_samples_so_far():
    samples = np.random.default_rng(0).normal(5.0, 2.0, size=(2, 300, 3))
    running = RunningStatistics.start(2, 3)
    for part in np.split(samples, 3, axis=1):
        running = running.updated(part)
    np.testing.assert_allclose(running.mean, samples.mean(axis=1), rtol=1e-4)
    # The prior hundredth of a sample weighs a little in the variance: mean 0 is 5 away.
    np.testing.assert_allclose(running.std, samples.std(axis=1), rtol=1e-3)
    normalised = running.normalise(samples)
    np.testing.assert_allclose(normalised.mean(axis=1), 0.0, atol=1e-3)


def test_statistics_start_as_the_identity_and_floor_the_deviation():
    start = RunningStatistics.start(1, 2)
    samples = np.random.default_rng(0).normal(size=(1, 4, 2)).astype(np.float32)
    np.testing.assert_allclose(start.normalise(samples), samples, rtol=1e-6)
    constant = start.updated(np.full((1, 1000, 2), 3.0))
    np.testing.assert_allclose(constant.std, 0.1)
    np.testing.assert_allclose(start.mean, 0.0)  # a record: not changed by the update


def experience(rewards, ended):
    rewards, ended = np.atleast_2d(rewards).astype(float), np.atleast_2d(ended).astype(bool)
    observation = rewards[..., None]
    return Experience(observation, observation, rewards, ended, ended, observation)


def test_the_buffer_holds_the_newest_steps():
    buffer = Experience.empty()
    for start in (0, 4, 8):
        buffer = buffer.followed_by(experience(np.arange(start, start + 4), [0, 0, 0, 1]), 6)
    np.testing.assert_array_equal(buffer.reward, [np.arange(6, 12)])
    np.testing.assert_array_equal(buffer.observation[0, :, 0], np.arange(6, 12))
    np.testing.assert_array_equal(buffer.ended, [[0, 1, 0, 0, 0, 1]])


def test_episode_returns_add_up_across_updates():
    episodes = EpisodeReturns(2)
    episodes.add(experience([[1, 2, 3], [1, 1, 1]], [[0, 1, 0], [0, 0, 0]]))
    assert episodes.of_lifetimes() == [[3.0], [3.0]]  # the second worker's is the running one
    episodes.add(experience([[10, 20, 30], [1, 1, 1]], [[1, 0, 1], [0, 0, 1]]))
    assert episodes.completed == [[3.0, 13.0, 50.0], [6.0]]
    assert episodes.last_steps == [[2, 4, 6], [6]]


def test_return_of_a_lifetime_is_footnote_1():
    returns = [1.0, 2.0, 4.0, 8.0]
    last = (2.0 + 4.0 + 8.0) / 3
    weighted = (1 / 4 * 1.0 + 2 / 4 * 2.0 + 3 / 4 * 4.0 + 4 / 4 * 8.0) / 4
    assert last_episodes(returns) == pytest.approx(last)
    assert weighted_episodes(returns) == pytest.approx(last + weighted)
    assert weighted_episodes([5.0]) == pytest.approx(10.0)
    assert np.isnan(weighted_episodes([1.0, np.nan]))


@pytest.mark.parametrize("family", [RandomReacher(), RandomHopper()])
def test_the_driver_yields_exactly_m_real_transitions_per_worker(family):
    num_workers, num_steps = 3, 120
    size = family.observation_size
    agents = Agents(num_workers, size, family.action_size)
    agents.assign(
        agents.draw([np.random.default_rng(worker) for worker in range(num_workers)]).theta
    )

    def make():
        tasks = [family.sample(seed) for seed in range(num_workers)]
        resets = [np.random.default_rng([worker, 1]) for worker in range(num_workers)]
        environment = BatchedEnvironment(BatchSimulator(family, tasks, resets))
        policy = ActingPolicy(
            environment.time_step_spec(),
            environment.action_spec(),
            [np.random.default_rng([worker, 2]) for worker in range(num_workers)],
        )
        policy.load(agents.policy.get_weights(), RunningStatistics.start(num_workers, size))
        return environment, policy

    driver = LifetimeDriver(*make(), num_steps)
    lived = driver.run().followed_by(driver.run(), 2 * num_steps)
    assert lived.reward.shape == (num_workers, 2 * num_steps)

    # The same life, step by step on a simulator of its own.
    environment, policy = make()
    simulator = environment.simulator
    for t in range(2 * num_steps):
        observation = simulator.observation.astype(np.float32)
        np.testing.assert_array_equal(lived.observation[:, t], observation)
        action = policy.act(observation, policy.draw_noise(1)[:, 0])
        np.testing.assert_array_equal(lived.action[:, t], action)
        step = simulator.step(action)
        np.testing.assert_array_equal(lived.reward[:, t], step.reward)
        np.testing.assert_array_equal(lived.terminated[:, t], step.terminated)
        np.testing.assert_array_equal(lived.ended[:, t], step.terminated | step.truncated)
        np.testing.assert_array_equal(
            lived.next_observation[:, t], step.observation.astype(np.float32)
        )
        if lived.ended[:, t].any():
            simulator.reset(np.flatnonzero(lived.ended[:, t]))
    assert lived.ended.any()
    assert lived.terminated.any() == isinstance(family, RandomHopper)
