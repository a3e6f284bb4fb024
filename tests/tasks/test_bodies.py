"""Random bodies: any model, what is drawn of it, and the robots made of gymnasium's."""

import dataclasses
import math

import gymnasium
import mujoco
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from epg_tf.files import differs_from_run, flatten, plain
from epg_tf.native.rules import observe_all
from epg_tf.tasks import assets
from epg_tf.tasks.bodies import building
from epg_tf.tasks.bodies.chain import chain
from epg_tf.tasks.bodies.factors import PARTS
from epg_tf.tasks.bodies.random_body import RandomBody
from epg_tf.tasks.bodies.robots import (
    DirHalfCheetah,
    GoalAnt,
    RandomHalfCheetah,
    RandomSwimmer,
    RandomWalker,
)
from epg_tf.tasks.bodies.rules import Layout, point_one
from epg_tf.tasks.gymnasium_env import TaskEnv

ROBOTS = [RandomWalker, RandomHalfCheetah, DirHalfCheetah, RandomSwimmer, GoalAnt]
NOTHING = dict.fromkeys(("gravity", *PARTS))
ARM = "examples/robots/arm.xml"
JOINTS = """
<mujoco>
  <worldbody>
    <body name="free" pos="1 2 3" euler="10 20 30">
      <freejoint/>
      <geom size="0.1"/>
      <body name="ball" pos="0.1 0.2 0.3" quat="1 2 3 4">
        <joint type="ball" pos="0.3 0 0.1"/>
        <geom size="0.1"/>
        <body name="both" pos="0 0.5 0">
          <joint type="hinge" axis="1 1 0" pos="0.1 0.1 0" ref="20"/>
          <joint type="slide" axis="0 1 1" ref="0.3"/>
          <geom size="0.1"/>
          <site name="tip" pos="0.1 0.2 0.3"/>
        </body>
      </body>
    </body>
    <body name="fixed" pos="0 0 5" euler="40 0 0">
      <body name="swing" pos="0 1 0"><joint axis="0 0 1"/><geom size="0.1"/></body>
    </body>
  </worldbody>
</mujoco>
"""


def sizes_and_mass(model):
    return {
        name: getattr(model, name).copy()
        for name in (
            *("body_mass", "body_inertia", "body_pos", "geom_size", "geom_pos", "geom_friction"),
            *("dof_damping", "actuator_gear", "jnt_pos"),
        )
    }


@pytest.mark.parametrize(
    ("name", "family", "seen"),
    [
        ("Walker2d-v5", RandomWalker(**NOTHING), slice(None)),
        ("HalfCheetah-v5", RandomHalfCheetah(**NOTHING), slice(None)),
        ("Swimmer-v5", RandomSwimmer(**NOTHING), slice(None)),
        ("Ant-v5", GoalAnt(**NOTHING), slice(0, 27)),  # without contact forces, and without a goal
    ],
)
def test_with_nothing_drawn_they_are_gymnasiums(name, family, seen):
    theirs, ours = gymnasium.make(name).unwrapped, TaskEnv(family)
    ended = 0
    for episode in range(3):
        theirs.reset(seed=episode)
        ours.reset(seed=episode)
        qpos, qvel = theirs.data.qpos.copy(), theirs.data.qvel.copy()
        ours._set_state(1.0, qpos, qvel)
        rng = np.random.default_rng(episode)
        for _ in range(60):
            action = rng.uniform(-1.5, 1.5, family.action_size)
            their_step, our_step = theirs.step(action), ours.step(action)
            np.testing.assert_allclose(ours.data.qpos, theirs.data.qpos, rtol=0, atol=1e-9)
            np.testing.assert_allclose(our_step[0][seen], their_step[0][seen], atol=1e-9)
            if name != "Ant-v5":
                np.testing.assert_allclose(our_step[1], their_step[1], rtol=0, atol=1e-9)
            assert our_step[2] == their_step[2]
            if their_step[2]:
                ended += 1
                break
    assert ended == (3 if name in ("Walker2d-v5", "Ant-v5") else 0)


