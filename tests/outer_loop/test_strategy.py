"""ask and tell: Eq. 5 recomputed from what ask gave, and a hill climbed."""

import dataclasses
import itertools

import numpy as np
import pytest

from epg_tf.outer_loop.shaping import SHAPINGS
from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.schedules import Constant, Linear

TOP = np.linspace(-1.0, 1.0, 10)
CHOICES = [
    choice
    for choice in itertools.product(("adam", "sgd"), ("paired", "independent"), SHAPINGS)
    if choice[1:] != ("independent", "pair_ranks")
]


def height(candidates):
    """A 10-dimensional quadratic, steeper in some directions than in others; [n]."""
    return -np.sum(np.linspace(0.5, 2.0, 10) * np.square(candidates - TOP), axis=1)


def climb(strategy, num_epochs, num_workers=16, seed=0):
    state = strategy.init(np.zeros(10))
    for _ in range(num_epochs):
        candidates = strategy.ask(state, seed, range(num_workers))
        state, _ = strategy.tell(state, seed, height(candidates))
    return state


@pytest.mark.parametrize(("optimizer", "sampling", "shaping"), CHOICES)
def test_climbs_a_quadratic(optimizer, sampling, shaping):
    # Unshaped returns, far from 0 and without pairs, are nearly all noise: Eq. 5 as it stands.
    rates = {"adam": 0.05, "sgd": 0.01 if shaping == "none" else 0.1}
    strategy = EvolutionStrategy(
        noise_std=0.2,
        learning_rate=Linear(start=rates[optimizer], end=0.0, num_epochs=400),
        sampling=sampling,
        shaping=shaping,
        optimizer=optimizer,
        weight_decay=0.0,
    )
    state = climb(strategy, 400, num_workers=32)
    start, end = height(np.stack([np.zeros(10), state.phi]))
    assert end > 0.02 * start, f"from {start} to {end}"


@pytest.mark.parametrize("sampling", ["paired", "independent"])
@pytest.mark.parametrize("shaping", ["none", "centred_ranks"])
def test_the_step_is_eq_5(sampling, shaping):
    strategy = EvolutionStrategy(
        noise_std=0.2,
        learning_rate=0.3,
        sampling=sampling,
        shaping=shaping,
        optimizer="sgd",
        weight_decay=0.01,
    )
    state = strategy.init(np.random.default_rng(1).normal(size=10))
    returns = np.random.default_rng(2).normal(size=6)
    candidates = strategy.ask(state, seed=4, workers=range(6)).astype(np.float64)
    new, logs = strategy.tell(state, 4, returns)

    epsilon = (candidates - state.phi) / 0.2
    fitness = returns if shaping == "none" else np.argsort(np.argsort(returns)) / 5 - 0.5
    gradient = fitness @ epsilon / (6 * 0.2)
    expected = state.phi + 0.3 * (gradient - 0.01 * state.phi)
    np.testing.assert_allclose(new.phi, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logs["gradient_norm"], np.linalg.norm(gradient), rtol=1e-5)
    np.testing.assert_allclose(logs["phi_norm"], np.linalg.norm(expected), rtol=1e-5)
    assert new.epoch == 1


@pytest.mark.parametrize("beta_1", [0.0, 0.9])
def test_adams_steps_are_kingmas(beta_1):
    strategy = EvolutionStrategy(
        noise_std=0.1, learning_rate=0.05, beta_1=beta_1, beta_2=0.99, weight_decay=0.002
    )
    phi = np.random.default_rng(3).normal(size=10)
    state = strategy.init(phi)
    first = second = np.zeros(10)
    for t in (1, 2, 3):
        candidates = strategy.ask(state, 9, range(8)).astype(np.float64)
        returns = height(candidates)
        ranks = np.argsort(np.argsort(returns)) / 7 - 0.5
        gradient = ranks @ (candidates - state.phi) / (8 * 0.1**2)
        first = beta_1 * first + (1 - beta_1) * gradient
        second = 0.99 * second + 0.01 * gradient**2
        adam = (first / (1 - beta_1**t)) / (np.sqrt(second / (1 - 0.99**t)) + 1e-8)
        expected = state.phi + 0.05 * (adam - 0.002 * state.phi)
        state, _ = strategy.tell(state, 9, returns)
        np.testing.assert_allclose(state.phi, expected, rtol=1e-4, atol=1e-5)


