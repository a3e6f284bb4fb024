"""RL² and E-RL²: they solve what has a known best, and remember a task and no other."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from lives import lived, trained
from tiny_tasks import Bandit, Grid, best_of_bandit

from epg_tf.rivals.learners import make_learner
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.rivals.ppo import advantages
from epg_tf.rivals.rl2.ppo import counted_rewards
from epg_tf.rivals.rl2.settings import RL2
from epg_tf.seeds import held_out_seed
from epg_tf.tasks.reacher import RandomReacher

SMALL = RL2(
    trial_steps=20,
    chunk_steps=20,
    hidden_size=32,
    embedding_size=16,
    head_size=32,
    learning_rate=3e-3,
    num_passes=3,
    num_minibatches=2,
    clip=0.2,
    discount=0.95,
)
TINY = dataclasses.replace(SMALL, hidden_size=8, chunk_steps=10, initial_log_std=-1.0)
SEEDS = [held_out_seed(0, task) for task in range(512)]


def test_rl2_plays_a_two_armed_bandit_like_the_bayes_optimal_player():
    settings = dataclasses.replace(SMALL, entropy_coefficient=0.003)
    learner, state, _ = trained(settings, Bandit(), 90, 128)
    episodes = lived(learner, state, Bandit(), SEEDS, 1, 20)
    paid = np.sum(episodes.completed) / len(SEEDS)
    best, by_chance = best_of_bandit(20), 10.0  # 12.43
    assert by_chance + 0.85 * (best - by_chance) < paid < best + 0.5


def test_rl2_finds_a_goal_in_the_first_episode_and_goes_straight_there_in_the_others():
    settings = dataclasses.replace(SMALL, trial_steps=36, chunk_steps=36)
    learner, state, _ = trained(settings, Grid(), 60, 128)
    ends = lived(learner, state, Grid(), SEEDS, 1, 36).last_steps
    lengths = [np.diff([0, *of_worker]) for of_worker in ends]
    assert np.mean([of_worker[0] for of_worker in lengths]) > 3.5
    # Two steps are the shortest way; who does not remember needs five (2, 4, 6 or 8).
    assert np.mean([of_worker[1:].mean() for of_worker in lengths]) < 2.2


def test_memory_is_kept_through_the_episodes_of_a_task():
    learner = make_learner(TINY, Bandit())
    driver = learner._begin(learner.first_state(3), Bandit(), SEEDS[:4], 0)
    states = driver.run(20, chunk_steps=10).states
    assert not states[0].any()
    assert states[1].any(axis=1).all()  # ten episodes later
    remembered = driver._actor.state.copy()
    assert np.array_equal(driver.run(10).states[0], remembered)


@pytest.mark.parametrize("family", [RandomReacher(), Bandit()])
def test_the_network_that_is_trained_gives_what_the_agents_acted_by(family):
    learner = make_learner(TINY, family)
    state = learner.first_state(3)
    trials = learner._begin(state, family, SEEDS[:3], 0).run(20)
    network = learner._make_network(3)
    output, values = network(
        tf.constant(trials.inputs.swapaxes(0, 1)), tf.constant(trials.states[0])
    )
    log_probs = network.distribution(output).log_prob(trials.actions.swapaxes(0, 1))
    np.testing.assert_allclose(values, trials.values[:-1].T, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(log_probs, trials.log_probs.T, rtol=1e-4, atol=1e-4)


def test_inputs_are_the_observation_and_what_was_lived_through_before():
    learner = make_learner(TINY, RandomReacher())
    trials = learner._begin(learner.first_state(3), RandomReacher(), SEEDS[:3], 0).run(60)
    lived = trials.inputs[..., 10:]
    assert not lived[0].any()
    np.testing.assert_array_equal(lived[1:, :, :2], trials.actions[:-1])
    np.testing.assert_allclose(lived[1:, :, 2], np.clip(trials.rewards[:-1], -10, 10), rtol=1e-6)
    np.testing.assert_array_equal(lived[1:, :, 3], trials.ended[:-1])
    assert np.flatnonzero(trials.ended[:, 0]).tolist() == [49]


def test_advantages_are_sums_of_discounted_errors_across_episodes():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(6, 2)), rng.normal(size=(7, 2))
    errors = rewards + 0.9 * values[1:] - values[:-1]
    expected = [sum((0.9 * 0.8) ** (u - t) * errors[u] for u in range(t, 6)) for t in range(6)]
    np.testing.assert_allclose(advantages(rewards, values, 0.9, 0.8), expected)


def test_e_rl2_leaves_out_the_rewards_of_the_first_episodes_alone():
    rewards = np.arange(1.0, 7.0)[:, None]
    ended = np.array([0, 1, 0, 1, 0, 1], bool)[:, None]
    for free, kept in ((0, [1, 2, 3, 4, 5, 6]), (1, [0, 0, 3, 4, 5, 6]), (2, [0, 0, 0, 0, 5, 6])):
        assert counted_rewards(rewards, ended, free)[:, 0].tolist() == kept


def test_e_rl2_trains_on_other_numbers_and_goes_by_another_name():
    settings = dataclasses.replace(TINY, num_free_episodes=2)
    assert (TINY.method, settings.method) == ("rl2", "e_rl2")
    plain, free = (trained(of, Bandit(), 2, 4)[1] for of in (TINY, settings))
    assert not np.array_equal(plain["weights_000"], free["weights_000"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"chunk_steps": 7}, r"`RL2.chunk_steps` \(=7\) must divide `RL2.trial_steps` \(=20\)."),
        ({"clip": 0.0}, r"`RL2.clip` \(=0.0\) must be a finite positive number."),
        ({"discount": 1.5}, r"`RL2.discount` \(=1.5\) must be a number in \[0, 1\]."),
        ({"num_free_episodes": -1}, r"`RL2.num_free_episodes` \(=-1\) must be an integer, 0 or"),
    ],
)
def test_settings_outside_their_range_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(SMALL, **changes)


def test_a_trial_of_free_episodes_alone_is_refused():
    with pytest.raises(ValueError, match=r"`RL2.num_free_episodes` \(=1\) must leave some of"):
        RivalTraining(RandomReacher(), dataclasses.replace(TINY, num_free_episodes=1))