def test_chains_lead_where_mujoco_says_that_points_are():
    model = mujoco.MjModel.from_xml_string(JOINTS)
    rng = np.random.default_rng(0)
    qpos = rng.normal(size=(5, model.nq))
    for body in range(1, model.nbody):
        point = rng.normal(size=3)
        expected = []
        for row in qpos:
            data = mujoco.MjData(model)
            data.qpos[:] = row
            mujoco.mj_kinematics(model, data)
            expected.append(data.xpos[body] + data.xmat[body].reshape(3, 3) @ point)
        segments = chain(model, body, point)
        layout = Layout(0, model.nq, model.nv, math.inf, 0, 0, len(segments))
        known = np.repeat(np.concatenate([layout, segments.ravel()])[None], 5, axis=0)
        points = np.empty((5, 3))
        observe_all(point_one, (qpos, qpos, known), points)
        np.testing.assert_allclose(points, expected, atol=1e-12)


@pytest.mark.parametrize(
    ("quantity", "changed"),
    [
        ("mass", {"body_mass", "body_inertia"}),
        ("friction", {"geom_friction"}),
        ("thickness", {"geom_size"}),
        ("damping", {"dof_damping"}),
        ("strength", {"actuator_gear"}),
        ("length", {"body_mass", "body_inertia", "body_pos", "geom_size", "geom_pos"}),
    ],
)
def test_each_factor_changes_what_it_should(quantity, changed):
    family = RandomBody("walker2d_v5.xml", **{quantity: (0.5, 2.0)})
    nominal = sizes_and_mass(family.nominal)
    tasks = [family.sample(seed) for seed in range(100)]
    drawn = np.array([task.parameters[quantity] for task in tasks])
    assert 0.5 <= drawn.min() < 0.55 and 1.9 < drawn.max() <= 2.0
    assert np.abs(np.corrcoef(drawn.T) - np.eye(drawn.shape[1])).max() < 0.4
    for task in tasks[:5]:
        now = sizes_and_mass(task.model)
        assert {name for name in now if not np.array_equal(now[name], nominal[name])} == changed
    if quantity == "mass":
        ratio = tasks[0].model.body_inertia[1:] / nominal["body_inertia"][1:]
        np.testing.assert_allclose(ratio, np.repeat(drawn[0][:, None], 3, 1))


SERVOS = """
<mujoco>
  <worldbody>
    <body name="arm">
      <joint name="turn" axis="0 0 1" damping="0.2"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02"/>
      <site name="end" pos="0.3 0 0"/>
    </body>
    <site name="wall" pos="0.3 0.3 0"/>
  </worldbody>
  <tendon><spatial name="tendon"><site site="end"/><site site="wall"/></spatial></tendon>
  <actuator>
    <position name="position" joint="turn" kp="10" kv="1" gear="2" forcerange="-3 3"/>
    <velocity name="velocity" joint="turn" kv="2"/>
    <motor name="motor" joint="turn"/>
    <muscle name="muscle" tendon="tendon" force="5" lengthrange="0.1 0.5"/>
  </actuator>
</mujoco>
"""


@pytest.fixture(name="servos")
def write_servos(tmp_path):
    (tmp_path / "servos.xml").write_text(SERVOS)
    return lambda **settings: RandomBody(
        str(tmp_path / "servos.xml"), hides_activations=True, **settings
    )


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_strength_multiplies_forces_and_moves_no_set_point(servos, factor):
    model = servos(strength=(factor, factor)).sample(0).model
    nominal = servos().sample(0).model
    forces = []
    for each in (nominal, model):
        data = mujoco.MjData(each)
        data.qpos[:], data.qvel[:], data.act[:] = 0.1, 0.3, 0.5
        data.ctrl[:] = (0.1, 0.5, 0.4, 0.5)
        mujoco.mj_forward(each, data)
        forces.append(data.actuator_force[:, None] * data.actuator_moment.reshape(4, -1))
        data.ctrl[0] = 100.0
        mujoco.mj_forward(each, data)
        forces[-1][0] += data.actuator_force[0]
        data.qpos[:], data.qvel[:], data.ctrl[0] = 0.1, 0.0, 0.2
        mujoco.mj_forward(each, data)
        assert data.actuator_force[0] == pytest.approx(0.0)  # at its set point
    assert np.abs(forces[0]).min() > 0
    np.testing.assert_allclose(forces[1], factor * forces[0])


