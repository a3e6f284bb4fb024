"""Eqs. 4 and 6: what one update reads, changes and leaves alone."""

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf

from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO, Reinforce
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher

FAMILY = RandomReacher()
SMALL = InnerLoop(steps_per_update=32, buffer_size=64, num_minibatches=2)
SEEING = dataclasses.replace(
    SMALL,
    learned_loss=LearnedLoss(
        inputs=("observation", "action", "reward", "termination", "memory", "policy")
    ),
)


# What the fast presets do: many steps, no context, a smooth loss.
MANY_STEPS = dataclasses.replace(
    SMALL,
    buffer_size=32,
    num_minibatches=4,
    num_passes=3,
    learned_loss=LearnedLoss(
        inputs=("observation", "policy"), context_size=0, hidden_size=64, activation="silu"
    ),
    mean_activation="tanh",
    log_std_bounds=(-0.002, 0.002),
)


def random_batch(settings, workers, family=FAMILY, seed=0):
    """A batch whose rows for a worker depend on that worker's number alone."""
    rows = []
    for worker in workers:
        rng = np.random.default_rng([seed, worker])
        n, m = settings.buffer_size, settings.steps_per_update

        def normal(*shape, rng=rng):
            return rng.normal(size=shape).astype(np.float32)

        ended = rng.random((n, 1)) < 0.1
        mask = np.ones((n, 1), np.float32)
        mask[: worker * 3] = 0.0
        actions = family.num_actions or family.action_size
        sees = settings.learned_loss.inputs
        size = family.observation_size
        rows.append(
            UpdateBatch(
                observation=normal(n, size),
                action=normal(n, actions),
                termination=ended.astype(np.float32),
                reward=normal(n, 1) if settings.learned_loss.sees_reward else None,
                gated_observation=normal(n, size + 1) if "gated_observation" in sees else None,
                mask=mask if n > m else None,
                newest_action=(
                    normal(m, family.action_size)
                    if family.num_actions is None
                    else rng.integers(family.num_actions, size=m)
                ),
                newest_reward=normal(m),
                newest_terminated=(ended[-m:, 0] & (rng.random(m) < 0.5)).astype(np.float32),
                newest_next_observation=normal(m, family.observation_size),
                permutation=np.stack(
                    [rng.permutation(m).astype(np.int32) for _ in range(settings.num_passes)]
                ),
            )
        )
    return UpdateBatch(*(None if f[0] is None else np.stack(f) for f in zip(*rows, strict=True)))


compiled_once = functools.cache(Learner)


def make_learner(settings, workers, family=FAMILY, phi_scale=1.0):
    """A learner with its losses, and fresh agents."""
    learner = compiled_once(settings, family, len(workers))
    phi = np.stack([learner.loss.draw(np.random.default_rng([5, w])) for w in workers])
    learner.load(phi_scale * phi)
    return learner, learner.agents.draw([np.random.default_rng([6, w]) for w in workers])


def theta(learner, agents):
    """Copies of all parameters of all agents, each [W, ...]."""
    return learner.agents.parts(agents.theta.copy())


def changed(before, after):
    return [not np.array_equal(b, a) for b, a in zip(before, after, strict=True)]


def after_updates(
    settings,
    workers,
    alpha,
    batch=None,
    family=FAMILY,
    num_updates=2,
    **kwargs,
):
    learner, agents = make_learner(settings, workers, family, **kwargs)
    for seed in range(num_updates):
        data = random_batch(settings, workers, family, seed) if batch is None else batch
        _, diverged = learner.descend(agents, data, alpha)
    return theta(learner, agents), diverged


