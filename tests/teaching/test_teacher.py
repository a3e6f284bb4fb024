"""Teaching as part of a run: what the lessons hold, and that nothing else changes."""

import dataclasses

import numpy as np
import pytest

from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.seeds import LifetimeSeed
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO, Guide, Reinforce
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.schedules import PiecewiseLinear
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.teaching.critic_teacher import CriticTeacher
from epg_tf.teaching.fitting import Fit, FitState
from epg_tf.teaching.lessons import Lessons, LessonTaker, joined
from epg_tf.teaching.teacher import PolicyGradientTeacher

INNER = InnerLoop(
    num_updates=3,
    steps_per_update=64,  # more than an episode of 50
    buffer_size=64,
    num_minibatches=2,
    hidden_sizes=(8,),
    memory_size=4,
    learned_loss=LearnedLoss(inputs=("observation", "policy"), context_size=0),
)
FAMILY = RandomReacher()
TEACHER = PolicyGradientTeacher()
SEEDS = [LifetimeSeed(task, (7, task)) for task in (3, 4)]


def live(settings, family=FAMILY, guidance=0.0, taken=True, on_update=None):
    workers = Workers(settings, family, len(SEEDS))
    phi = np.repeat(workers.draw_phi(0)[np.newaxis], len(SEEDS), axis=0)
    taker = LessonTaker(workers.learner, TEACHER.lesson) if taken else None
    lifetimes = workers.live(phi, SEEDS, guidance, on_update, lesson_taker=taker, train_value=taken)
    return workers, lifetimes, taker.hand_over() if taker else None


def test_targets_are_those_of_numpy_from_raw_transitions():
    updates, values = [], []

    def watch(update):
        learner = workers.learner
        updates.append(update)
        parts = (learner.agents.value_function, learner.agents.policy)
        values.append([[w.numpy()[: len(SEEDS)] for w in part.weights] for part in parts])

    workers = Workers(INNER, FAMILY, len(SEEDS))
    phi = np.repeat(workers.draw_phi(0)[np.newaxis], len(SEEDS), axis=0)
    taker = LessonTaker(workers.learner, TEACHER.lesson)
    workers.live(phi, SEEDS, 0.0, watch, lesson_taker=taker, train_value=True)
    lessons = taker.hand_over()
    assert lessons.targets[0].shape == (2, 3, 64, 2)

    def network(weights, inputs):
        k1, b1, k2, b2 = weights
        return np.tanh(inputs @ k1 + b1) @ k2 + b2

    for k, (update, (value_weights, policy_weights)) in enumerate(
        zip(updates, values, strict=True)
    ):
        experience, statistics = update.experience, update.statistics["observation"]
        observation = statistics.normalise(experience.observation)
        value = network(value_weights, observation)[..., 0]
        arrival = statistics.normalise(experience.next_observation)
        next_value = network(value_weights, arrival)[..., 0]
        mean, log_std = network(policy_weights[:4], observation), policy_weights[4]
        z = (experience.action - mean) / np.exp(log_std)
        advantage = np.zeros(value.shape)
        carried = np.zeros(len(value))
        for t in reversed(range(64)):
            goes_on = ~experience.ended[:, t]
            expected = 0.99 * next_value[:, t] * ~experience.terminated[:, t]
            error = experience.reward[:, t] + expected - value[:, t]
            carried = error + 0.99 * 0.95 * goes_on * carried
            advantage[:, t] = carried
        advantage -= advantage.mean(axis=1, keepdims=True)
        advantage = (advantage / advantage.std(axis=1, keepdims=True))[..., np.newaxis]
        expected = (-advantage * z, -advantage * (z**2 - 1.0))
        for target, exact in zip(lessons.targets, expected, strict=True):
            np.testing.assert_allclose(target[:, k], np.clip(exact, -10, 10), atol=2e-3)
        np.testing.assert_allclose(lessons.inputs.observation[:, k], observation, atol=1e-5)
        np.testing.assert_allclose(lessons.inputs.policy[0][:, k], mean, atol=1e-5)