def test_activations_are_accepted_only_by_those_who_know(servos, tmp_path):
    servos()
    with pytest.raises(ValueError, match="`RandomBody.hides_activations` .* of 1 actuators"):
        RandomBody(str(tmp_path / "servos.xml"))


def test_a_point_that_cannot_move_is_refused(tmp_path):
    file = tmp_path / "base.xml"
    file.write_text(
        "<mujoco><worldbody><body name='base'><geom size='0.1'/><body name='arm' pos='0 0 0.3'>"
        "<joint name='turn'/><geom size='0.1'/></body></body></worldbody>"
        "<actuator><motor joint='turn'/></actuator></mujoco>"
    )
    with pytest.raises(ValueError, match="`RandomBody.point` .* must name what moves.*base, arm"):
        RandomBody(str(file))
    RandomBody(str(file), point="arm")


def test_stiffness_and_damping_of_servos_are_factors_too(servos):
    model = servos(kp={"position": (3.0, 3.0)}, kd=(2.0, 2.0)).sample(0).model
    assert model.actuator_gainprm[:2, 0].tolist() == [30.0, 4.0]
    assert model.actuator_biasprm[:2, 1:3].tolist() == [[-30.0, -2.0], [0.0, -4.0]]
    with pytest.raises(ValueError, match="`RandomBody.kp` .* that there are: position"):
        servos(kp={"velocity": (1, 2)})


def test_without_being_told_velocity_counts_only_where_there_is_no_goal():
    goal = ((0.1, 0.4), (-0.3, 0.3))
    assert RandomBody(ARM).velocity_reward == 1.0
    assert RandomBody(ARM, goal=goal).velocity_reward == 0.0
    assert RandomBody(ARM, goal=goal, velocity_reward=0.3).velocity_reward == 0.3
    assert GoalAnt().velocity_reward == 0.0


def test_thickness_and_length_may_be_drawn_together_with_masses():
    both = RandomBody("walker2d_v5.xml", length=(1.3, 1.3), thickness=(2.0, 2.0), mass=(3.0, 3.0))
    long = RandomBody("walker2d_v5.xml", length=(1.3, 1.3)).sample(0).model
    model = both.sample(0).model
    np.testing.assert_allclose(model.body_mass[1:], 3 * long.body_mass[1:])
    np.testing.assert_allclose(model.geom_size[1:, 0], 2 * long.geom_size[1:, 0])
    np.testing.assert_array_equal(model.geom_size[:, 1], long.geom_size[:, 1])


@pytest.mark.parametrize(
    "file", ["walker2d_v5.xml", "half_cheetah.xml", "swimmer.xml", "ant.xml", ARM]
)
def test_bodies_stay_connected_whatever_their_lengths(file):
    family = RandomBody(file, length=(0.4, 2.5), log_uniform=("length",))
    for seed in range(20):
        assert worst_gap(family.sample(seed).model) <= 0.0


def worst_gap(model):
    """How far a body's geoms are from those of the body it is joined to, at most."""
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    worst = -math.inf
    for body in range(2, model.nbody):
        parent = model.body_parentid[body]
        ours, theirs = (np.flatnonzero(model.geom_bodyid == b) for b in (body, parent))
        if parent == 0 or not len(ours) or not len(theirs):
            continue
        gaps = [mujoco.mj_geomDistance(model, data, a, b, 10.0, None) for a in ours for b in theirs]
        worst = max(worst, min(gaps))
    return worst


@pytest.mark.parametrize("goal", [None, ((0.2, 0.2), (0.1, 0.1), (0.3, 0.3))])
def test_a_limb_grows_away_from_its_joint(goal):
    nominal, model = (
        RandomBody(ARM, length={"upper": (factor, factor)}, goal=goal).sample(0).model
        for factor in (1.0, 1.5)
    )
    for name, height in (("base", 0.12), ("upper", 0.22), ("fore", 0.22 + 0.3 * 1.5)):
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(data.body(name).xpos, (0, 0, height), atol=1e-12)
    assert model.body("fore").mass == nominal.body("fore").mass
    assert model.body("upper").mass > 1.4 * nominal.body("upper").mass