def test_the_update_reaches_policy_and_memory_and_never_phi():
    learner, agents = make_learner(SMALL, [0, 1])
    phi, before = [v.numpy() for v in learner.loss.phi_variables], theta(learner, agents)
    learner.descend(agents, random_batch(SMALL, [0, 1]), 0.0)
    moved = changed(before, theta(learner, agents))
    assert moved == [True] * 7 + [True] * 2 + [False] * 6  # policy, memory, value function
    for old, variable in zip(phi, learner.loss.phi_variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_alpha_0_ignores_rewards_to_the_bit():
    batch = random_batch(SMALL, [0, 1])
    other = batch._replace(
        newest_reward=1e6 * batch.newest_reward,
        newest_terminated=1.0 - batch.newest_terminated,
        newest_next_observation=-batch.newest_next_observation,
    )
    without = batch._replace(
        newest_reward=None, newest_terminated=None, newest_next_observation=None
    )
    ours, _ = after_updates(SMALL, [0, 1], 0.0, batch)
    for changed_batch in (other, without):
        theirs, _ = after_updates(SMALL, [0, 1], 0.0, changed_batch)
        assert not any(changed(ours, theirs))
    guided, _ = after_updates(SMALL, [0, 1], 0.5, batch)
    differently_guided, _ = after_updates(SMALL, [0, 1], 0.5, other)
    assert any(changed(guided, differently_guided))


def test_a_loss_that_asks_for_the_reward_sees_it_at_alpha_0():
    batch = random_batch(SEEING, [0, 1])
    ours, _ = after_updates(SEEING, [0, 1], 0.0, batch)
    theirs, _ = after_updates(SEEING, [0, 1], 0.0, batch._replace(reward=2.0 * batch.reward))
    assert any(changed(ours, theirs))


def test_alpha_1_ignores_phi_to_the_bit():
    ours, diverged = after_updates(SMALL, [0, 1], 1.0)
    theirs, _ = after_updates(SMALL, [0, 1], 1.0, phi_scale=np.float32(np.nan))
    assert not any(changed(ours, theirs))
    assert not diverged.any()
    mixed, _ = after_updates(SMALL, [0, 1], 0.5)
    assert any(changed(ours, mixed))


NO_LONGER_BUFFER = dataclasses.replace(
    SMALL, buffer_size=32, learned_loss=LearnedLoss(convolutions=((8, 3, 8), (4, 2, 8)))
)


@pytest.mark.parametrize(
    ("settings", "alpha"),
    [
        (SMALL, 0.0),
        (SMALL, 0.5),
        (SMALL, 1.0),
        (SEEING, 0.0),
        (NO_LONGER_BUFFER, 0.5),
        (MANY_STEPS, 0.0),
    ],
)
def test_a_worker_depends_neither_on_its_neighbours_nor_on_their_number(settings, alpha):
    many, _ = after_updates(settings, [4, 3, 2, 1, 0], alpha)
    alone, _ = after_updates(settings, [2], alpha)
    two, _ = after_updates(settings, [2, 7], alpha)
    for of_many, of_one, of_two in zip(many, alone, two, strict=True):
        np.testing.assert_array_equal(of_many[2], of_one[0])
        np.testing.assert_array_equal(of_many[2], of_two[0])


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_a_worker_that_diverges_is_counted_and_harms_nobody(alpha):
    workers = [0, 1, 2]
    healthy, diverged = after_updates(SMALL, workers, alpha)
    assert not diverged.any()
    learner, agents = make_learner(SMALL, workers)
    phi = np.stack([learner.loss.draw(np.random.default_rng([5, w])) for w in workers])
    phi[1] = 1e30
    learner.load(phi)
    before = theta(learner, agents)
    for seed in range(2):
        _, diverged = learner.descend(agents, random_batch(SMALL, workers, seed=seed), alpha)
    np.testing.assert_array_equal(diverged, [False, True, False])
    for old, new, expected in zip(before, theta(learner, agents), healthy, strict=True):
        np.testing.assert_array_equal(new[1], old[1])  # it keeps its parameters
        np.testing.assert_array_equal(new[0], expected[0])
        np.testing.assert_array_equal(new[2], expected[2])


def test_one_update_is_adam_on_the_loss_of_equation_6():
    """Against tape and Keras's Adam on an ordinary loss, written out again."""
    settings = dataclasses.replace(SMALL, num_minibatches=1)
    batch = random_batch(settings, [0, 1, 2])
    learner, agents = make_learner(settings, [0, 1, 2])
    learner.agents.assign(agents.theta)
    variables = [*learner.agents.policy.weights, *learner.agents.memory.weights]
    with tf.GradientTape() as tape:
        output = learner.agents.policy(batch.observation)
        inputs = learner.objective.inputs(batch, output)
        loss = tf.reduce_sum(learner.loss(inputs, settings.steps_per_update))
    gradients = tape.gradient(loss, variables)
    tf.keras.optimizers.Adam(1e-3, epsilon=1e-8).apply_gradients(
        zip(gradients, variables, strict=True)
    )
    expected = [variable.numpy() for variable in variables]
    learner.descend(agents, batch, 0.0)
    for ours, theirs in zip(theta(learner, agents)[:9], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-6)


def test_many_steps_are_keras_adams_between_the_bounds():
    """Every gradient step against tape and Keras's Adam, which also keeps log_std within bounds."""
    workers = [0, 1, 2]
    batch = random_batch(MANY_STEPS, workers)
    learner, agents = make_learner(MANY_STEPS, workers)
    learner.agents.assign(agents.theta)
    policy = learner.agents.policy
    adam = tf.keras.optimizers.Adam(1e-3, epsilon=1e-8)
    losses = []
    for rows in np.moveaxis(batch.permutation.reshape(3, 12, 8), 1, 0):
        with tf.GradientTape() as tape:
            observation = np.take_along_axis(batch.observation, rows[..., np.newaxis], axis=1)
            inputs = learner.objective.inputs(
                batch._replace(observation=observation), policy(observation)
            )
            loss = tf.reduce_mean(learner.loss.per_step(inputs), axis=1)
        losses.append(loss)
        gradients = tape.gradient(loss, policy.weights)
        adam.apply_gradients(zip(gradients, policy.weights, strict=True))
    expected = policy.get_weights()
    loss, _ = learner.descend(agents, batch, 0.0)
    np.testing.assert_allclose(loss, np.mean(losses, axis=0), rtol=1e-4)
    for ours, theirs in zip(theta(learner, agents)[:7], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)
    log_std = theta(learner, agents)[6]
    assert np.abs(log_std).max() == np.float32(0.002)


@pytest.mark.parametrize("guide", [PPO(), Reinforce()])
def test_every_guide_moves_box_and_finite_policies(guide):
    settings = dataclasses.replace(SMALL, guide=guide, num_passes=1)
    for family in (FAMILY, DiscreteActions(FAMILY)):
        learner, agents = make_learner(settings, [0, 1], family)
        before = theta(learner, agents)
        _, diverged = learner.descend(agents, random_batch(settings, [0, 1], family), 0.5)
        assert not diverged.any()
        num_policy = len(learner.agents.policy.weights)
        assert all(changed(before, theta(learner, agents))[:num_policy])


def test_an_update_depends_on_the_agents_alone():
    """Agents take the same steps with their Adam whatever the learner did between them."""
    results = []
    for between in (False, True):
        learner, agents = make_learner(SMALL, [0, 1])
        for seed in range(2):
            learner.descend(agents, random_batch(SMALL, [0, 1], seed=seed), 0.5)
            if between:
                _, others = make_learner(SMALL, [0, 1])
                learner.descend(others, random_batch(SMALL, [0, 1], seed=9), 0.5)
        results.append([agents.theta, agents.moments, agents.counts])
    assert not any(changed(*results))
    np.testing.assert_array_equal(results[0][2], [4, 4, 4])
