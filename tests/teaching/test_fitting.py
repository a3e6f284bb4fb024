"""Fitting phi to gradients: the gradient of the fit, and where what was fitted leads."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.fitting import Fit, FitState

FAMILY = RandomReacher()
EVERYTHING = InnerLoop(
    steps_per_update=12,
    buffer_size=16,
    memory_size=3,
    learned_loss=LearnedLoss(
        inputs=("observation", "action", "reward", "termination", "memory", "policy"),
        convolutions=((4, 2, 3),),
        context_size=4,
        hidden_size=5,
        activation="silu",
    ),
)
SMALL = InnerLoop(
    steps_per_update=16,
    buffer_size=16,
    learned_loss=LearnedLoss(
        inputs=("observation", "policy"), context_size=0, hidden_size=32, activation="silu"
    ),
)


def random_lessons(settings, number, seed=0):
    """Demonstrations with all that the loss sees, and targets that have nothing to do with it."""
    rng = np.random.default_rng(seed)
    n, m = settings.buffer_size, settings.steps_per_update

    def normal(*shape):
        return rng.normal(size=(number, *shape)).astype(np.float32)

    seen = settings.learned_loss.inputs
    mask = np.ones((number, n, 1), np.float32)
    mask[: number // 2, : n - m] = 0.0
    inputs = LossInputs(
        observation=normal(n, FAMILY.observation_size),
        action=normal(n, 2) if "action" in seen else None,
        termination=normal(n, 1) if "termination" in seen else None,
        policy=(normal(n, 2), normal(1, 2)),
        memory=normal(1, settings.memory_size),
        reward=normal(n, 1) if "reward" in seen else None,
        mask=mask if n > m else None,
    )
    return Demonstrations(inputs, (normal(m, 2), normal(m, 2)))


def loss_with(settings, seed=1):
    network = settings.learned_loss.build(1)
    network.per_step(random_lessons(settings, 1).inputs)
    return network, network.draw(np.random.default_rng(seed))


@pytest.mark.parametrize(
    "settings",
    [
        SMALL,
        EVERYTHING,
        dataclasses.replace(
            EVERYTHING,
            learned_loss=dataclasses.replace(EVERYTHING.learned_loss, pooling="mean"),
        ),
    ],
)
def test_the_gradient_of_the_fit_is_that_of_finite_differences(settings):
    demonstrations = random_lessons(settings, 6)
    fit = Fit(settings, FAMILY)
    _, phi = loss_with(settings)
    gradient = fit.gradient(phi, demonstrations)
    rng = np.random.default_rng(2)
    for _ in range(4):
        direction = rng.normal(size=len(phi))
        direction /= np.linalg.norm(direction)
        step = 0.02
        ends = [
            fit.errors((phi + s * direction).astype(np.float32), demonstrations)
            for s in (step, -step)
        ]
        difference = (ends[0].error - ends[1].error) / (2 * step)
        assert gradient @ direction == pytest.approx(difference, rel=0.02, abs=2e-3)


def test_the_error_is_about_the_gradient_of_the_sum_over_the_newest_steps():
    """Recomputed step by step with the loss that agents descend."""
    settings = EVERYTHING
    demonstrations = random_lessons(settings, 2)
    network, phi = loss_with(settings)
    network.assign(phi[np.newaxis])
    n, m = settings.buffer_size, settings.steps_per_update
    mean, log_std = demonstrations.inputs.policy
    log_std = np.repeat(log_std, n, axis=1)
    policy = tuple(map(tf.constant, (mean, log_std)))
    with tf.GradientTape() as tape:
        tape.watch(policy)
        mean_loss = network(demonstrations.inputs._replace(policy=policy), m)
    gradients = [m * g.numpy()[:, n - m :] for g in tape.gradient(mean_loss, policy)]
    errors = [g - t for g, t in zip(gradients, demonstrations.targets, strict=True)]
    expected = np.mean(np.square(errors[0]).sum(axis=2) + np.square(errors[1]).sum(axis=2))
    found = Fit(settings, FAMILY).errors(phi, demonstrations)
    assert found.error == pytest.approx(expected, rel=1e-4)
    power = np.mean(sum(np.square(t).sum(axis=2) for t in demonstrations.targets))
    assert found.target == pytest.approx(power, rel=1e-5)
    assert found.explained == pytest.approx(1 - expected / power, rel=1e-3)


def test_the_minimum_of_a_taught_loss_is_where_the_gradients_vanish_on_average():
    """Means are to be twice the first two observations; every gradient is buried in noise."""
    rng = np.random.default_rng(3)
    demonstrations = random_lessons(SMALL, 512)
    mean, log_std = demonstrations.inputs.policy
    wanted = 2.0 * demonstrations.inputs.observation[..., :2]
    noise = rng.normal(size=mean.shape, scale=3.0)
    demonstrations = demonstrations._replace(
        targets=((mean - wanted + noise).astype(np.float32), np.zeros_like(mean))
    )
    network, phi = loss_with(SMALL)
    state, fit = FitState.start(phi), Fit(SMALL, FAMILY)
    for _ in range(8):
        order = rng.permutation(demonstrations.number).reshape(-1, 32)
        state, errors = fit.run(state, demonstrations, order, 5e-3)
    assert 0.0 < errors.explained < 0.5  # most of the targets is noise
    network.assign(state.phi[np.newaxis])
    fresh = random_lessons(SMALL, 1, seed=4).inputs
    output = tf.Variable(fresh.policy[0])
    adam = tf.keras.optimizers.Adam(0.05, jit_compile=False)
    for _ in range(300):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(network.per_step(fresh._replace(policy=(output, log_std[:1]))))
        adam.apply_gradients([(tape.gradient(value, output), output)])
    miss = output.numpy() - 2.0 * fresh.observation[..., :2]
    assert np.sqrt(np.mean(np.square(miss))) < 0.5


def test_a_fit_that_goes_on_equals_one_that_never_stopped():
    demonstrations = random_lessons(SMALL, 8)
    _, phi = loss_with(SMALL)
    minibatches = np.random.default_rng(5).permutation(8).reshape(-1, 2)
    whole, _ = Fit(SMALL, FAMILY).run(FitState.start(phi), demonstrations, minibatches, 1e-2)
    half, _ = Fit(SMALL, FAMILY).run(FitState.start(phi), demonstrations, minibatches[:2], 1e-2)
    rest, _ = Fit(SMALL, FAMILY).run(half, demonstrations, minibatches[2:], 1e-2)
    for one, other in zip(vars(whole).values(), vars(rest).values(), strict=True):
        np.testing.assert_array_equal(one, other)