def test_bodies_begin_as_far_from_the_floor_as_the_nominal_one():
    for family in (RandomWalker(), RandomBody("ant.xml", length=(0.5, 3.0), thickness=(0.5, 3.0))):
        clear = building.clearance(family.nominal, family.nominal.qpos0)
        for seed in range(5):
            task = family.sample(seed)
            address, height = task.parameters["_lift"]
            qpos = task.model.qpos0.copy()
            qpos[int(address)] += height
            assert building.clearance(task.model, qpos) == pytest.approx(clear, abs=1e-9)
    assert RandomBody(ARM, length=(0.5, 2.0)).sample(0).parameters["_lift"][0] == -1


def test_ranges_go_by_names_and_the_first_that_fits_counts():
    family = RandomBody(
        "walker2d_v5.xml", mass={"leg": (3, 3), "leg*": (2, 2), "foot_left": (1.5, 1.5)}
    )
    task = family.sample(0)
    names = ["leg", "leg_left", "foot_left"]
    ratio = {
        name: task.model.body(name).mass[0] / family.nominal.body(name).mass[0]
        for name in [*names, "foot"]
    }
    np.testing.assert_allclose([ratio[name] for name in [*names, "foot"]], [3, 2, 1.5, 1])
    np.testing.assert_array_equal(task.parameters["mass"], [3, 2, 1.5])


def test_uniform_in_the_logarithm():
    log = ("strength", "gravity")
    family = RandomBody(ARM, strength=(0.01, 100.0), gravity=(1, 16), log_uniform=log)
    tasks = [family.sample(seed) for seed in range(200)]
    strength = np.array([task.parameters["strength"] for task in tasks])
    assert abs(np.median(np.log(strength))) < 0.6
    assert np.median([task.parameters["gravity"] for task in tasks]) == pytest.approx(4, rel=0.2)
    np.testing.assert_allclose(tasks[0].model.actuator_gainprm[:, 0], 12 * strength[0])


def test_actions_are_stretched_to_the_actuators_ranges():
    family = RandomBody(ARM)
    control = family.control(np.array([[1, 1, 1], [-1, 0, 0.5]], np.float32))
    np.testing.assert_allclose(control, [[3.1, 1.5, 2.1], [-3.1, 0, 1.05]])
    walker = RandomWalker()
    action = np.ones((1, 6), np.float32)
    assert walker.control(action) is action


def test_the_reward_is_made_of_its_terms():
    family = RandomBody(
        ARM,
        point="tip",
        goal=((0.2, 0.2), (0.1, 0.1), (0.3, 0.3)),
        directions=((0.0, 0.6, 0.8),),
        velocity_reward=2.0,
        velocity_limit=0.3,
        healthy_reward=0.5,
        control_cost=0.1,
        distance_cost=3.0,
        healthy={"shoulder": (-1.0, None)},
    )
    env = TaskEnv(family, 3)
    env.reset(seed=0)

    def tip():
        mujoco.mj_kinematics(env.model, env.data)
        return env.data.site("tip").xpos.copy()

    rewards = 0
    for action in np.random.default_rng(0).uniform(-1.5, 1.5, (30, 3)):
        before = tip()
        observation, reward, terminated, _, _ = env.step(action)
        way = np.array([0.2, 0.1, 0.3]) - tip()
        np.testing.assert_allclose(observation[-3:], way, atol=1e-12)
        velocity = (tip() - before) @ [0, 0.6, 0.8] / (4 * 0.005)
        healthy = env.data.joint("shoulder").qpos[0] > -1.0
        assert terminated == (not healthy)
        expected = 2 * min(velocity, 0.3) + 0.5 * healthy - 0.1 * np.sum(action**2)
        assert reward == pytest.approx(expected - 3 * np.linalg.norm(way), abs=1e-9)
        rewards += healthy
    assert rewards > 0


def test_half_of_the_half_cheetahs_run_backward():
    family = DirHalfCheetah()
    tasks = [family.sample(seed) for seed in range(100)]
    assert {task.parameters["direction"] for task in tasks} == {-1.0, 1.0}
    assert 30 < sum(task.parameters["direction"] > 0 for task in tasks) < 70
    forward = dataclasses.replace(family, directions=((1.0, 0.0, 0.0),))
    assert {forward.sample(seed).parameters["direction"] for seed in range(20)} == {1.0}