def test_lessons_change_nothing_in_the_lives_of_those_who_give_them():
    """The value function learns from rewards; the policy never sees it."""
    taught, lifetimes, _ = live(INNER)
    untaught, others, _ = live(INNER, taken=False)
    np.testing.assert_array_equal(lifetimes.returns, others.returns)
    for ours, theirs in zip(
        taught.learner.policy_weights(), untaught.learner.policy_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    values = [w.learner.agents.value_function.get_weights()[0] for w in (taught, untaught)]
    assert not np.array_equal(*values)


@pytest.mark.parametrize(
    ("changes", "family"),
    [
        ({"guide": Reinforce()}, FAMILY),
        ({}, DiscreteActions(FAMILY)),
        ({"mean_activation": "tanh", "log_std_bounds": (-1.0, 0.0)}, FAMILY),
        (
            {
                "buffer_size": 96,
                "learned_loss": LearnedLoss(
                    inputs=("observation", "action", "reward", "termination", "memory", "policy"),
                    convolutions=((8, 7, 4),),
                ),
            },
            FAMILY,
        ),
    ],
)
def test_every_kind_of_loss_and_policy_can_be_taught(changes, family):
    settings = dataclasses.replace(INNER, **changes)
    workers, _, lessons = live(settings, family)
    assert lessons.are_finite.all()
    flat = lessons.mapped(lambda a: a.reshape(-1, *a.shape[2:]))
    assert flat.number == 6
    fit = Fit(settings, family)
    state = FitState.start(workers.draw_phi(0))
    everything = np.arange(6)[np.newaxis]
    first = fit.errors(state.phi, flat)
    for _ in range(30):
        state, errors = fit.run(state, flat, everything, 1e-2)
    assert errors.error < first.error


def test_lessons_that_are_not_finite_are_found():
    _, _, lessons = live(INNER)
    broken = lessons.mapped(np.copy)
    broken.targets[1][1, 2, 5, 0] = np.nan
    np.testing.assert_array_equal(broken.are_finite, [True, False])
    both = joined([lessons, broken])
    np.testing.assert_array_equal(both.are_finite, [True, True, True, False])
    assert isinstance(both, Lessons) and both.number == 2 * lessons.number


def test_the_floor_is_under_the_noise_of_those_who_teach_alone():
    teacher = PolicyGradientTeacher(log_std_floor=-0.5)
    bounded = dataclasses.replace(INNER, log_std_bounds=(-3.0, 0.25))
    assert teacher.inner_loop(bounded, 1).log_std_bounds == (-0.5, 0.25)
    assert teacher.inner_loop(INNER, 1).log_std_bounds == (-0.5, np.inf)
    assert PolicyGradientTeacher().inner_loop(bounded, 1) == bounded
    falling = PolicyGradientTeacher(log_std_floor=PiecewiseLinear((3, 4), (-0.5, -4.0)))
    lows = [falling.inner_loop(bounded, epoch).log_std_bounds for epoch in (3, 4)]
    assert lows == [(-0.5, 0.25), (-3.0, 0.25)]


class NoGradient(Guide):
    targets = PPO.targets
    loss = PPO.loss
    value_loss = PPO.value_loss


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PolicyGradientTeacher(num_epochs=0), "`PolicyGradientTeacher.num_epochs` (=0)"),
        (lambda: CriticTeacher(num_steps=0), "`CriticTeacher.num_steps` (=0)"),
        (lambda: CriticTeacher(hidden_sizes=(8, 0)), "`CriticTeacher.hidden_sizes` (=0)"),
        (lambda: CriticTeacher(discount=1.5), "`CriticTeacher.discount` (=1.5) must be in (0, 1]."),
        (
            lambda: CriticTeacher().check(INNER, DiscreteActions(FAMILY)),
            "`meta_train.teacher` (=CriticTeacher) must be PolicyGradientTeacher where",
        ),
        (
            lambda: PolicyGradientTeacher(num_kept_epochs=0),
            "`PolicyGradientTeacher.num_kept_epochs` (=0)",
        ),
        (
            lambda: PolicyGradientTeacher(log_std_floor=0.5).check(INNER, FAMILY),
            "`PolicyGradientTeacher.log_std_floor` (=0.5) must in epoch 1 be at most",
        ),
        (
            lambda: PolicyGradientTeacher(
                log_std_floor=PiecewiseLinear((3, 4), (-0.5, 0.25))
            ).check(INNER, FAMILY),
            "`PolicyGradientTeacher.log_std_floor` (=0.25) must in epoch 4 be at most",
        ),
        (
            lambda: PolicyGradientTeacher().check(
                dataclasses.replace(INNER, guide=NoGradient()), FAMILY
            ),
            "`InnerLoop.guide` (=NoGradient)",
        ),
    ],
)
def test_bad_settings_are_refused(make, sentence):
    with pytest.raises(ValueError) as refusal:
        make()
    assert sentence in str(refusal.value)
