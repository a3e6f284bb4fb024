import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from off_the_shelf import experience, learn, make_policy, seeds, swap_in
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rivals import tf_agents_ppo
from epg_tf.rivals.tf_agents_ppo import (
    ObservationMoments,
    RawObservations,
    TFAgentsActingPolicy,
    swapped_agent,
)
from epg_tf.rivals.tf_agents_ppo_agent import tuned
from epg_tf.rivals.tf_agents_trajectories import Trajectories, trajectories
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

NORMALISING = dataclasses.replace(tuned(2), initial_std=1.0, normalise_observations=True)
RAW = dataclasses.replace(NORMALISING, normalise_observations=False)
BOX, FINITE = RandomReacher(), DiscreteActions(RandomReacher())
SETTINGS = InnerLoop(num_updates=2, steps_per_update=128)
ENDS = [19, 69, 127]


def after_an_update(configuration, family):
    """A `SwappedAgent`, the one that `learn` uses too, and two agents that have learned once."""
    swapped = swapped_agent(
        configuration,
        (64, 64),
        family.observation_size,
        family.action_size,
        family.num_actions,
        family.time_limit,
    )
    agents = np.stack([swapped.draw(np.random.default_rng(n)) for n in range(2)])
    lived = experience(family, 128, ENDS)
    for worker in range(2):
        rng = np.random.default_rng(worker)
        agents[worker] = swapped.update(agents[worker], 0, lived, worker, rng)
    return swapped, agents


@pytest.fixture(name="box", scope="module")
def make_box():
    return after_an_update(NORMALISING, BOX)


def acting(family, swapped, agents):
    policy = make_policy(TFAgentsActingPolicy, family)
    moments = swapped.observation_moments(agents)
    statistics = RawObservations() if moments is None else ObservationMoments(*moments)
    policy.load(swapped.actor_weights(agents), statistics)
    return policy


def collecting(swapped, agent, observation):
    """What TF-Agents' own collect policy says to observations [T, S]."""
    swap_in(swapped, agent)
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


def test_numpy_draws_from_the_categorical_distribution_of_the_collect_policy():
    swapped, agents = after_an_update(RAW, FINITE)
    policy = acting(FINITE, swapped, agents)
    observation = np.random.default_rng(3).normal(size=(2, 10)).astype(np.float32)
    noise = np.linspace(0.0, 1.0, 10_001, dtype=np.float32)[:-1]
    actions = np.stack([policy.act(observation, np.full((2, 1), u)) for u in noise])
    for worker in range(2):
        expected = collecting(swapped, agents[worker], observation[worker : worker + 1])
        frequencies = np.bincount(actions[:, worker], minlength=9) / len(noise)
        np.testing.assert_allclose(frequencies, expected.probs_parameter()[0], atol=2e-4)


def advantages_by_hand(reward, value, terminated, ended, beyond_time_limit):
    """Generalised advantages, gamma 0.99 and lambda 0.95, of one agent's steps [M]."""
    advantages, following, advantage = np.zeros_like(value), value[-1], 0.0
    for t in reversed(range(len(reward))):
        if ended[t]:
            # TF-Agents takes the value before the last step for the value after it.
            goes_on = beyond_time_limit and not terminated[t]
            following, advantage = (value[t] if goes_on else 0.0), 0.0
        delta = reward[t] + 0.99 * following - value[t]
        advantage = delta + 0.99 * 0.95 * advantage
        advantages[t], following = advantage, value[t]
    return advantages