def test_goals_of_ants_are_before_them():
    goals = np.array([GoalAnt().sample(seed).parameters["goal"] for seed in range(200)])
    assert goals.min(axis=0) == pytest.approx([0, -3], abs=0.1)
    assert goals.max(axis=0) == pytest.approx([3, 3], abs=0.1)


@pytest.mark.filterwarnings("ignore:.*observation space m.*imum value is.*infinity")
@pytest.mark.parametrize("robot", ROBOTS)
def test_they_are_registered_and_say_what_they_are(robot):
    env = gymnasium.make(f"epg/{robot.__name__}-v0", task_seed=3).unwrapped
    check_env(env)
    assert type(env.family) is robot
    about = robot().describe()
    assert all(part for part in about)
    assert all(quantity.range for quantity in about.drawn)


def test_an_environment_of_any_robot():
    env = gymnasium.make("epg/RandomBody-v0", model=ARM, length=(0.5, 2.0)).unwrapped
    assert env.reset(seed=0)[0].shape == (6,)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"model": "hoper.xml"},
            "`RandomBody.model` (='hoper.xml') must be an MJCF file that .*hopper.xml",
        ),
        ({"mass": (0, 1)}, "`RandomBody.mass` .* must be a pair .low, high."),
        (
            {"mass": {"wing": (1, 2)}},
            "must be by names, .* that there are: torso, thigh, leg, foot,",
        ),
        ({"strength": {"thigh": (1, 2)}}, "that there are: actuator0, actuator1,"),
        ({"log_uniform": ("speed",)}, "`RandomBody.log_uniform` .* some of 'gravity', 'mass'"),
        ({"gravity": (3, 2)}, "`RandomBody.gravity` .* 0 < low <= high"),
        ({"skipped_positions": 10}, "must be an integer from 0 to 9"),
        ({"velocity_bound": 0.0}, "must be positive or None"),
        ({"point": "wing"}, "must be None, or a body or site: torso, thigh"),
        ({"directions": ((1.0, 1.0, 0.0),)}, "vectors of length 1"),
        ({"distance_cost": 1.0}, "must be 0 where there is no `goal`"),
        ({"goal": ((0.0, 1.0),)}, "two or three pairs"),
        (
            {"healthy": {"wing": (0, 1)}},
            "by names of joints, bodies or sites, or 'upright': rootx, rootz",
        ),
        ({"healthy": {"rootz": 1.0}}, "pairs (low, high), of which either may be None"),
        ({"healthy": {"rootz": (1.3, 0.8)}}, "must hold the start of rootz, 1.25"),
        ({"healthy": {"rootz": (1.5, None)}}, "must hold the start of rootz, 1.25"),
        ({"healthy": {"torso": (1.3, None)}}, "must hold the start of torso, 1.25"),
        ({"healthy": {"upright": (None, 0.5)}}, "must hold the start of upright, 1: each"),
        ({"start": "home"}, "must be None, or a keyframe: there is none"),
        ({"action_scale": 0.5}, "must be None where there is no `start`"),
        ({"control_cost": -1.0}, "a finite non-negative number"),
        ({"frame_skip": 0}, "must be a positive integer"),
    ],
)
def test_a_bad_setting_gets_a_sentence(values, sentence):
    pattern = sentence.replace("(", r"\(").replace(")", r"\)").replace("low, high.", "low, high\\)")
    with pytest.raises(ValueError, match=pattern):
        RandomBody(**{"model": "walker2d_v5.xml", **values})


def test_a_file_that_is_no_model_gets_a_sentence(tmp_path):
    file = tmp_path / "robot.xml"
    file.write_text("<mujoco><worldbody><body></worldbody></mujoco>")
    with pytest.raises(ValueError, match="`RandomBody.model` .* must be an MJCF file .* number=1"):
        RandomBody(str(file))
    file.write_text("<mujoco><worldbody><body/></worldbody></mujoco>")
    with pytest.raises(ValueError, match="must have bodies and an <actuator> section"):
        RandomBody(str(file))
    assert assets.nominal_model("hopper.xml").nu == 3


