"""MAML and ES-MAML: exact meta-gradients, and first weights that an inner step improves on."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from lives import lived, trained
from tiny_tasks import Line, Navigation

from epg_tf.outer_loop.strategy import EvolutionStrategy
from epg_tf.rivals.adaptation.baseline import (
    features,
    fitted_values,
    standardised_advantages,
    times_in_episode,
)
from epg_tf.rivals.adaptation.inner_step import Batch
from epg_tf.rivals.adaptation.policy import AdaptablePolicy
from epg_tf.rivals.es_maml.settings import ESMAML
from epg_tf.rivals.learners import make_learner
from epg_tf.rivals.maml.meta_update import meta_loss
from epg_tf.rivals.maml.settings import MAML
from epg_tf.seeds import held_out_seed

TINY = MAML(hidden_sizes=(5,), batch_steps=20, num_passes=1)
TINY_ES = ESMAML(hidden_sizes=(5,), batch_steps=20)
SEEDS = [held_out_seed(0, task) for task in range(64)]


def toy(settings):
    """A policy, double-precision weights, and batches of three tasks before and after an update."""
    policy, rng = AdaptablePolicy(settings, Navigation()), np.random.default_rng(0)
    weights = [rng.normal(0.0, 0.5, w.shape) for w in policy.draw(rng)]
    draw = lambda: Batch(rng.normal(size=(3, 6, 2)), rng.normal(size=(3, 6, 2)),  # noqa: E731
                         rng.normal(size=(3, 6)), rng.normal(-3.0, 0.1, (3, 6)))  # fmt: skip
    return policy, weights, [draw() for _ in range(settings.num_inner_steps)], draw()


def gradient_of(settings, policy, weights, before, after):
    weights = [tf.constant(w) for w in weights]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        loss, _ = meta_loss(settings, policy, weights, (before, after))
    return [g.numpy() for g in tape.gradient(loss, weights)]


@pytest.mark.parametrize("num_inner_steps", [1, 2])
def test_the_meta_gradient_is_that_of_finite_differences(num_inner_steps):
    # A ratio far from 1 is clipped, and has no gradient: here the clip is out of the way.
    settings = dataclasses.replace(TINY, clip=1e6, num_inner_steps=num_inner_steps, step_size=0.3)
    policy, weights, before, after = toy(settings)
    found = gradient_of(settings, policy, weights, before, after)
    for number, weight in enumerate(weights):
        for place in np.ndindex(weight.shape):
            sides = []
            for shift in (1e-6, -1e-6):
                moved = [w.copy() for w in weights]
                moved[number][place] += shift
                moved = [tf.constant(w) for w in moved]
                sides.append(float(meta_loss(settings, policy, moved, (before, after))[0]))
            expected = (sides[0] - sides[1]) / 2e-6
            assert found[number][place] == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_to_first_order_it_is_the_gradient_where_the_inner_step_has_led():
    settings = dataclasses.replace(TINY, clip=1e6, first_order=True, step_size=0.3)
    policy, weights, before, after = toy(settings)
    found = gradient_of(settings, policy, weights, before, after)
    whole = gradient_of(
        dataclasses.replace(settings, first_order=False), policy, weights, before, after
    )
    assert not np.allclose(found[0], whole[0], rtol=1e-2)
    adapted = [tf.constant(np.repeat(w, 3, axis=0)) for w in weights]
    with tf.GradientTape() as tape:
        tape.watch(adapted)
        ratio = tf.exp(policy.log_prob(adapted, *before[0][:2]) - before[0].log_prob)
        loss = -tf.reduce_sum(tf.reduce_mean(ratio * before[0].advantage, axis=1))
    steps = tape.gradient(loss, adapted)
    adapted = [w - 0.3 * g for w, g in zip(adapted, steps, strict=True)]
    with tf.GradientTape() as tape:
        tape.watch(adapted)
        ratio = tf.exp(policy.log_prob(adapted, *after[:2]) - after.log_prob)
        loss = -tf.reduce_mean(ratio * after.advantage)
    expected = [np.sum(g, axis=0, keepdims=True) for g in tape.gradient(loss, adapted)]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_an_inner_step_finds_the_way_to_a_goal_that_is_not_seen():
    settings = MAML(
        hidden_sizes=(32,), batch_steps=200, initial_log_std=-2.0, learning_rate=1e-2,
        num_passes=5, num_outer_batches=1,
    )  # fmt: skip
    learner, state, _ = trained(settings, Navigation(), 60, num_tasks=20)
    episodes = lived(learner, state, Navigation(), SEEDS, 2, 200).completed
    before, after = (np.mean([of[part] for of in episodes]) for part in (slice(10), slice(10, 20)))
    # Without meta-training an inner step gains a tenth, here a third; standing still pays -3.3.
    assert before < -2.5
    assert after > 0.75 * before


def test_es_maml_climbs_a_parabola():
    strategy = EvolutionStrategy(noise_std=0.1, learning_rate=0.05, weight_decay=0.0)
    settings = dataclasses.replace(
        TINY_ES, strategy=strategy, initial_log_std=-2.0, step_size=1e-4, later_step_size=0.0
    )
    learner, state, metrics = trained(settings, Line(), 40, num_tasks=8)
    assert metrics[0]["return_mean"] < -0.8
    assert metrics[-1]["return_mean"] > -0.1
    learned = lived(learner, state, Line(), SEEDS[:4], 2, 20).completed
    assert np.mean(learned) > -0.1


def test_both_of_a_pair_live_the_same_task_and_noise():
    tiny = dataclasses.replace(TINY_ES, strategy=EvolutionStrategy(noise_std=1e-12))
    learner = make_learner(tiny, Navigation())
    rng = np.random.default_rng(0)
    outcome = learner.train_epoch(learner.first_state(0), SEEDS[:2], rng, lambda share: None)
    assert outcome.num_steps == 2 * 2 * 40  # two candidates a task, before and after the step
    assert outcome.metrics["gradient_norm"] < 1e-3  # equal lives, equal ranks


def test_time_begins_anew_with_every_episode():
    ended = np.array([[0, 0, 1, 0], [1, 0, 0, 0]], bool)
    times = times_in_episode(ended, np.array([7, 0]))
    assert times.tolist() == [[7, 8, 9, 0, 1], [0, 0, 1, 2, 3]]


def test_the_baseline_finds_values_that_are_linear():
    rng = np.random.default_rng(0)
    ended = np.zeros((2, 60), bool)
    ended[0, [19, 39]] = ended[1, 29] = True
    times = times_in_episode(ended, np.array([0, 3]))
    known = features(rng.normal(size=(2, 61, 2)), times)
    true = known @ rng.normal(size=known.shape[-1])
    following = np.where(ended, 0.0, true[:, 1:])
    rewards = true[:, :-1] - 0.9 * following
    found = fitted_values(known, rewards, ended, 0.9, 1e-12)
    np.testing.assert_allclose(found[:, :-1], true[:, :-1], rtol=1e-3, atol=1e-3)


def test_advantages_are_returns_within_the_episode_less_what_was_expected():
    rewards, values = np.array([[1.0, 2.0, 4.0, 8.0]]), np.array([[0.5, 1.0, 0.0, 1.0, 3.0]])
    ended = np.array([[0.0, 1.0, 0.0, 0.0]])
    returns = np.array([1 + 0.5 * 2, 2, 4 + 0.5 * (8 + 0.5 * 3), 8 + 0.5 * 3])
    plain = returns - values[0, :-1]
    expected = (plain - plain.mean()) / plain.std()
    found = standardised_advantages(rewards, values, ended, 0.5, 1.0)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "changes", "sentence"),
    [
        (TINY, {"clip": 0.0}, r"`MAML.clip` \(=0.0\) must be a finite positive number."),
        (TINY, {"step_size": -1.0}, r"`MAML.step_size` \(=-1.0\) must be a finite positive"),
        (TINY, {"num_passes": 0}, r"`MAML.num_passes` \(=0\) must be a positive integer."),
        (TINY_ES, {"discount": 1.5}, r"`ESMAML.discount` \(=1.5\) must be a number in \[0, 1\]."),
        (TINY_ES, {"hidden_sizes": (0,)}, r"`ESMAML.hidden_sizes` \(=0\) must be a positive int"),
        (TINY_ES, {"mean_activation": "relu"}, r"`ESMAML.mean_activation` \(='relu'\) must be one"),
    ],
)
def test_settings_outside_their_range_are_refused(settings, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(settings, **changes)
