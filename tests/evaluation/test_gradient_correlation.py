import functools

import numpy as np
import pytest

from epg_tf.evaluation.analysis.gradient_correlation import (
    GradientCorrelation,
    rewarded,
    spearman,
    steps_of,
)
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.reacher import RandomReacher

# With so large an epsilon Adam's first step is rate * gradient / (abs(gradient) + FLOOR), from
# which the gradient can be told.
FLOOR = 1.0 / np.sqrt(1.0 - 0.999)
SETTINGS = InnerLoop(
    num_updates=2,
    steps_per_update=64,
    buffer_size=96,
    hidden_sizes=(8,),
    learning_rate=100.0,
    adam_epsilon=1.0,
)
SEEDS = [LifetimeSeed(100 + worker, (3, worker)) for worker in range(2)]


@pytest.fixture(scope="module")
def workers():
    return Workers(SETTINGS, RandomReacher(), 2)


def live(workers, guidance, on_update):
    phi = np.stack([workers.draw_phi(seed) for seed in range(2)])
    workers.backends.reference.load(phi)
    workers.live(phi, SEEDS, guidance, on_update)


def policy(workers, agents):
    """All parameters of the policies, [W, Q]."""
    weights = workers.agents.policy_weights(agents)
    return np.concatenate([w.reshape(2, -1) for w in weights], axis=1)


def value_function(workers, agents):
    number = len(workers.agents.value_function.weights)
    return workers.agents.parts(agents.theta.copy())[-number:]


@pytest.fixture(scope="module")
def gradients(workers):
    """By alpha: what is said of the first update's gradient without reward, and its own step."""
    said, taken = {}, {}
    for alpha in (0.0, 1.0):
        thetas = []

        def look(update, alpha=alpha, thetas=thetas):
            thetas.append(policy(workers, update.agents).astype(np.float64))
            if update.k == 1 and alpha == 0.0:
                assert update.batch.newest_reward is None
                said[0.0] = workers.backends.reference.policy_gradient(
                    update.agents, update.batch, 0.0
                )
                with_reward = update.agents, rewarded(update)
                said[1.0] = workers.backends.reference.policy_gradient(*with_reward, 1.0)

        live(workers, alpha, look)
        step = (thetas[0] - thetas[1]) / SETTINGS.learning_rate
        taken[alpha] = FLOOR * step / (1.0 - np.abs(step))
    return said, taken


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_the_gradients_compared_are_those_that_agents_would_follow(gradients, alpha):
    said, taken = gradients
    scale = np.abs(taken[alpha]).max()
    assert scale > 1e-3
    # theta is kept in single precision: a step is known to about a millionth of the largest.
    np.testing.assert_allclose(said[alpha], taken[alpha], rtol=1e-3, atol=1e-4 * scale)


def test_what_is_compared_is_kept_for_every_update(workers, gradients):
    said, _ = gradients
    correlation = GradientCorrelation(workers.backends.reference)
    live(workers, 0.0, correlation.observe)
    assert correlation.with_ppo.shape == correlation.between_halves.shape == (2, 2)
    np.testing.assert_array_equal(correlation.with_ppo[:, 0], spearman(said[0.0], said[1.0]))
    assert np.all(np.abs(correlation.between_halves) < 1.0)


def test_the_value_function_learns_as_ppos_does_and_nothing_else_changes(workers):
    watched, alone, with_ppo = {}, {}, {}

    def keep(into):
        def note(update):
            into[update.k] = policy(workers, update.agents), value_function(workers, update.agents)

        return note

    correlation = GradientCorrelation(workers.backends.reference)

    def watch(update):
        keep(watched)(update)
        correlation.observe(update)

    live(workers, 0.0, watch)
    live(workers, 0.0, keep(alone))
    live(workers, 1.0, keep(with_ppo))
    np.testing.assert_array_equal(watched[2][0], alone[2][0])
    for ours, ppos, untrained in zip(watched[2][1], with_ppo[2][1], alone[2][1], strict=True):
        np.testing.assert_allclose(ours, ppos, rtol=1e-4, atol=1e-4)
        assert np.any(ours != untrained)


def test_half_of_the_steps_are_all_that_a_half_knows(workers):
    seen = []

    def look(update):
        gradient = functools.partial(workers.backends.reference.policy_gradient, update.agents)
        batch = rewarded(update)
        first, everything = slice(32), slice(64)
        whole = gradient(batch, 1.0)
        np.testing.assert_array_equal(gradient(steps_of(batch, everything), 1.0), whole)
        reward = batch.newest_reward.copy()
        reward[:, 32:] *= -2.0
        other = batch._replace(newest_reward=reward)
        half = gradient(steps_of(batch, first), 1.0)
        np.testing.assert_array_equal(gradient(steps_of(other, first), 1.0), half)
        assert np.any(gradient(other, 1.0) != whole)
        seen.append(update.k)

    live(workers, 0.0, look)
    assert seen == [1, 2]


def ranks_of(row):
    """From 1; equal numbers share the mean of their ranks."""
    return np.array([(row < x).sum() + ((row == x).sum() + 1) / 2 for x in row])


def test_spearmans_is_pearsons_of_the_ranks():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3, 50))
    second += first
    second[1] = np.round(second[1])  # ties
    expected = [
        np.corrcoef(ranks_of(a), ranks_of(b))[0, 1] for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(spearman(first, second), expected)
    np.testing.assert_allclose(spearman(first, np.exp(first)), 1.0)  # only the order counts
    np.testing.assert_allclose(spearman(first, -first), -1.0)


def test_without_two_gradients_there_is_no_correlation():
    first = np.array([[1.0, 2.0, 3.0]] * 4)
    second = np.array([[0.0, 0.0, 0.0], [1.0, np.nan, 2.0], [1.0, np.inf, 2.0], [3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(spearman(first, second), [np.nan, np.nan, np.nan, -1.0])
