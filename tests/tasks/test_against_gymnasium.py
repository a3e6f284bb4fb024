"""With the randomisation off, the tasks are gymnasium's Reacher-v5 and Hopper-v5."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from epg_tf.tasks.gymnasium_env import TaskEnv
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher

NUM_STEPS = 200
TOLERANCE = {"rtol": 0, "atol": 1e-9}


def side_by_side(name, family) -> Iterator[Any]:
    """Yields (gymnasium's environment, what its step gave, ours, what its step gave)."""
    theirs, ours = gymnasium.make(name).unwrapped, TaskEnv(family)
    theirs.reset(seed=3)
    ours.reset(seed=3)
    qpos, qvel = theirs.data.qpos.copy(), theirs.data.qvel.copy()
    ours.data.qpos[:], ours.data.qvel[:] = qpos, qvel
    mujoco.mj_forward(ours.model, ours.data)
    # Some controls lie outside the actuators' range: both must clip them, the reward must not.
    for action in np.random.default_rng(0).uniform(-1.5, 1.5, (NUM_STEPS, len(theirs.data.ctrl))):
        yield theirs, theirs.step(action), ours, ours.step(action), action
        np.testing.assert_allclose(ours.data.qpos, theirs.data.qpos, **TOLERANCE)
        np.testing.assert_allclose(ours.data.qvel, theirs.data.qvel, **TOLERANCE)


def test_hopper_is_gymnasiums():
    family = RandomHopper(
        gravity=(9.81, 9.81),
        mass=(1, 1),
        friction=(1, 1),
        thickness=(1, 1),
        frame_skip=4,
        reward_rule="gymnasium",
    )
    terminations = 0
    for _, their_step, _, our_step, _ in side_by_side("Hopper-v5", family):
        np.testing.assert_allclose(our_step[0], their_step[0], **TOLERANCE)
        np.testing.assert_allclose(our_step[1], their_step[1], **TOLERANCE)
        assert our_step[2] == their_step[2]
        terminations += their_step[2]
    # Both kinds were compared.
    assert 0 < terminations < NUM_STEPS


def test_reacher_is_gymnasiums_but_for_its_stale_fingertip():
    staleness = 0.0
    family = RandomReacher(link_length=(1, 1))
    for theirs, their_step, _, our_step, action in side_by_side("Reacher-v5", family):
        np.testing.assert_allclose(our_step[0][:8], their_step[0][:8], **TOLERANCE)
        # Where MuJoCo puts fingertip and target once asked about the state that was reached.
        fresh = mujoco.MjData(theirs.model)
        fresh.qpos[:] = theirs.data.qpos
        mujoco.mj_kinematics(theirs.model, fresh)
        miss = fresh.body("fingertip").xpos - fresh.body("target").xpos
        np.testing.assert_allclose(our_step[0][8:], miss[:2], **TOLERANCE)
        reward = -np.linalg.norm(miss) - np.square(action).sum()
        np.testing.assert_allclose(our_step[1], reward, **TOLERANCE)
        # gymnasium's own reward is that of its stale fingertip.
        stale_reward = -np.linalg.norm(their_step[0][8:]) - np.square(action).sum()
        np.testing.assert_allclose(their_step[1], stale_reward, **TOLERANCE)
        assert not our_step[2] and not their_step[2]
        staleness = max(staleness, np.abs(their_step[0][8:] - miss[:2]).max())
    # If this fails gymnasium no longer reads a stale fingertip, and RandomReacher's docs are old.
    assert 1e-9 < staleness < 1e-2


@pytest.mark.filterwarnings("ignore:.*observation space m.*imum value is.*infinity")
@pytest.mark.parametrize("name", ["RandomReacher", "RandomHopper", "DirHopper"])
def test_the_registered_environments_pass_gymnasiums_checker(name):
    env = gymnasium.make(f"epg/{name}-v0", task_seed=3)
    check_env(env.unwrapped)
    assert type(env.unwrapped.family).__name__ == name


def test_family_options_pass_through_make():
    env = gymnasium.make("epg/RandomHopper-v0", task_seed=3, gravity=(5.0, 5.0))
    assert env.unwrapped.model.opt.gravity[2] == -5.0
    vector_env = gymnasium.make_vec("epg/RandomHopper-v0", num_envs=2, gravity=(5.0, 5.0))
    assert vector_env.unwrapped.simulator.tasks[1].model.opt.gravity[2] == -5.0


def test_the_scalar_environment_truncates_at_the_time_limit():
    env = TaskEnv(RandomReacher())
    env.reset(seed=0)
    truncated = [env.step(np.zeros(2))[3] for _ in range(50)]
    assert truncated == [False] * 49 + [True]


def test_nan_actions_do_not_reach_mujoco_in_the_scalar_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = TaskEnv(RandomReacher())
    env.reset(seed=0)
    observation, reward, terminated, _, _ = env.step(np.array([np.nan, 0.1]))
    assert np.isfinite(observation).all() and np.isnan(reward) and not terminated
    assert not [*tmp_path.iterdir()]


def test_a_failed_step_terminates_the_scalar_environment_where_it_stood(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = TaskEnv(RandomHopper())
    env.reset(seed=0)
    env.data.qvel[1] = 1e11
    height = env.data.qpos[1]
    _, _, terminated, truncated, _ = env.step(np.zeros(3))
    assert terminated and not truncated
    assert env.data.qpos[1] == height
    assert not [*tmp_path.iterdir()]
