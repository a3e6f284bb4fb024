"""Gradient steps by machine code of our own, held to those of TensorFlow."""

import dataclasses

import numpy as np
import pytest
from test_learner import MANY_STEPS, random_batch

from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.native.learner import NativeLearner
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher

ROUGH = dataclasses.replace(
    MANY_STEPS,
    buffer_size=64,
    hidden_sizes=(33, 20, 7),
    mean_activation=None,
    log_std_bounds=None,
    learned_loss=LearnedLoss(
        inputs=("action", "policy", "reward", "termination", "observation"),
        context_size=0,
        hidden_size=21,
    ),
)
NOT_DEEP = dataclasses.replace(MANY_STEPS, hidden_sizes=(), num_minibatches=1, num_passes=9)
PAPER = InnerLoop(num_minibatches=4)
LONG = dataclasses.replace(  # a buffer that is longer than an update, and not full at first
    MANY_STEPS,
    buffer_size=100,
    learned_loss=LearnedLoss(
        inputs=("memory", "reward", "policy"),
        convolutions=((3, 2, 5), (2, 2, 9), (2, 1, 3)),
        pooling="mean",
        activation="silu",
    ),
)
HELD = dataclasses.replace(
    MANY_STEPS,
    train_memory=False,
    learned_loss=LearnedLoss(
        ("memory", "policy"), convolutions=((1, 1, 64),), pooling="mean", context_size=4
    ),
)
MEMORY = dataclasses.replace(
    MANY_STEPS, learned_loss=LearnedLoss(("policy", "memory"), context_size=0)
)
CONFINED = dataclasses.replace(
    MANY_STEPS,
    mean_activation=None,
    log_std_bounds=(-1.0, 0.0),
    learned_loss=dataclasses.replace(
        MANY_STEPS.learned_loss, mean_penalty=3.0, log_std_penalty=0.5
    ),
)
GATED = dataclasses.replace(
    LONG, learned_loss=LearnedLoss(("observation", "gated_observation", "policy"))
)
BILINEAR = dataclasses.replace(
    HELD,
    learned_loss=LearnedLoss(
        ("action", "memory", "policy", "observation"), context_size=0, bilinear=True
    ),
)
CONFINED_WITH_CONTEXT = dataclasses.replace(
    LONG,
    learned_loss=dataclasses.replace(LONG.learned_loss, mean_penalty=8.0, log_std_penalty=1.0),
)
SETTINGS = {
    "many steps": MANY_STEPS,
    "rough": ROUGH,
    "not deep": NOT_DEEP,
    "paper": PAPER,
    "long": LONG,
    "held": HELD,
    "memory": MEMORY,
    "confined": CONFINED,
    "gated": GATED,
    "bilinear": BILINEAR,
    "confined, with context": CONFINED_WITH_CONTEXT,
}
by_settings = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def drawn(loss, rng):
    """A phi of which nothing is zero."""
    phi = loss.draw(rng)
    return phi + 0.1 * rng.standard_normal(len(phi), np.float32)


def learners(settings, workers, family):
    """One of each kind, of the workers with these numbers."""
    made = []
    for kind, backend in ((Learner, "tensorflow"), (NativeLearner, "numba")):
        learner = kind(dataclasses.replace(settings, backend=backend), family, len(workers))
        phi = [drawn(learner.loss, np.random.default_rng([w, 5])) for w in workers]
        learner.reset(np.stack(phi), [np.random.default_rng([w, 6]) for w in workers])
        made.append(learner)
    return made


def assert_same_agents(ours, theirs, tolerance=2e-3):
    for a, b in zip(ours.policy_weights(), theirs.policy_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)
    memories = [learner.agents.memory.get_weights() for learner in (ours, theirs)]
    for a, b in zip(*memories, strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)


@by_settings
def test_it_takes_the_steps_that_tensorflow_takes(settings):
    family = RandomHopper() if settings in (ROUGH, PAPER, HELD) else RandomReacher()
    reference, native = learners(settings, range(3), family)
    before = native.policy_weights()
    for seed in range(2):
        batch = random_batch(settings, range(3), family, seed=seed)
        expected, logs = reference.update(batch, 0.0), native.update(batch, 0.0)
        np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=1e-3, atol=1e-4)
        assert not logs["diverged"].any()
    assert_same_agents(native, reference)
    moved = [np.abs(a - b).max() for a, b in zip(before, native.policy_weights(), strict=True)]
    assert min(moved) > 1e-3
    if settings.log_std_bounds == MANY_STEPS.log_std_bounds:
        assert np.abs(native.policy_weights()[-1]).max() == np.float32(settings.log_std_bounds[1])


@by_settings
def test_a_lone_worker_takes_the_steps_it_takes_among_many(settings):
    _, many = learners(settings, range(7), RandomReacher())
    _, one = learners(settings, [4], RandomReacher())
    for seed in range(2):
        logs = many.update(random_batch(settings, range(7), seed=seed), 0.0)
        alone = one.update(random_batch(settings, [4], seed=seed), 0.0)
        assert logs["loss"][4] == alone["loss"][0]
    for a, b in zip(many.policy_weights(), one.policy_weights(), strict=True):
        np.testing.assert_array_equal(a[4:5], b)


@pytest.mark.parametrize("settings", [MANY_STEPS, PAPER], ids=["many steps", "paper"])
def test_a_worker_that_diverges_stands_still_and_the_others_do_not_notice(settings):
    (reference, native), (_, sound) = (
        learners(settings, range(3), RandomReacher()) for _ in range(2)
    )
    batch = random_batch(settings, range(3))
    sound.update(batch, 0.0)
    batch.observation[1, 3] = np.inf
    before = native.policy_weights()
    expected, logs = reference.update(batch, 0.0), native.update(batch, 0.0)
    np.testing.assert_array_equal(logs["diverged"], [False, True, False])
    np.testing.assert_array_equal(expected["diverged"], logs["diverged"])
    for a, b, old in zip(native.policy_weights(), sound.policy_weights(), before, strict=True):
        np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])
        assert np.isfinite(a).all() and a.shape == old.shape
    assert_same_agents(native, reference)


def test_guidance_goes_on_where_the_native_steps_were_and_the_other_way_round():
    reference, native = learners(PAPER, range(3), RandomReacher())
    for guidance in (0.0, 1.0, 0.5, 0.0):  # at 1 the memory stands still, and its Adam's count
        batch = random_batch(PAPER, range(3), seed=int(10 * guidance))
        for learner in (reference, native):
            learner.update(batch, guidance)
    assert_same_agents(native, reference, 5e-3)


def test_the_gradient_an_update_begins_with_is_tensorflows():
    reference, native = learners(MANY_STEPS, range(3), RandomReacher())
    batch = random_batch(MANY_STEPS, range(3))
    for learner in (reference, native):
        learner.update(batch, 0.0)
    gradients = [learner.policy_gradient(batch, 0.0) for learner in (reference, native)]
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-2, rtol=1e-1)


def test_whoever_looks_at_the_agents_sees_them_as_they_are():
    _, native = learners(MANY_STEPS, range(3), RandomReacher())
    for seed in range(2):
        native.update(random_batch(MANY_STEPS, range(3), seed=seed), 0.0)
        weights = native.policy_weights()
        for ours, keras in zip(weights, native.agents.policy.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, keras)


def test_finite_actions_are_tensorflows():
    settings = dataclasses.replace(MANY_STEPS, backend="numba")
    assert type(Workers(settings, DiscreteActions(RandomReacher()), 2).learner) is Learner
    assert type(Workers(settings, RandomReacher(), 2).learner) is NativeLearner
