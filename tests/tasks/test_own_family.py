"""A robot of one's own: a family made from scratch works everywhere, with no more than this."""

import dataclasses

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from epg_tf.checks import PositiveRange, Settings
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import Task, TaskFamily
from epg_tf.tasks.simulator import BatchSimulator

# A ball that flies (7 positions, 6 velocities), pushed by a motor whose control has no range.
BALL = """
<mujoco>
  <option gravity="0 0 0"/>
  <worldbody>
    <body name="ball">
      <freejoint name="free"/>
      <geom name="ball" type="sphere" size="0.1"/>
    </body>
  </worldbody>
  <actuator><motor joint="free" gear="1 0 0 0 0 0"/></actuator>
</mujoco>
"""


@dataclasses.dataclass(frozen=True)
class Ball(Settings, TaskFamily):
    """Balls of random radius, rewarded for speed."""

    radius: PositiveRange = (0.1, 0.2)

    observation_size = 2
    action_size = 1
    frame_skip = 1
    time_limit = 5

    def draw(self, rng):
        spec = mujoco.MjSpec.from_string(BALL)
        radius = rng.uniform(*self.radius)
        spec.geom("ball").size[0] = radius
        return Task(spec.compile(), {"radius": radius})

    def initial_state(self, task, rng):
        return task.model.qpos0 + rng.uniform(0, 0.1) * np.eye(7)[0], np.zeros(6)

    def observe(self, qpos, qvel, parameters, out=None):
        return np.stack([qpos[:, 0], qvel[:, 0]], axis=1, out=out)

    def reward(self, qpos_before, qpos, qvel, observation, action, parameters):
        return qvel[:, 0].copy()

    def terminated(self, qpos, qvel, parameters):
        return qpos[:, 0] > 100.0


def make_simulator():
    tasks = [Ball().sample(seed) for seed in range(4)]
    return BatchSimulator(Ball(), tasks, [np.random.default_rng(seed) for seed in range(4)])


def test_it_steps_by_newtons_law():
    simulator = make_simulator()
    radius = np.array([task.parameters["radius"] for task in simulator.tasks])
    mass = 1000 * 4 / 3 * np.pi * radius**3
    step = simulator.step(np.full((4, 1), 3.0))
    np.testing.assert_allclose(step.reward, 3.0 / mass * 0.002, rtol=1e-9)
    truncated = [simulator.step(np.zeros((4, 1))).truncated.all() for _ in range(4)]
    assert truncated == [False, False, False, True]


def test_controls_without_a_range_stay_within_what_mujoco_takes():
    simulator = make_simulator()
    step = simulator.step(np.array([[np.inf], [-np.inf], [np.nan], [1.0]]))
    assert np.isfinite(step.observation).all()
    assert not simulator.warnings.any()


def test_a_failure_in_the_first_step_of_a_single_substep_is_noticed():
    simulator = make_simulator()
    simulator.state[2, 8] = np.inf
    step = simulator.step(np.zeros((4, 1)))
    assert step.terminated.tolist() == [False, False, True, False]


@pytest.mark.filterwarnings("ignore:.*observation space m.*imum value is.*infinity")
def test_it_is_an_environment_of_gymnasium_and_of_tf_agents():
    gymnasium.register(
        "test/Ball-v0",
        entry_point="epg_tf.tasks.gymnasium_env:TaskEnv",
        vector_entry_point="epg_tf.tasks.gymnasium_env:TaskVectorEnv",
        kwargs={"family": Ball()},
    )
    check_env(gymnasium.make("test/Ball-v0", task_seed=3).unwrapped)
    gymnasium.make_vec("test/Ball-v0", num_envs=2, task_seed=3).reset(seed=0)
    environment = BatchedEnvironment(make_simulator())
    for _ in range(6):
        time_step = environment.step(np.zeros((4, 1), np.float32))
    assert time_step.is_last().all()