@pytest.mark.parametrize("beyond", [True, False])
def test_advantages_reach_beyond_time_limits_where_they_are_to(box, beyond):
    swapped, agents = box
    swap_in(swapped, agents[0])
    lived = experience(BOX, 128, ENDS)
    time_limit = BOX.time_limit if beyond else None
    steps = swapped.preprocess(trajectories(lived, 0, time_limit))
    np.testing.assert_array_equal(steps.observation, lived.observation[0])
    np.testing.assert_array_equal(steps.action, lived.action[0])
    info = {name: steps.policy_info[name].numpy() for name in ("return", "advantage")}
    value = steps.policy_info["value_prediction"].numpy()
    count, _, squares, _ = (v.numpy() for v in swapped.agent._reward_normalizer.variables)
    reward = np.clip(lived.reward[0] / np.sqrt(squares / count + 1e-3), -10, 10)
    expected = advantages_by_hand(reward, value, lived.terminated[0], lived.ended[0], beyond)
    np.testing.assert_allclose(info["advantage"], expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(info["return"], expected + value, rtol=1e-4, atol=1e-4)


def test_advantages_are_those_of_trajectories_with_boundary_steps(box):
    swapped, agents = box
    swap_in(swapped, agents[0])
    lived = experience(BOX, 128, ENDS)
    ours = swapped.preprocess(trajectories(lived, 0, time_limit=None))
    frames, is_step = [], []
    for t, ended in enumerate(lived.ended[0]):
        kind = ts.StepType.FIRST if t and lived.ended[0, t - 1] else ts.StepType.MID
        next_kind = ts.StepType.LAST if ended else ts.StepType.MID
        discount = 0.0 if lived.terminated[0, t] else 1.0
        action, reward = lived.action[0, t], lived.reward[0, t]
        frames.append((kind, lived.observation[0, t], action, next_kind, reward, discount))
        is_step.append(True)
        if ended or t == len(lived.ended[0]) - 1:  # what a TF-Agents driver notes then
            kind = ts.StepType.LAST if ended else ts.StepType.MID
            arrival = lived.next_observation[0, t]
            frames.append((kind, arrival, action, ts.StepType.FIRST, 0.0, 1.0))
            is_step.append(False)
    kinds, observations, actions, next_kinds, rewards, discounts = (
        np.stack(column)[np.newaxis] for column in zip(*frames, strict=True)
    )
    rewards, discounts = rewards.astype(np.float32), discounts.astype(np.float32)
    theirs = swapped.preprocess(
        Trajectories(
            trajectory.Trajectory(kinds, observations, actions, (), next_kinds, rewards, discounts),
            np.stack([np.zeros(len(frames), int), np.arange(len(frames))], axis=1)[is_step],
        )
    )
    for name in ("return", "advantage"):
        np.testing.assert_allclose(
            ours.policy_info[name], theirs.policy_info[name], rtol=1e-4, atol=1e-5
        )


@pytest.fixture(name="three", scope="module")
def learn_three():
    updates = []
    episodes = learn(tf_agents_ppo, SETTINGS, BOX, seeds(0, 1, 2), on_update=updates.append)
    return episodes, updates


def test_an_agent_alone_is_the_agent_among_three(three):
    alone = learn(tf_agents_ppo, SETTINGS, BOX, seeds(1))
    assert alone.completed[0] == three[0].completed[1]


def test_it_takes_as_many_steps_as_any_lifetime(three):
    episodes, updates = three
    assert updates == [1, 2]
    assert episodes.last_steps == [[50, 100, 150, 200, 250]] * 3  # of 2 * 128


def test_finite_actions_will_do():
    episodes = learn(tf_agents_ppo, SETTINGS, FINITE, seeds(0, 1), configuration=RAW)
    assert np.isfinite(episodes.of_lifetimes()).all()
    assert len(episodes.completed[0]) == 5


def test_first_weights_are_drawn_by_tf_agents_rules_from_the_agents_own_generator(box):
    swapped, _ = box
    same, again, other = (swapped.draw(np.random.default_rng(n)) for n in (0, 0, 1))
    np.testing.assert_array_equal(same, again)
    hidden, ours = (swapped.actor_weights(a[np.newaxis])[2][0] for a in (other, same))
    assert not np.array_equal(hidden, ours)
    limit = np.sqrt(6 / (64 + 64))  # Glorot and Bengio 2010
    assert 0.98 * limit < np.abs(hidden).max() <= limit


def test_it_learns():
    episodes = learn(
        tf_agents_ppo, dataclasses.replace(SETTINGS, num_updates=24), BOX, seeds(10, 11, 12)
    )
    returns = np.array(episodes.completed)
    assert returns[:, :5].mean() < -100
    assert returns[:, -5:].mean() > -65
