"""Algorithm 1, lines 4-13: whole lifetimes."""

import dataclasses
import re

import numpy as np
import pytest

from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO, Reinforce
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.seeds import LifetimeSeed, lifetime_key
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher

SHORT = InnerLoop(num_updates=3, steps_per_update=64, buffer_size=96, num_minibatches=2)


def seeds(workers):
    return [LifetimeSeed(100 + worker, (3, worker)) for worker in workers]


def phi_of(workers, which):
    rngs = [np.random.default_rng([1, w]) for w in which]
    return np.stack([workers.loss.draw(rng) for rng in rngs])


@pytest.mark.parametrize(
    ("family", "alpha"),
    [
        (RandomReacher(), 0.5),
        (RandomHopper(), 0.0),
        (DiscreteActions(RandomReacher()), 0.5),
    ],
)
def test_a_lifetime_depends_on_its_own_loss_and_seeds_alone(family, alpha):
    many, two, alone = (Workers(SHORT, family, width) for width in (4, 2, 1))
    of_many = many.live(phi_of(many, [0, 1, 2, 3]), seeds([0, 1, 2, 3]), alpha)
    of_two = two.live(phi_of(two, [2, 0]), seeds([2, 0]), alpha)
    of_one = alone.live(phi_of(alone, [2]), seeds([2]), alpha)
    assert of_many.episodes.completed[2] == of_two.episodes.completed[0]
    assert of_many.episodes.completed[2] == of_one.episodes.completed[0]
    assert of_many.returns[2] == of_two.returns[0] == of_one.returns[0]
    assert of_many.returns[0] == of_two.returns[1]
    again = many.live(phi_of(many, [0, 1, 2, 3]), seeds([0, 1, 2, 3]), alpha)
    np.testing.assert_array_equal(again.returns, of_many.returns)
    assert len(set(of_many.returns)) == 4


@pytest.mark.parametrize("refresh", ["after_update", "before_update"])
def test_statistics_that_are_given_stand_still_and_the_others_do_not(refresh):
    given = tuple(np.linspace(-1.0, 1.0, 10)), tuple(np.linspace(0.5, 2.0, 10))
    fixed = dataclasses.replace(SHORT, observation_statistics=given, refresh_statistics=refresh)
    workers, met = Workers(fixed, RandomReacher(), 2), []
    lifetimes = workers.live(phi_of(workers, [0, 1]), seeds([0, 1]), 0.0, met.append)
    for update in met:
        expected = (update.experience.observation - given[0]) / given[1]
        np.testing.assert_allclose(update.batch.observation[:, 32:], expected, atol=1e-5)
    np.testing.assert_allclose(lifetimes.statistics["observation"].mean, [given[0]] * 2)
    assert lifetimes.statistics["action"].count > 3 * 64


def test_an_enormous_loss_leaves_its_neighbours_alone_and_is_counted():
    workers = Workers(SHORT, RandomReacher(), 3)
    phi = phi_of(workers, [0, 1, 2])
    healthy = workers.live(phi, seeds([0, 1, 2]), 0.0)
    phi[1] = 1e30
    lifetimes = workers.live(phi, seeds([0, 1, 2]), 0.0)
    np.testing.assert_array_equal(lifetimes.diverged, [False, True, False])
    assert not healthy.diverged.any()
    for worker in (0, 2):
        assert lifetimes.episodes.completed[worker] == healthy.episodes.completed[worker]


def test_a_lifetime_without_a_completed_episode_returns_the_running_one():
    settings = InnerLoop(num_updates=1, steps_per_update=40, buffer_size=64)
    workers = Workers(settings, RandomReacher(), 2)
    lifetimes = workers.live(phi_of(workers, [0, 1]), seeds([0, 1]), 0.0)
    assert lifetimes.episodes.completed == [[], []]
    assert np.all(lifetimes.final_returns < 0)


@pytest.mark.parametrize(
    ("family", "guide", "learning_rate", "least_gain"),
    [
        (RandomReacher(), PPO(), 3e-3, 25.0),
        (DiscreteActions(RandomReacher()), PPO(), 3e-3, 10.0),
        (RandomReacher(), Reinforce(), 1e-3, 5.0),
    ],
)
def test_guidance_alone_improves_agents(family, guide, learning_rate, least_gain):
    """PPO and REINFORCE as they are: the last episodes against the first, over eight tasks."""
    settings = InnerLoop(
        num_updates=40, num_minibatches=4, learning_rate=learning_rate, guide=guide
    )
    workers = Workers(settings, family, 8)
    lifetimes = workers.live(phi_of(workers, range(8)), seeds(range(8)), 1.0)
    first = np.array([np.mean(episodes[:5]) for episodes in lifetimes.episodes.completed])
    gain = np.mean(lifetimes.final_returns - first)
    assert gain > least_gain, (first, lifetimes.final_returns)


def test_a_loss_evolved_for_a_few_epochs_beats_its_own_start():
    """Reward-free agents on tasks that the evolution did not see."""
    num_workers, seed = 16, 0
    settings = InnerLoop(
        num_updates=24, num_minibatches=4, learning_rate=3e-3, objective="last_episodes"
    )
    workers = Workers(settings, RandomReacher(), num_workers)
    strategy = EvolutionStrategy()
    start = strategy.init(workers.draw_phi(seed))
    state = start
    for epoch in range(1, 7):
        lifetimes = workers.live(
            strategy.ask(state, seed, range(num_workers)),
            [
                LifetimeSeed(w // 2 + 50 * epoch, lifetime_key(seed, epoch, w, "paired"))
                for w in range(num_workers)
            ],
            0.0,
        )
        state, _ = strategy.tell(state, seed, lifetimes.returns)

    def final_returns(phi):
        same = np.tile(phi.astype(np.float32), (num_workers, 1))
        held_out = [LifetimeSeed(10_000 + w, (9, w)) for w in range(num_workers)]
        return workers.live(same, held_out, 0.0).final_returns

    before, after = final_returns(start.phi), final_returns(state.phi)
    assert np.median(after) > np.median(before) + 50.0, (before, after)
    assert np.mean(after > before) > 0.75


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"num_updates": 0}, "`InnerLoop.num_updates` (=0) must be a positive integer."),
        (
            {"steps_per_update": -1},
            "`InnerLoop.steps_per_update` (=-1) must be a positive integer.",
        ),
        ({"num_updates": "8"}, "`InnerLoop.num_updates` (='8') must be a positive integer."),
        (
            {"learning_rate": 0.0},
            "`InnerLoop.learning_rate` (=0.0) must be a finite positive number.",
        ),
        ({"buffer_size": 64}, "must be at least `InnerLoop.steps_per_update` (=128)."),
        (
            {"buffer_size": 20, "steps_per_update": 20},
            "`InnerLoop.buffer_size` (=20) must be at least 29, which",
        ),
        ({"num_minibatches": 5}, "must divide `InnerLoop.steps_per_update` (=128)."),
        (
            {"objective": "best"},
            "must be one of 'weighted_episodes', 'last_episodes'.",
        ),
    ],
)
def test_bad_settings_get_a_sentence(values, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        InnerLoop(**values)
