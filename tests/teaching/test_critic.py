"""The critic that teaches: returns of n steps, what it learns, and the gradients it gives."""

import numpy as np
import pytest

from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.collection import make_driver
from epg_tf.loss.inputs import LossInputs
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.teaching.critic import ActorPolicy, Critic
from epg_tf.teaching.demonstrations import Demonstrations
from epg_tf.teaching.transitions import Transitions, task_columns, task_numbers, transitions


def experience(num_workers=3, num_steps=20, seed=0):
    rng = np.random.default_rng(seed)
    ended = rng.random((num_workers, num_steps)) < 0.2
    return Experience(
        observation=rng.normal(size=(num_workers, num_steps, 2)),
        action=rng.normal(size=(num_workers, num_steps, 1)),
        reward=rng.normal(size=(num_workers, num_steps)),
        terminated=ended & (rng.random(ended.shape) < 0.5),
        ended=ended,
        next_observation=rng.normal(size=(num_workers, num_steps, 2)),
    )


@pytest.mark.parametrize("num_steps", [1, 3, 50])
def test_partial_returns_are_those_that_are_added_up_step_by_step(num_steps):
    lived = experience()
    drawn = {"mass": np.arange(6.0).reshape(3, 2), "_private": np.ones(3), "angle": np.ones(3)}
    found = transitions(lived, drawn, 0.9, num_steps)
    for worker in range(3):
        for t in range(20):
            total, i = 0.0, 0
            while True:
                total += 0.9**i * lived.reward[worker, t + i]
                if lived.ended[worker, t + i] or i + 1 == num_steps or t + i + 1 == 20:
                    break
                i += 1
            last = worker, t + i
            discount = 0.0 if lived.terminated[last] else 0.9 ** (i + 1)
            assert found.partial_return[worker, t] == pytest.approx(total, rel=1e-5, abs=1e-6)
            assert found.discount[worker, t] == pytest.approx(discount)
            np.testing.assert_allclose(
                found.later_observation[worker, t], lived.next_observation[last], rtol=1e-6
            )
    np.testing.assert_array_equal(task_numbers(drawn)[1], [1.0, 2.0, 3.0])
    assert task_columns(drawn, ("mass", "angle")) == [1, 2, 0]
    np.testing.assert_array_equal(found.task[1], np.tile([1.0, 2.0, 3.0], (20, 1)))


def lessons_of_a_known_worth(number=64, seed=0):
    """Steps whose rewards fall with the distance of the action from what state and task say."""
    rng = np.random.default_rng(seed)
    observation = rng.normal(size=(number, 16, 2)).astype(np.float32)
    task = np.repeat(rng.normal(size=(number, 1, 1)), 16, axis=1).astype(np.float32)
    mean = rng.uniform(-0.7, 0.7, size=(number, 16, 1)).astype(np.float32)
    action = mean + rng.normal(scale=0.2, size=mean.shape).astype(np.float32)
    wanted = 0.4 * np.tanh(observation[..., :1] + task)
    steps = Transitions(
        observation=observation,
        action=action,
        partial_return=-np.square(action - wanted)[..., 0],
        discount=np.full((number, 16), 0.5, np.float32),
        later_observation=rng.permutation(observation),
        task=task,
    )
    inputs = LossInputs(
        observation=observation,
        action=None,
        termination=None,
        policy=(mean, np.full((number, 1, 1), -1.6, np.float32)),
        memory=None,
    )
    return Demonstrations(inputs, steps=steps), wanted