INTERLEAVED = """
<mujoco>
  <worldbody>
    <body name="a">
      <joint name="ball" type="ball"/>
      <body name="b" pos="0 0 0.4">
        <joint name="hinge"/>
        <geom name="of_b" type="sphere" size="0.2" pos="0 0 0.2"/>
      </body>
      <geom name="of_a" type="capsule" size="0.1 0.2" pos="0 0 0.2"/>
    </body>
  </worldbody>
  <actuator><motor joint="hinge"/></actuator>
</mujoco>
"""


def test_parts_are_told_apart_wherever_they_stand_in_the_file(tmp_path):
    (tmp_path / "robot.xml").write_text(INTERLEAVED)
    thick = {"of_a": (2.0, 2.0), "of_b": (3.0, 3.0)}
    body = RandomBody(str(tmp_path / "robot.xml"), thickness=thick, length={"a": (1.5, 1.5)})
    model = body.sample(0).model
    assert model.geom("of_a").size[0] == pytest.approx(0.2)
    assert model.geom("of_b").size[0] == pytest.approx(0.6)
    assert model.geom("of_a").size[1] == pytest.approx(0.3)
    np.testing.assert_allclose(model.body("b").pos, (0, 0, 0.6))
    with pytest.raises(
        ValueError, match="by names of joints, bodies or sites, or 'upright': hinge"
    ):
        dataclasses.replace(body, healthy={"ball": (0, 1)})


def test_a_goal_is_there_to_be_seen():
    ant, arm = GoalAnt().sample(1), RandomBody(ARM, goal=((0, 1), (0, 1), (0, 1))).sample(1)
    np.testing.assert_allclose(ant.model.site("goal of the task").pos[:2], ant.parameters["goal"])
    np.testing.assert_allclose(arm.model.site("goal of the task").pos, arm.parameters["goal"])


FRAMES = """
<mujoco>
  <worldbody>
    <geom type="plane" size="2 2 0.1"/>
    <body name="upper" pos="0 0 1">
      <joint name="shoulder" axis="0 1 0"/>
      <frame pos="0.4 0 0" euler="0 90 0">
        <frame pos="0 0 -0.1">
          <geom name="rod" type="capsule" fromto="0 0 -0.3 0 0 0.1" size="0.05"/>
          <joint name="twist" axis="0 0 1"/>
        </frame>
        <site name="tip"/>
        <camera name="eye" pos="0 0 1" euler="30 0 0"/>
        <body name="lower" euler="0 -90 0">
          <joint name="elbow" axis="0 1 0"/>
          <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.04"/>
          <body name="hand" pos="0.3 0 0" euler="90 0 0">
            <joint name="grip" type="slide" axis="0 0 1"/>
            <geom type="box" size="0.03 0.01 0.01"/>
          </body>
        </body>
      </frame>
    </body>
  </worldbody>
  <actuator><motor joint="shoulder"/></actuator>
</mujoco>
"""


def test_limbs_in_frames_stay_whole_and_only_robots_on_a_root_are_lifted(tmp_path):
    file = tmp_path / "frames.xml"
    file.write_text(FRAMES)
    task = RandomBody(str(file), length={"upper": (1.5, 1.5)}).sample(0)
    model, nominal = task.model, assets.nominal_model(str(file))
    data, before = mujoco.MjData(model), mujoco.MjData(nominal)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_kinematics(nominal, before)
    rod = data.geom("rod")
    half = rod.xmat.reshape(3, 3)[:, 2] * model.geom("rod").size[1]
    ends = np.sort([(rod.xpos + half)[0], (rod.xpos - half)[0]])
    np.testing.assert_allclose(ends, [0.0, 0.6], atol=1e-9)
    np.testing.assert_allclose(data.site("tip").xpos, [0.6, 0, 1], atol=1e-9)
    np.testing.assert_allclose(data.body("lower").xpos, [0.6, 0, 1], atol=1e-9)
    for name in ("xanchor", "xaxis"):
        np.testing.assert_allclose(
            getattr(data.joint("twist"), name), getattr(before.joint("twist"), name), atol=1e-9
        )
    np.testing.assert_allclose(data.body("lower").xmat, before.body("lower").xmat, atol=1e-9)
    mujoco.mj_camlight(model, data)
    mujoco.mj_camlight(nominal, before)
    np.testing.assert_allclose(data.camera("eye").xpos, before.camera("eye").xpos, atol=1e-9)
    assert task.parameters["_lift"][0] == -1  # the hand's slide is none of the robot's root