def test_without_differences_between_the_returns_only_the_decay_moves_phi():
    strategy = EvolutionStrategy(learning_rate=0.1, weight_decay=0.5)
    state = strategy.init(np.arange(10.0))
    new, logs = strategy.tell(state, 0, np.full(4, -3.0))
    np.testing.assert_allclose(new.phi, 0.95 * np.arange(10.0), rtol=1e-12)
    assert logs["gradient_norm"] == 0.0


def test_one_worker_that_is_not_a_number_does_not_reach_phi():
    for optimizer, sampling, shaping in CHOICES:
        strategy = EvolutionStrategy(optimizer=optimizer, sampling=sampling, shaping=shaping)
        state, _ = strategy.tell(strategy.init(np.ones(10)), 0, np.array([1.0, np.nan, 2.0, 0.0]))
        assert np.isfinite(state.phi).all()


def test_candidates_do_not_depend_on_who_asks_for_which():
    for sampling in ("paired", "independent"):
        strategy = EvolutionStrategy(sampling=sampling)
        state = strategy.init(np.random.default_rng(0).normal(size=10))
        whole = strategy.ask(state, 5, range(7))
        assert whole.dtype == np.float32
        parts = [strategy.ask(state, 5, part) for part in (range(0, 3), range(3, 4), range(4, 7))]
        np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_a_state_is_not_changed_by_using_it():
    strategy = EvolutionStrategy()
    state = climb(strategy, 2)
    before = [np.copy(value) for value in dataclasses.astuple(state)]
    strategy.ask(state, 0, range(4))
    strategy.tell(state, 0, np.arange(4.0))
    for value, old in zip(dataclasses.astuple(state), before, strict=True):
        np.testing.assert_array_equal(value, old)


def test_the_learning_rate_may_be_a_schedule():
    returns = np.array([1.0, 0.0])
    scheduled = EvolutionStrategy(optimizer="sgd", learning_rate=Linear(0.4, 0.0, 4))
    state = scheduled.init(np.ones(10))
    for rate in (0.4, 0.3, 0.2):
        constant = EvolutionStrategy(optimizer="sgd", learning_rate=rate)
        expected, _ = constant.tell(state, 0, returns)
        state, logs = scheduled.tell(state, 0, returns)
        np.testing.assert_allclose(state.phi, expected.phi, rtol=1e-12)
        np.testing.assert_allclose(logs["outer_learning_rate"], rate)


def test_schedules():
    linear = Linear(start=1.0, end=0.0, num_epochs=4)
    assert [linear(epoch) for epoch in (1, 2, 3, 4, 5, 6, 1000)] == [1, 0.75, 0.5, 0.25, 0, 0, 0]
    assert Linear(start=0.25, end=0.75, num_epochs=1)(2) == 0.75
    assert {Constant(0.5)(epoch) for epoch in (1, 2, 3000)} == {0.5}
    with pytest.raises(ValueError, match=r"`Linear.num_epochs` \(=0\) must be a positive integer"):
        Linear(1.0, 0.0, 0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"noise_std": 0.0}, r"`EvolutionStrategy.noise_std` \(=0.0\) must be .*positive"),
        ({"noise_std": float("nan")}, r"`EvolutionStrategy.noise_std` \(=nan\) must be"),
        ({"learning_rate": -1}, r"`EvolutionStrategy.learning_rate` \(=-1\) must be .*positive"),
        ({"sampling": "pairs"}, r"`EvolutionStrategy.sampling` \(='pairs'\) must be one of"),
        ({"shaping": "ranks"}, r"`EvolutionStrategy.shaping` \(='ranks'\) must be one of"),
        ({"optimizer": "rmsprop"}, r"`EvolutionStrategy.optimizer` \(='rmsprop'\) must be one"),
        ({"beta_1": 1.0}, r"`EvolutionStrategy.beta_1` \(=1.0\) must be a number in \[0, 1\)"),
        ({"weight_decay": -0.1}, r"`EvolutionStrategy.weight_decay` \(=-0.1\) must be"),
    ],
)
def test_bad_settings_get_a_sentence(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        EvolutionStrategy(**settings)


def test_pairs_need_an_even_number_of_workers():
    with pytest.raises(ValueError, match=r"`num_workers` \(=31\) must be even with sampling='pair"):
        EvolutionStrategy().check_population(31)
    EvolutionStrategy().check_population(32)
    EvolutionStrategy(sampling="independent").check_population(31)
