"""The expert that teaches: what it learns, how explorers follow it, and the gradients it gives."""

import dataclasses
import re

import numpy as np
import pytest

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO
from epg_tf.loss.inputs import LossInputs
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.expert import Expert
from epg_tf.teaching.expert_networks import ExpertNetworks
from epg_tf.teaching.expert_teacher import ExpertTeacher
from epg_tf.teaching.transitions import States, task_numbers

TASKS = np.array([[-1.0], [1.0]])


def make(sees=(0,)):
    networks = ExpertNetworks(2, 1, TASKS, (16,), -0.5, -2.0, sees)
    return Expert(networks, PPO(discount=0.5)), networks.draw(np.random.default_rng(0))


def wanted(observation, task):
    return 0.5 * np.tanh(observation[..., :1] - observation[..., 1:]) + 0.3 * task


def means(expert, state, observation, tasks):
    """What actors would do, without noise."""
    weights, statistics = expert.actors(state, tasks)
    hidden = statistics.normalise(observation)
    for i in range(0, len(weights) - 1, 2):
        hidden = hidden @ weights[i] + weights[i + 1]
        if i < len(weights) - 3:
            hidden = np.tanh(hidden)
    return hidden, np.exp(weights[-1])


def lived(expert, state, rng, num_workers=16, num_steps=32):
    """Steps of which each is an episode, worth the more the closer it is to what is wanted."""
    tasks = rng.choice(TASKS[:, 0], (num_workers, 1))
    observation = rng.normal(1.0, 2.0, size=(num_workers, num_steps, 2)).astype(np.float32)
    mean, std = means(expert, state, observation, tasks)
    action = mean + std * rng.normal(size=mean.shape)
    reward = -np.square(action - wanted(observation, tasks[:, np.newaxis]))[..., 0]
    ended = np.ones(reward.shape, bool)
    return Experience(observation, action, reward, ended, ended, observation), tasks


@pytest.mark.parametrize(("sees", "least", "most"), [((0,), 0.0, 0.15), ((), 0.25, 0.4)])
def test_it_learns_what_is_best_where_it_is_shown_what_that_depends_on(sees, least, most):
    expert, state = make(sees)
    rng = np.random.default_rng(1)
    for _ in range(60):
        steps, tasks = lived(expert, state, rng)
        state = expert.learn(state, steps, tasks, 1e-2, 4, 128, rng)
    steps, tasks = lived(expert, state, rng)
    mean, _ = means(expert, state, steps.observation, tasks)
    error = np.sqrt(np.mean(np.square(mean - wanted(steps.observation, tasks[:, np.newaxis]))))
    assert least < error < most


def test_a_state_is_all_there_is_of_it():
    (expert, state), (other, _) = make(), make()
    steps, tasks = lived(expert, state, np.random.default_rng(2))
    state = expert.learn(state, steps, tasks, 1e-3, 1, 64, np.random.default_rng(3))
    one, two = (
        which.learn(state, steps, tasks, 1e-3, 2, 64, np.random.default_rng(4))
        for which in (expert, other)
    )
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])
        assert name == "reward_scale" or not np.array_equal(array, state[name])


def test_steps_worth_nan_teach_it_nothing():
    expert, state = make()
    steps, tasks = lived(expert, state, np.random.default_rng(2))
    nothing = dataclasses.replace(steps, reward=np.full_like(steps.reward, np.nan))
    after = expert.learn(state, nothing, tasks, 1e-3, 1, 64, np.random.default_rng(3))
    for name in ("weights", "reward_scale"):
        np.testing.assert_array_equal(after[name], state[name])
    again = expert.learn(after, steps, tasks, 1e-3, 1, 64, np.random.default_rng(3))
    assert np.isfinite(again["weights"]).all()
    assert np.abs(again["weights"] - state["weights"]).max() > 1e-4