def test_lengths_of_closed_loops_are_refused_by_name(tmp_path):
    file = tmp_path / "loop.xml"
    rod = "<geom type='capsule' fromto='0 0 0 0 0 0.3' size='0.02'/>"
    file.write_text(
        f"<mujoco><worldbody><body name='crank'><joint name='a' axis='0 1 0'/>{rod}"
        f"<body name='coupler' pos='0 0 0.3'><joint axis='0 1 0'/>{rod}</body></body>"
        f"<body name='rocker' pos='0.3 0 0'><joint axis='0 1 0'/>{rod}"
        f"<body name='flag' pos='0 0 0.3'><joint axis='0 1 0'/>{rod}</body></body></worldbody>"
        "<equality><connect body1='coupler' body2='rocker' anchor='0 0 0.3'/></equality>"
        "<actuator><motor joint='a'/></actuator></mujoco>"
    )
    with pytest.raises(ValueError, match="leave out bodies of closed loops: crank, coupler, rock"):
        RandomBody(str(file), length=(0.5, 2.0))
    RandomBody(str(file), length={"flag": (0.5, 2.0)}, mass=(0.5, 2.0))


def test_tilted_and_upside_down_roots_are_lifted_by_their_true_axis(tmp_path):
    file = tmp_path / "root.xml"
    file.write_text(
        "<mujoco><worldbody><geom type='plane' size='1 1 1'/><body name='ball' pos='1 0 1'>"
        "<freejoint/><geom size='0.1'/></body><body name='leg' pos='0 0 1' euler='90 0 0'>"
        "<joint name='height' type='slide' axis='0 -1 0'/>"
        "<geom type='capsule' fromto='0 0 0 0 -0.5 0' size='0.05'/></body></worldbody>"
        "<actuator><motor joint='height'/></actuator></mujoco>"
    )
    family = RandomBody(str(file), length={"leg": (1.5, 1.5)}, point="leg")
    address, height = family.sample(0).parameters["_lift"]
    assert int(address) == 7
    assert height == pytest.approx(-0.25)


STANDING = """
<mujoco>
  <compiler angle="radian"/>
  <option gravity="0 0 0"/>
  <worldbody>
    <geom type="plane" size="1 1 1"/>
    <body name="trunk" pos="0 0 0.1">
      <freejoint/>
      <geom type="box" size="0.2 0.1 0.05"/>
      <body name="leg" pos="0.2 0 0">
        <joint name="hip" axis="0 1 0" range="-2 2"/>
        <geom type="capsule" fromto="0 0 0 0 0 -0.2" size="0.02"/>
        <site name="foot" pos="0 0 -0.2"/>
      </body>
    </body>
  </worldbody>
  <actuator><position joint="hip" kp="20" ctrlrange="-1 2"/></actuator>
  <keyframe><key name="home" qpos="0 0 0.5 1 0 0 0 0.7" ctrl="0.7"/></keyframe>
</mujoco>
"""


@pytest.fixture(name="standing")
def write_standing(tmp_path):
    (tmp_path / "standing.xml").write_text(STANDING)
    return lambda **settings: RandomBody(str(tmp_path / "standing.xml"), **settings)


def test_robots_start_in_a_keyframe_and_actions_are_offsets_from_it(standing):
    family = standing(start="home", action_scale=0.3, start_noise=0.0)
    qpos, qvel = family.initial_state(family.sample(0), np.random.default_rng(0))
    np.testing.assert_allclose(qpos, [0, 0, 0.5, 1, 0, 0, 0, 0.7])
    assert not qvel.any()
    np.testing.assert_allclose(family.control(np.array([[0.0], [1.0], [-1.0]])).T, [[0.7, 1, 0.4]])
    half = dataclasses.replace(family, action_scale=None)
    np.testing.assert_allclose(half.control(np.array([[0.0], [1.0]])).T, [[0.7, 2.2]])
    about = family.describe()
    assert any("keyframe 'home', and one of 1 is 0.3 more" in remark for remark in about.remarks)
    assert any("keyframe 'home' + U" in quantity.range for quantity in about.drawn)
    # The set point is where it stands, whatever its strength: it does not move.
    env = TaskEnv(dataclasses.replace(family, strength=(0.5, 0.5)))
    env.reset(seed=0)
    for _ in range(20):
        env.step(np.zeros(1, np.float32))
    np.testing.assert_allclose(env.data.qpos, qpos, atol=1e-6)
    # Longer legs lift the robot from where it starts, by what they are longer below.
    longer = standing(start="home", length={"leg": (1.5, 1.5)}, start_noise=0.0)
    qpos, _ = longer.initial_state(longer.sample(0), np.random.default_rng(0))
    assert qpos[2] == pytest.approx(0.5 + 0.1 * math.cos(0.7))


