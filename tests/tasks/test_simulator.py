"""The batched simulator: W workers, each as if it were alone."""

import pathlib
import subprocess
import sys

import mujoco
import numpy as np
import pytest

from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.gymnasium_env import TaskEnv
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator

FAMILIES = [RandomReacher(), RandomHopper(), DirHopper(reward_rule="gymnasium")]
by_name = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)


def make_simulator(family, workers, num_threads=0):
    """A simulator of the workers with these numbers: a number is a task and a generator."""
    return BatchSimulator(
        family,
        [family.sample(worker) for worker in workers],
        [np.random.default_rng(worker) for worker in workers],
        num_threads,
    )


def actions_of(family, workers, num_steps):
    """Actions that depend on the worker's number alone, `[num_steps, W, A]`."""
    size = (num_steps, family.action_size)
    return np.stack([np.random.default_rng(9 + w).uniform(-1.3, 1.3, size) for w in workers], 1)


def trajectory(family, workers, num_steps, num_threads=0):
    """Steps with same-step resets; returns all that was seen, each `[num_steps, W, ...]`."""
    simulator = make_simulator(family, workers, num_threads)
    seen = []
    for action in actions_of(family, workers, num_steps):
        step = simulator.step(action)
        arrived = [np.copy(value) for value in step]
        ended = np.flatnonzero(step.terminated | step.truncated)
        simulator.reset(ended)
        seen.append([*arrived, simulator.observation.copy(), simulator.state.copy()])
    return [np.stack(values) for values in zip(*seen, strict=True)]


@by_name
def test_the_state_is_mujocos_full_physics_state(family):
    simulator = make_simulator(family, [4])
    model = simulator.tasks[0].model
    data = mujoco.MjData(model)
    mujoco.mj_setState(model, data, simulator.state[0], mujoco.mjtState.mjSTATE_FULLPHYSICS.value)
    qpos, qvel = family.initial_state(simulator.tasks[0], np.random.default_rng(4))
    np.testing.assert_array_equal(data.qpos, qpos)
    np.testing.assert_array_equal(data.qvel, qvel)
    assert simulator.state.shape == (1, 1 + model.nq + model.nv)


@by_name
def test_sixteen_tasks_step_as_sixteen_scalar_environments(family):
    workers = range(16)
    simulator = make_simulator(family, workers)
    envs = [TaskEnv(family, task_seed=worker) for worker in workers]
    for model in [*(env.model for env in envs), *(task.model for task in simulator.tasks)]:
        # The rollout starts the solver cold at every call; without warm start so does mj_step.
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_WARMSTART
    for worker, env in zip(workers, envs, strict=True):
        env.reset()
        env.unwrapped.np_random = np.random.default_rng(worker)
        observation, _ = env.reset()
        np.testing.assert_array_equal(simulator.observation[worker], observation)
    for action in actions_of(family, workers, 60):
        batched = simulator.step(action)
        for worker, env in zip(workers, envs, strict=True):
            scalar = env.step(action[worker])[:4]
            for one, all_workers in zip(scalar, batched, strict=True):
                np.testing.assert_array_equal(all_workers[worker], one)
            if scalar[2] or scalar[3]:
                env.reset()
        simulator.reset(np.flatnonzero(batched.terminated | batched.truncated))


@by_name
def test_warm_start_is_all_that_parts_batched_from_scalar(family):
    simulator, env = make_simulator(family, [3]), TaskEnv(family, task_seed=3)
    env.np_random = np.random.default_rng(3)
    env.reset()
    for action in actions_of(family, [3], 30):
        batched, scalar = simulator.step(action), env.step(action[0])
        np.testing.assert_allclose(batched.observation[0], scalar[0], rtol=0, atol=1e-6)


@by_name
def test_a_worker_depends_on_nobody_else(family):
    alone = trajectory(family, [7], 120)
    among = trajectory(family, [1, 2, 3, 7, 5], 120)
    for one, all_workers in zip(alone, among, strict=True):
        np.testing.assert_array_equal(all_workers[:, 3], one[:, 0])