@pytest.mark.parametrize("sees", [(0,), ()])
def test_targets_are_those_of_numpy_from_what_actors_would_do(sees):
    expert, state = make(sees)
    rng = np.random.default_rng(5)
    steps, tasks = lived(expert, state, rng, num_workers=70, num_steps=8)
    for _ in range(3):  # as far as its means leave the box
        state = expert.learn(state, steps, tasks, 0.3, 1, 64, rng)
    mean = rng.uniform(-0.7, 0.7, size=(70, 10, 1)).astype(np.float32)
    log_std = rng.uniform(-2.0, 0.0, size=(70, 1, 1)).astype(np.float32)
    inputs = LossInputs(None, None, None, policy=(mean, log_std), memory=None)
    asked = States(steps.observation, np.repeat(tasks[:, np.newaxis], 8, axis=1).astype(np.float32))
    found = expert.with_targets(state, Demonstrations(inputs, steps=asked)).targets
    best = means(expert, state, steps.observation, tasks)[0].clip(-1.0, 1.0)
    off, std = mean[:, 2:] - best, np.exp(log_std)
    assert (np.abs(best) == 1.0).any() and (np.abs(best) < 1.0).any()
    np.testing.assert_allclose(found[0], off, atol=1e-4)
    expected = np.maximum(std - np.square(off) / std, -std)
    np.testing.assert_allclose(found[1], expected, atol=1e-3)
    none = Demonstrations(inputs, steps=asked).mapped(lambda array: array[:0])
    assert expert.with_targets(state, none).targets == ()


def test_explorers_follow_it_on_tasks_of_their_own():
    family = RandomHopper()
    expert = ExpertTeacher(hidden_sizes=(8,), sees=("gravity", "mass")).make_expert(family)
    state = expert.networks.draw(np.random.default_rng(0))
    driver = make_driver(family, [LifetimeSeed(i, (1, i)) for i in range(3)], ActingPolicy, 16)
    tasks = task_numbers(driver.env.simulator.parameters)
    driver.policy.load(*expert.actors(state, tasks))
    lived = driver.run()
    noise = lived.action - means(expert, state, lived.observation, tasks)[0]
    assert 0.3 < noise.std() < 0.7  # about exp(-0.7)
    mixed, _ = means(expert, state, lived.observation, tasks[::-1])
    assert np.abs(mixed - means(expert, state, lived.observation, tasks)[0])[[0, 2]].max() > 1e-4


@pytest.mark.parametrize(
    ("make_teacher", "sentence"),
    [
        (lambda: ExpertTeacher(num_explorers=0), "`ExpertTeacher.num_explorers` (=0)"),
        (lambda: ExpertTeacher(hidden_sizes=(8, 0)), "`ExpertTeacher.hidden_sizes` (=0)"),
        (lambda: ExpertTeacher(expert_learning_rate=0.0), "`ExpertTeacher.expert_learning_rate` ("),
        (
            lambda: ExpertTeacher(expert_log_std_floor=0.5),
            "`ExpertTeacher.expert_log_std_floor` (=0.5) must be at most "
            "`ExpertTeacher.initial_log_std` (=-0.7).",
        ),
        (
            lambda: ExpertTeacher().check(InnerLoop(), DiscreteActions(RandomReacher())),
            "`meta_train.teacher` (=ExpertTeacher) must be None where",
        ),
        (
            lambda: ExpertTeacher(family=RandomHopper()).check(InnerLoop(), RandomReacher()),
            "`ExpertTeacher.family` (=RandomHopper) must be observed and acted on as "
            "`meta_train.family` (=RandomReacher) is.",
        ),
        (
            lambda: ExpertTeacher(sees=("goal",)).check(InnerLoop(), RandomReacher()),
            "`ExpertTeacher.sees` (=('goal',)) must be names out of ['farthest_target', 'forearm'",
        ),
    ],
)
def test_bad_settings_get_a_sentence(make_teacher, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make_teacher()