def test_velocities_and_quaternions_have_noise_of_their_own(standing):
    family = standing(start_noise=0.1, start_velocity_noise=0.0, start_rotation_noise=0.0)
    qpos, qvel = family.initial_state(family.sample(0), np.random.default_rng(0))
    assert not qvel.any() and qpos[3:7].tolist() == [1, 0, 0, 0]
    assert (qpos[[0, 1, 7]] != 0.0).all()


@pytest.mark.parametrize(
    ("healthy", "height_of"),
    [
        ({"joint0": (0.3, 0.6)}, lambda data: data.qpos[2]),
        ({"trunk": (0.3, 0.6)}, lambda data: data.body("trunk").xpos[2]),
        ({"foot": (0.2, 0.5)}, lambda data: data.site("foot").xpos[2]),
        ({"hip": (-0.5, 1), "upright": (0.5, None)}, lambda data: data.body("trunk").xmat[8]),
        ({"leg": (0.3, 0.6), "foot": (0.2, 0.5)}, lambda data: data.body("leg").xpos[2]),
    ],
)
def test_health_is_told_by_heights_and_tilts_too(standing, healthy, height_of):
    family = standing(start="home", healthy=healthy, length={"leg": (1.2, 1.2)})
    task = family.sample(0)
    data = mujoco.MjData(task.model)
    parameters = {name: np.asarray(value)[None] for name, value in task.parameters.items()}
    rng, ended = np.random.default_rng(0), []
    name, (low, high) = list(healthy.items())[-1]
    for _ in range(300):
        data.qpos[:] = rng.normal(size=8) * [1, 1, 0.2, 1, 0.3, 0.3, 0.3, 0.3] + [
            0,
            0,
            0.45,
            *[0] * 5,
        ]
        mujoco.mj_normalizeQuat(task.model, data.qpos)
        mujoco.mj_kinematics(task.model, data)
        value = data.site("foot").xpos[2] if name == "foot" else height_of(data)
        is_healthy = low < value < (math.inf if high is None else high)
        if "hip" in healthy:
            is_healthy &= -0.5 < data.qpos[7] < 1
        if "leg" in healthy:
            is_healthy &= 0.3 < height_of(data) < 0.6
        ended.append(bool(family.terminated(data.qpos[None], data.qvel[None], parameters)[0]))
        assert ended[-1] == (not is_healthy)
    assert 20 < sum(ended) < 280


def test_runs_record_which_robot_it_was_and_refuse_another(tmp_path):
    file = tmp_path / "robot.xml"
    file.write_text(STANDING)
    first = RandomBody(str(file))
    assert len(first.model_hash) == 8
    assert RandomBody(str(file), model_hash=first.model_hash) == first
    for before, after in (('size="0.02"', 'size="0.03"'), ('kp="20"', 'kp="21"'), ("hip", "hop")):
        edited = tmp_path / f"{after[:3]}.xml"
        edited.write_text(STANDING.replace(before, after))
        other = RandomBody(str(edited))
        assert other.model_hash != first.model_hash
        with pytest.raises(ValueError, match="`RandomBody.model_hash` .* must be that of .*xml, "):
            RandomBody(str(edited), model_hash=first.model_hash)
        found = differs_from_run(other, plain(flatten(first, root="RandomBody")), "RandomBody")
        assert "RandomBody.model_hash" in found
    shown = tmp_path / "colours.xml"
    shown.write_text(STANDING.replace('size="1 1 1"', 'size="1 1 1" rgba="1 0 0 1"'))
    assert RandomBody(str(shown)).model_hash == first.model_hash
    assert RandomWalker().model_hash is None