@by_name
def test_threads_change_nothing(family):
    calling_thread = trajectory(family, range(5), 60)
    for num_threads in (1, 2, 8):
        threads = trajectory(family, range(5), 60, num_threads)
        for expected, got in zip(calling_thread, threads, strict=True):
            np.testing.assert_array_equal(got, expected)


FORKED = """
import os, sys
import numpy as np
from epg_tf.tasks.reacher import RandomReacher
from epg_tf.tasks.simulator import BatchSimulator

family = RandomReacher()
rngs = [np.random.default_rng(worker) for worker in range(2)]
simulator = BatchSimulator(family, [family.sample(worker) for worker in range(2)], rngs, 2)
simulator.step(np.zeros((2, 2)))
child = os.fork()
for _ in range(3):
    simulator.step(np.ones((2, 2)))
print(simulator.state.tobytes().hex(), flush=True)
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_process_steps_with_threads_of_its_own():
    found = subprocess.run(
        [sys.executable, "-c", FORKED], check=True, timeout=120, capture_output=True, text=True
    )
    ours, theirs = found.stdout.split()
    assert ours == theirs


def test_simulators_share_their_threads():
    if not pathlib.Path("/proc/self/task").exists():
        pytest.skip("native threads can only be counted on Linux")
    counts = set()
    for _ in range(20):
        make_simulator(RandomReacher(), range(2), num_threads=2).step(np.zeros((2, 2)))
        counts.add(len([*pathlib.Path("/proc/self/task").iterdir()]))
    assert len(counts) == 1


def test_velocity_reward_and_termination_recomputed():
    family = DirHopper()
    simulator = make_simulator(family, range(8))
    directions = np.array([task.parameters["direction"] for task in simulator.tasks])
    assert {*directions} == {-1.0, 1.0}
    ends = 0
    for action in actions_of(family, range(8), 150):
        before = simulator.state[:, 1].copy()
        step = simulator.step(action)
        velocity = (simulator.state[:, 1] - before) / (2 * 0.002)
        np.testing.assert_allclose(step.reward, directions * velocity, rtol=1e-12)
        height, angle = simulator.state[:, 2], simulator.state[:, 3]
        np.testing.assert_array_equal(step.terminated, (height <= 0.7) | (abs(angle) >= 0.5))
        # The observation shows height, angle and joints, then velocities clipped, and no direction.
        np.testing.assert_array_equal(step.observation[:, :5], simulator.state[:, 2:7])
        np.testing.assert_array_equal(
            step.observation[:, 5:], np.clip(simulator.state[:, 7:], -10, 10)
        )
        ends += step.terminated.sum()
        simulator.reset(np.flatnonzero(step.terminated))
    assert ends > 8


def test_the_time_limit_truncates_and_termination_wins():
    simulator = make_simulator(RandomReacher(), range(3))
    for step_number in range(1, 51):
        step = simulator.step(np.zeros((3, 2)))
        assert step.truncated.tolist() == [step_number == 50] * 3
        if step_number == 20:
            simulator.reset(np.array([1]))
            simulator.reset(np.array([], dtype=int))
            # One worker's clock starts anew; it is not truncated with the others.
            break
    for step_number in range(21, 51):
        if step_number == 50:
            simulator.state[2, 6] = 1e11
        step = simulator.step(np.zeros((3, 2)))
    assert step.truncated.tolist() == [True, False, False]
    assert step.terminated.tolist() == [False, False, True]


def test_actions_are_clipped_for_mujoco_and_not_for_the_reward():
    far, near = (make_simulator(RandomReacher(), [3]) for _ in range(2))
    beyond, limit = far.step(np.array([[5.0, -7.0]])), near.step(np.array([[1.0, -1.0]]))
    np.testing.assert_array_equal(beyond.observation, limit.observation)
    np.testing.assert_allclose(limit.reward - beyond.reward, 25 + 49 - 2)


@pytest.mark.parametrize("num_threads", [0, 2])
def test_nan_actions_are_zero_for_mujoco_and_seen_by_the_reward(tmp_path, monkeypatch, num_threads):
    monkeypatch.chdir(tmp_path)
    broken, zero = (make_simulator(RandomReacher(), range(3), num_threads) for _ in range(2))
    action = np.full((3, 2), 0.5)
    expected = action.copy()
    action[1, 0], expected[1, 0] = np.nan, 0.0
    with_nan, with_zero = broken.step(action), zero.step(expected)
    np.testing.assert_array_equal(with_nan.observation, with_zero.observation)
    assert np.isnan(with_nan.reward).tolist() == [False, True, False]
    assert not with_nan.terminated.any() and not broken.warnings.any()
    assert np.isnan(action[1, 0])
    assert not [*tmp_path.iterdir()]


@by_name
@pytest.mark.parametrize("num_threads", [0, 2])
def test_a_step_that_mujoco_cannot_integrate_ends_the_episode(
    family, num_threads, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    simulator, untouched = (make_simulator(family, range(3), num_threads) for _ in range(2))
    first_velocity = 1 + simulator.tasks[0].model.nq
    simulator.state[1, first_velocity] = 1e11
    state = simulator.state[1].copy()
    action = actions_of(family, range(3), 1)[0]
    step, expected = simulator.step(action), untouched.step(action)
    assert step.terminated.tolist() == [False, True, False]
    assert not step.truncated.any()
    assert simulator.warnings.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(simulator.state[1], state)
    assert np.isfinite(step.observation).all() and np.isfinite(step.reward).all()
    for got, wanted in zip(step, expected, strict=True):
        np.testing.assert_array_equal(got[[0, 2]], wanted[[0, 2]])
    # After a reset the worker is as good as new.
    simulator.reset(np.array([1]))
    assert not simulator.step(action).terminated[1]
    assert simulator.warnings.tolist() == [0, 1, 0]
    assert not [*tmp_path.iterdir()]


def test_a_nan_in_the_state_stays_with_its_worker():
    simulator, untouched = (make_simulator(RandomHopper(), range(3)) for _ in range(2))
    simulator.state[0, 9] = np.nan
    action = np.zeros((3, 3))
    step, expected = simulator.step(action), untouched.step(action)
    assert step.terminated.tolist() == [True, False, False]
    np.testing.assert_array_equal(step.observation[1:], expected.observation[1:])


def test_the_arrived_observation_survives_a_reset():
    simulator = make_simulator(RandomReacher(), range(2))
    step = simulator.step(np.ones((2, 2)))
    arrived, stable = step.observation.copy(), simulator.observation
    np.testing.assert_array_equal(simulator.observation, arrived)
    simulator.reset(np.array([0]))
    np.testing.assert_array_equal(step.observation, arrived)
    assert simulator.observation is stable
    assert not np.array_equal(simulator.observation[0], arrived[0])
    np.testing.assert_array_equal(simulator.observation[1], arrived[1])


def test_discrete_actions_are_the_points_of_a_grid():
    family = DiscreteActions(RandomReacher(), actions_per_dimension=3)
    assert family.num_actions == 9
    assert sorted(map(tuple, family.grid)) == [
        (x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)
    ]
    finite = make_simulator(family, range(9))
    box = make_simulator(family.family, range(9))
    index = np.arange(9)
    for got, expected in zip(finite.step(index), box.step(family.grid[index]), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_discrete_actions_of_discrete_actions_are_refused():
    family = DiscreteActions(RandomReacher())
    with pytest.raises(ValueError, match="must be a family with box actions"):
        DiscreteActions(family)
    with pytest.raises(ValueError, match=r"actions_per_dimension` \(=1\) must be an integer, 2"):
        DiscreteActions(RandomReacher(), actions_per_dimension=1)


def test_workers_must_match():
    reacher, hopper = RandomReacher(), RandomHopper()
    rngs = [np.random.default_rng(0)] * 2
    with pytest.raises(ValueError, match="`rngs` .* must be as many as `tasks`"):
        BatchSimulator(reacher, [reacher.sample(0)], rngs)
    with pytest.raises(ValueError, match="must have models of equal sizes"):
        BatchSimulator(reacher, [reacher.sample(0), hopper.sample(0)], rngs)
    with pytest.raises(ValueError, match=r"`num_threads` \(=-1\) must be 0 or more"):
        BatchSimulator(reacher, [reacher.sample(0)] * 2, rngs, num_threads=-1)
