"""Teaching as part of a run: what the demonstrations hold, and that nothing else changes."""

import dataclasses

import numpy as np
import pytest

from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.schedules import PiecewiseLinear
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.teaching.critic_teacher import CriticTeacher
from epg_tf.teaching.demonstrations import DemonstrationRecorder, Demonstrations, joined
from epg_tf.teaching.fitting import Fit, FitState
from epg_tf.teaching.transitions import task_numbers

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
TEACHER = CriticTeacher()
SEEDS = [LifetimeSeed(task, (7, task)) for task in (3, 4)]


def live(settings, taken=True):
    workers = Workers(settings, FAMILY, len(SEEDS))
    phi = np.repeat(workers.draw_phi(0)[np.newaxis], len(SEEDS), axis=0)
    recorder = (
        DemonstrationRecorder(workers.backends.reference, TEACHER.demonstrate) if taken else None
    )
    lifetimes = workers.live(phi, SEEDS, 0.0, recorder)
    if recorder is None:
        return workers, lifetimes, None
    demonstrations, rng = recorder.pop(), np.random.default_rng(0)
    shape = demonstrations.inputs.policy[0].shape[:2] + (
        settings.steps_per_update,
        FAMILY.action_size,
    )
    targets = tuple(rng.normal(size=shape).astype(np.float32) for _ in demonstrations.inputs.policy)
    return workers, lifetimes, demonstrations._replace(targets=targets)


def test_lessons_change_nothing_in_the_lives_of_those_who_give_them():
    taught, lifetimes, demonstrations = live(INNER)
    untaught, others, _ = live(INNER, taken=False)
    np.testing.assert_array_equal(lifetimes.returns, others.returns)
    np.testing.assert_array_equal(lifetimes.agents.theta, others.agents.theta)
    assert demonstrations.are_finite.all()
    assert demonstrations.steps.observation.shape == (2, 3, 64, FAMILY.observation_size)
    for worker, seed in enumerate(SEEDS):
        drawn = FAMILY.sample(seed.task_seed).parameters
        numbers = task_numbers({name: np.array([value]) for name, value in drawn.items()})[0]
        tasks = demonstrations.steps.task[worker]
        np.testing.assert_allclose(tasks, np.broadcast_to(numbers, tasks.shape), rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mean_activation": "tanh", "log_std_bounds": (-1.0, 0.0)},
        {
            "buffer_size": 96,
            "learned_loss": LearnedLoss(
                inputs=("observation", "action", "reward", "termination", "memory", "policy"),
                convolutions=((8, 7, 4),),
            ),
        },
    ],
)
def test_every_kind_of_loss_can_be_taught(changes):
    settings = dataclasses.replace(INNER, **changes)
    workers, _, demonstrations = live(settings)
    assert demonstrations.are_finite.all()
    flat = demonstrations.mapped(lambda a: a.reshape(-1, *a.shape[2:]))
    assert flat.number == 6
    fit = Fit(settings, FAMILY)
    state = FitState.start(workers.draw_phi(0))
    everything = np.arange(6)[np.newaxis]
    first = fit.errors(state.phi, flat)
    for _ in range(30):
        state, errors = fit.run(state, flat, everything, 1e-2)
    assert errors.error < first.error


def test_lessons_that_are_not_finite_are_found():
    _, _, demonstrations = live(INNER)
    broken = demonstrations.mapped(np.copy)
    broken.targets[1][1, 2, 5, 0] = np.nan
    np.testing.assert_array_equal(broken.are_finite, [True, False])
    both = joined([demonstrations, broken])
    np.testing.assert_array_equal(both.are_finite, [True, True, True, False])
    assert isinstance(both, Demonstrations) and both.number == 2 * demonstrations.number


def test_the_floor_is_under_the_noise_of_those_who_teach_alone():
    teacher = CriticTeacher(log_std_floor=-0.5)
    bounded = dataclasses.replace(INNER, log_std_bounds=(-3.0, 0.25))
    assert teacher.inner_loop(bounded, 1).log_std_bounds == (-0.5, 0.25)
    assert teacher.inner_loop(INNER, 1).log_std_bounds == (-0.5, np.inf)
    assert CriticTeacher().inner_loop(bounded, 1) == bounded
    falling = CriticTeacher(log_std_floor=PiecewiseLinear((3, 4), (-0.5, -4.0)))
    lows = [falling.inner_loop(bounded, epoch).log_std_bounds for epoch in (3, 4)]
    assert lows == [(-0.5, 0.25), (-3.0, 0.25)]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: CriticTeacher(num_epochs=0), "`CriticTeacher.num_epochs` (=0)"),
        (lambda: CriticTeacher(num_steps=0), "`CriticTeacher.num_steps` (=0)"),
        (lambda: CriticTeacher(hidden_sizes=(8, 0)), "`CriticTeacher.hidden_sizes` (=0)"),
        (
            lambda: CriticTeacher(discount=1.5),
            "`CriticTeacher.discount` (=1.5) must be a number in (0, 1].",
        ),
        (
            lambda: CriticTeacher().check(INNER, DiscreteActions(FAMILY)),
            "`meta_train.teacher` (=CriticTeacher) must be None where",
        ),
        (
            lambda: CriticTeacher(num_kept_epochs=0),
            "`CriticTeacher.num_kept_epochs` (=0)",
        ),
        (
            lambda: CriticTeacher(log_std_floor=0.5).check(INNER, FAMILY),
            "`CriticTeacher.log_std_floor` (=0.5) must in epoch 1 be at most",
        ),
        (
            lambda: CriticTeacher(log_std_floor=PiecewiseLinear((3, 4), (-0.5, 0.25))).check(
                INNER, FAMILY
            ),
            "`CriticTeacher.log_std_floor` (=0.25) must in epoch 4 be at most",
        ),
    ],
)
def test_bad_settings_are_refused(make, sentence):
    with pytest.raises(ValueError) as refusal:
        make()
    assert sentence in str(refusal.value)