def test_its_gradients_point_to_what_is_best_for_the_task():
    demonstrations, wanted = lessons_of_a_known_worth()
    critic = Critic(2, 1, 1, (32, 32), 3e-3, actor_sees_task=True)
    state, first = critic.train({}, demonstrations.steps, 10, 64, np.random.default_rng(0))
    state, error = critic.train(state, demonstrations.steps, 800, 64, np.random.default_rng(1))
    assert error < first
    of_mean, of_log_std = critic.with_targets(state, demonstrations).targets
    action, mean = demonstrations.steps.action, demonstrations.inputs.policy[0]
    exact = 2.0 * (action - wanted)
    assert np.corrcoef(of_mean.ravel(), exact.ravel())[0, 1] > 0.95
    assert np.sqrt(np.mean(np.square(of_mean))) == pytest.approx(1.0, rel=0.05)
    np.testing.assert_allclose(of_log_std, of_mean * (action - mean), atol=1e-5)
    fewer = demonstrations.mapped(lambda array: array[:7])
    one, other = (
        critic.with_targets(state, part).targets[0][:7] for part in (fewer, demonstrations)
    )
    ratio = one / other  # their scale is that of the demonstrations at hand
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-3)


def test_one_that_goes_on_equals_one_that_never_stopped():
    demonstrations, _ = lessons_of_a_known_worth(8)
    critics = [Critic(2, 1, 1, (8,), 1e-3, actor_sees_task=False) for _ in range(2)]
    state, _ = critics[0].train({}, demonstrations.steps, 5, 16, np.random.default_rng(0))
    ends = [
        critic.train(state, demonstrations.steps, 5, 16, np.random.default_rng(1))[0]
        for critic in critics
    ]
    assert ends[0].keys() == ends[1].keys()
    for name, array in ends[0].items():
        np.testing.assert_array_equal(array, ends[1][name])
        assert not np.array_equal(array, state[name])
    targets = [critic.with_targets(ends[0], demonstrations).targets for critic in critics]
    np.testing.assert_array_equal(targets[0], targets[1])


def test_a_step_that_is_not_finite_is_not_taken():
    demonstrations, _ = lessons_of_a_known_worth(8)
    critic = Critic(2, 1, 1, (8,), 1e-3, actor_sees_task=False)
    state, _ = critic.train({}, demonstrations.steps, 2, 16, np.random.default_rng(0))
    broken = demonstrations.steps._replace(
        partial_return=np.full_like(demonstrations.steps.partial_return, np.nan)
    )
    state, _ = critic.train(state, broken, 1, 16, np.random.default_rng(1))
    assert all(np.isfinite(array).all() for array in state.values())


@pytest.mark.parametrize("sees_task", [False, True])
def test_actors_do_in_numpy_what_the_actor_of_a_critic_does(sees_task):
    critic = Critic(11, 2, 4, (8, 8), 1e-2, sees_task)
    rng = np.random.default_rng(0)
    steps = Transitions(
        observation=rng.normal(1.0, 0.01, size=(8, 16, 11)).astype(np.float32),  # little varies
        action=rng.normal(size=(8, 16, 2)).astype(np.float32),
        partial_return=rng.normal(size=(8, 16)).astype(np.float32),
        discount=np.full((8, 16), 0.5, np.float32),
        later_observation=rng.normal(1.0, 0.01, size=(8, 16, 11)).astype(np.float32),
        task=np.repeat(rng.normal(size=(8, 1, 4)), 16, axis=1).astype(np.float32),
    )
    state, _ = critic.train({}, steps, 60, 32, rng)
    seeds = [LifetimeSeed(n, (n,)) for n in range(3)]
    policy = make_driver(RandomReacher(), seeds, ActorPolicy, 1).policy
    tasks = rng.normal(size=(3, 4))
    policy.load(*critic.actors(state, tasks))
    # Some are farther from the mean than what the actor is shown.
    observation = rng.normal(1.0, 0.04, size=(3, 5, 11)).astype(np.float32)
    shown = np.repeat(tasks[:, np.newaxis], 5, axis=1).astype(np.float32)
    expected = critic._act(critic.actor, *critic._seen(observation, shown))
    np.testing.assert_allclose(policy.mean(observation), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(policy.mean(observation)).max() > 0.05
