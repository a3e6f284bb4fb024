"""The vector environment: gymnasium's conventions on the batched simulator."""

import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.gymnasium_env import TaskEnv, TaskVectorEnv
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher


@pytest.mark.parametrize("family", [RandomReacher(), RandomHopper()])
def test_it_is_gymnasiums_own_vector_of_scalar_environments(family):
    ours = TaskVectorEnv(family, num_envs=3, task_seed=[5, 6, 9])
    theirs = SyncVectorEnv(
        [lambda seed=seed: TaskEnv(family, task_seed=seed) for seed in (5, 6, 9)],
        autoreset_mode=AutoresetMode.SAME_STEP,
    )
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    assert ours.single_action_space == theirs.single_action_space
    assert ours.observation_space == theirs.observation_space
    close = {"rtol": 0, "atol": 1e-6}  # the solver's warm start, see test_simulator
    np.testing.assert_allclose(ours.reset(seed=4)[0], theirs.reset(seed=4)[0], **close)
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(250):
        actions = rng.uniform(-1, 1, ours.action_space.shape).astype(np.float32)
        got, expected = ours.step(actions), theirs.step(actions)
        np.testing.assert_allclose(got[0], expected[0], **close)
        np.testing.assert_allclose(got[1], expected[1], rtol=0, atol=1e-3)
        np.testing.assert_array_equal(got[2:4], expected[2:4])
        assert got[4].keys() == expected[4].keys()
        if "final_obs" in got[4]:
            np.testing.assert_array_equal(got[4]["_final_obs"], expected[4]["_final_obs"])
            for one, other in zip(got[4]["final_obs"], expected[4]["final_obs"], strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    np.testing.assert_allclose(one, other, **close)
                    ended += 1
    assert ended > 3


def test_the_step_after_an_end_begins_the_next_episode():
    env = TaskVectorEnv(RandomReacher(), num_envs=2)
    env.reset(seed=0)
    for _ in range(49):
        last, _, _, truncated, info = env.step(np.ones((2, 2)))
        assert not truncated.any() and not info
    first, _, terminated, truncated, info = env.step(np.ones((2, 2)))
    assert truncated.all() and not terminated.any()
    # Arms start straight, within 0.1 rad; after fifty pushes they are elsewhere, with their target.
    assert (first[:, :2] > 0.99).all()
    final = np.stack(info["final_obs"])
    np.testing.assert_array_equal(final[:, 4:6], last[:, 4:6])
    assert not np.array_equal(first[:, 4:6], last[:, 4:6])
    env.step(np.ones((2, 2)))
    np.testing.assert_array_equal(np.stack(info["final_obs"]), final)


def test_seeds_and_masks():
    env = TaskVectorEnv(RandomReacher(), num_envs=3, task_seed=1)
    first, _ = env.reset(seed=7)
    again, _ = env.reset(seed=[7, 8, 9])
    np.testing.assert_array_equal(first, again)
    goes_on, _ = env.reset()
    assert not np.equal(goes_on, first)[:, 4:6].any()
    masked, _ = env.reset(seed=7, options={"reset_mask": np.array([True, False, False])})
    np.testing.assert_array_equal(masked[0], first[0])
    np.testing.assert_array_equal(masked[1:], goes_on[1:])
    with pytest.raises(ValueError, match=r"`task_seed` \(=\[1\]\) must be one integer, or 3"):
        TaskVectorEnv(RandomReacher(), num_envs=3, task_seed=[1])


def test_what_it_returns_is_the_callers():
    env = TaskVectorEnv(RandomReacher(), num_envs=2)
    kept, _ = env.reset(seed=0)
    copy = kept.copy()
    stepped = env.step(np.ones((2, 2)))
    np.testing.assert_array_equal(kept, copy)
    copies = [np.copy(value) for value in stepped[:4]]
    env.step(-np.ones((2, 2)))
    for value, copy in zip(stepped[:4], copies, strict=True):
        np.testing.assert_array_equal(value, copy)


def test_a_consecutive_task_seed_per_worker():
    env = gymnasium.make_vec("epg/RandomReacher-v0", num_envs=3, task_seed=11).unwrapped
    for worker, task in enumerate(env.simulator.tasks):
        expected = RandomReacher().sample(11 + worker)
        np.testing.assert_array_equal(task.model.body_pos, expected.model.body_pos)


def test_discrete_actions_have_a_discrete_space():
    env = TaskVectorEnv(DiscreteActions(RandomReacher()), num_envs=2)
    assert env.single_action_space == gymnasium.spaces.Discrete(9)
    env.reset(seed=0)
    env.step(env.action_space.sample())
    scalar = TaskEnv(DiscreteActions(RandomReacher()))
    scalar.reset(seed=0)
    scalar.step(scalar.action_space.sample())


def test_importing_the_tasks_imports_no_tensorflow():
    code = (
        "import sys, epg_tf.tasks, gymnasium; gymnasium.make('epg/RandomHopper-v0');"
        "assert not {'tensorflow', 'tf_agents'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.filterwarnings("ignore:.*render:UserWarning")  # gymnasium's own, before
def test_what_gymnasium_would_not_take_is_refused():
    with pytest.raises(ValueError, match=r"`num_envs` \(=0\) must be a positive integer"):
        TaskVectorEnv(RandomReacher(), num_envs=0)
    for make in (gymnasium.make, gymnasium.make_vec):
        # SB3 tries again without it after a TypeError, and after nothing else.
        with pytest.raises(TypeError, match=r"`render_mode` \(='human'\) must be None"):
            make("epg/RandomReacher-v0", render_mode="human")
    with pytest.raises(TypeError, match=r"`max_episode_steps` \(=7\) must be None"):
        gymnasium.make_vec("epg/RandomReacher-v0", num_envs=np.int64(2), max_episode_steps=7)
    assert gymnasium.make_vec("epg/RandomReacher-v0", num_envs=np.int64(2)).num_envs == 2
    for env, wrong in (
        (TaskEnv(RandomReacher()), np.zeros(3)),
        (TaskVectorEnv(RandomReacher(), num_envs=2), np.zeros((1, 2))),
    ):
        with pytest.raises(gymnasium.error.ResetNeeded):
            env.step(env.action_space.sample())
        env.reset(seed=0)
        with pytest.raises(ValueError, match=r"`action` \(of shape .*\) must be of shape"):
            env.step(wrong)
        env.step(env.action_space.sample())
