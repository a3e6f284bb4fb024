"""What is left out of the physics of a model: nothing that its states could tell."""

import mujoco
import numpy as np
import pytest
from mujoco.rollout import rollout

from epg_tf.tasks.bodies.robots import GoalAnt, RandomHalfCheetah, RandomSwimmer, RandomWalker
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.idle_physics import leave_out_idle_physics
from epg_tf.tasks.reacher import RandomReacher

ROBOTS = [
    RandomReacher,
    RandomHopper,
    DirHopper,
    RandomWalker,
    RandomHalfCheetah,
    RandomSwimmer,
    GoalAnt,
]
CONTACTS = mujoco.mjtDisableBit.mjDSBL_CONTACT.value
ISLANDS = mujoco.mjtDisableBit.mjDSBL_ISLAND.value


def states_of(models, family, tasks, flags=None):
    """States over 300 MuJoCo steps of noise, from the tasks' starts."""
    initial, rng = [], np.random.default_rng(0)
    for model, task in zip(models, tasks, strict=True):
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = family.initial_state(task, rng)
        state = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS))
        mujoco.mj_getState(model, data, state, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        initial.append(state)
        if flags is not None:
            model.opt.disableflags = flags
    control = rng.uniform(-1.0, 1.0, (len(models), 300, models[0].nu))
    return rollout(models, [mujoco.MjData(models[0])], np.stack(initial), control)[0]


@pytest.mark.parametrize("robot", ROBOTS, ids=lambda robot: robot.__name__)
def test_states_are_the_same_to_the_bit(robot):
    family = robot()
    tasks = [family.sample(seed) for seed in range(8)]
    models = [task.model for task in tasks]
    assert models[0].opt.disableflags
    lean = states_of(models, family, tasks)
    np.testing.assert_array_equal(states_of(models, family, tasks, flags=0), lean)


def test_only_what_cannot_be_is_not_looked_for():
    flags = {robot: robot().sample(0).model.opt.disableflags for robot in ROBOTS}
    assert flags[RandomReacher] == CONTACTS  # two trees: arm and target
    assert flags[RandomHopper] == ISLANDS


@pytest.mark.parametrize(
    ("one", "other", "pair", "idle"),
    [
        ('contype="0"', 'contype="0"', "", True),
        ('contype="0"', 'conaffinity="0"', "", False),
        ('contype="2" conaffinity="4"', 'contype="1" conaffinity="8"', "", True),
        ('contype="0"', 'contype="0"', '<pair geom1="a" geom2="b"/>', False),
    ],
)
def test_geoms_that_may_touch_are_looked_at(one, other, pair, idle):
    model = mujoco.MjModel.from_xml_string(f"""
      <mujoco><worldbody>
        <body><freejoint/><geom name="a" size="0.1" {one}/></body>
        <body pos="1 0 0"><freejoint/><geom name="b" size="0.1" {other}/></body>
      </worldbody><contact>{pair}</contact></mujoco>""")
    leave_out_idle_physics(model)
    assert model.opt.disableflags == (CONTACTS if idle else 0)
