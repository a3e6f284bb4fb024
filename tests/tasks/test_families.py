"""What the families draw, and what the drawn models are."""

from typing import Any

import gymnasium
import mujoco
import numpy as np
import pytest

from epg_tf.seeds import HELD_OUT_TASK_SEEDS, TRAINING_TASK_SEEDS
from epg_tf.tasks.hopper import DirHopper, RandomHopper
from epg_tf.tasks.reacher import RandomReacher

FAMILIES = [RandomReacher(), RandomHopper(), DirHopper()]
NOMINAL_HOPPER = RandomHopper(
    gravity=(9.81, 9.81), mass=(1, 1), friction=(1, 1), thickness=(1, 1), frame_skip=4
)
ROBOT = slice(1, 5)  # the hopper's bodies and geoms; 0 is the world and the floor


def model_arrays(model):
    """Every array of a model that gymnasium-compatible code could read, by name."""
    names = [name for name in dir(model) if not name.startswith("_")]
    arrays = {name: getattr(model, name) for name in names}
    arrays = {name: a for name, a in arrays.items() if isinstance(a, np.ndarray)}
    return arrays | {"gravity": model.opt.gravity, "center": model.stat.center}


def differing_arrays(model, other):
    others = model_arrays(other)
    return {name for name, a in model_arrays(model).items() if not np.array_equal(a, others[name])}


def gymnasium_model(name):
    return gymnasium.make(name).unwrapped.model


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: type(family).__name__)
def test_a_seed_is_a_task(family):
    first, again, other = (family.sample(seed) for seed in (2**31 + 5, 2**31 + 5, 6))
    assert not differing_arrays(first.model, again.model)
    assert differing_arrays(first.model, other.model)
    for name, value in first.parameters.items():
        np.testing.assert_array_equal(value, again.parameters[name])


def test_training_and_held_out_seeds_are_disjoint():
    assert TRAINING_TASK_SEEDS[-1] < HELD_OUT_TASK_SEEDS[0]
    # Nor do seeds that share their lower bits share their task.
    seeds = (3, 3 + 2**31, 3 + 2**32)
    lengths = [str(RandomReacher().sample(seed).parameters["link_length"]) for seed in seeds]
    assert len({*lengths}) == 3


def test_a_task_does_not_share_its_stream_with_episodes_of_the_same_seed():
    drawn = np.asarray(RandomReacher(link_length=(1.0, 2.0)).sample(7).parameters["link_length"])
    episodes = 1 + np.random.default_rng(7).random(8)
    assert np.abs(drawn[:, None] - episodes).min() > 1e-9


def test_hoppers_observe_as_gymnasiums():
    qpos, qvel = np.random.default_rng(0).normal(0, 20, (2, 50, 6))
    parameters = {}  # the observation shows none of the drawn quantities
    expected = np.concatenate([qpos[:, 1:], np.clip(qvel, -10, 10)], axis=1)
    np.testing.assert_array_equal(DirHopper().observe(qpos, qvel, parameters), expected)


def test_the_nominal_models_are_gymnasiums():
    reacher = RandomReacher(link_length=(1, 1)).sample(0).model
    assert not differing_arrays(reacher, gymnasium_model("Reacher-v5"))
    hopper = NOMINAL_HOPPER.sample(0)
    assert not differing_arrays(hopper.model, gymnasium_model("Hopper-v5"))
    assert hopper.parameters["lift"] == 0


def test_reacher_lengths_cover_their_range_and_shape_the_arm():
    factors = []
    for seed in range(300):
        model = RandomReacher().sample(seed).model
        data = mujoco.MjData(model)
        mujoco.mj_kinematics(model, data)
        upper = data.body("body1").xpos[0]
        lower = data.body("fingertip").xpos[0] - upper - 0.01
        factors.append([upper / 0.1, lower / 0.1])
        # The capsules end where the joints are.
        np.testing.assert_allclose(2 * model.geom_size[[6, 7], 1], [upper, lower])
        np.testing.assert_allclose(model.geom_pos[[6, 7], 0], [upper / 2, lower / 2])
        capsule = np.pi * 0.01**2 * (upper + 4 / 3 * 0.01)
        np.testing.assert_allclose(model.body("body0").mass, 1000 * capsule)
    assert 0.5 <= np.min(factors) < 0.52 and 1.48 < np.max(factors) <= 1.5
    assert abs(np.corrcoef(np.transpose(factors))[0, 1]) < 0.2


@pytest.mark.parametrize("family", [RandomHopper(), DirHopper()], ids=["RandomHopper", "DirHopper"])
def test_hopper_factors_cover_their_ranges_and_change_what_they_should(family):
    nominal = gymnasium_model("Hopper-v5")
    tasks = [family.sample(seed) for seed in range(300)]
    factors = {}

    def ratios(field, columns: Any = slice(None)):
        over = getattr(nominal, field)[ROBOT][..., columns]
        return np.array([getattr(task.model, field)[ROBOT][..., columns] / over for task in tasks])

    factors["mass"] = ratios("body_mass")
    factors["friction"] = ratios("geom_friction", 0)
    factors["thickness"] = ratios("geom_size", 0)
    for name, drawn in factors.items():
        assert 0.5 <= drawn.min() < 0.52 and 1.95 < drawn.max() <= 2.0, name
        np.testing.assert_allclose([t.parameters[name] for t in tasks], drawn)
    # Mass and inertia scale together, whatever the thickness.
    inertia = ratios("body_inertia")
    np.testing.assert_allclose(inertia, factors["mass"][:, :, None] * np.ones(3), rtol=1e-12)
    # The twelve factors are independent: 300 draws correlate by less than 0.25.
    correlation = np.corrcoef(np.concatenate([*factors.values()], axis=1).T)
    assert np.abs(correlation - np.eye(12)).max() < 0.25
    gravity = np.array([t.model.opt.gravity for t in tasks])
    assert -20 <= gravity[:, 2].min() < -19.8 and -2.2 < gravity[:, 2].max() <= -2
    assert not gravity[:, :2].any()
    # Neither the capsules' lengths, nor the floor, nor the other frictions.
    assert (ratios("geom_friction", slice(1, 3)) == 1.0).all()
    for task in tasks[:5]:
        np.testing.assert_array_equal(task.model.geom_size[:, 1:], nominal.geom_size[:, 1:])
        np.testing.assert_array_equal(task.model.geom_size[0], nominal.geom_size[0])
        np.testing.assert_array_equal(task.model.geom_friction[0], nominal.geom_friction[0])


def test_thickness_changes_the_geometry_alone():
    thick = RandomHopper(
        gravity=(9.81, 9.81), mass=(1, 1), friction=(1, 1), thickness=(1.7, 1.7)
    ).sample(0)
    changed = differing_arrays(thick.model, gymnasium_model("Hopper-v5"))
    assert changed == {
        "bvh_aabb",
        "dof_length",  # how far a geom reaches from its joint; MuJoCo uses it for sleep alone
        "geom_aabb",
        "geom_rbound",
        "geom_size",
    }


def test_derived_constants_follow_the_mass():
    heavy = RandomHopper(
        gravity=(9.81, 9.81), mass=(2, 2), friction=(1, 1), thickness=(1, 1)
    ).sample(0)
    model = heavy.model
    np.testing.assert_allclose(model.body_subtreemass[1], model.body_mass.sum())
    assert model.body_mass.sum() == 2 * gymnasium_model("Hopper-v5").body_mass.sum()
    np.testing.assert_allclose(
        model.body_invweight0[1, 0],
        gymnasium_model("Hopper-v5").body_invweight0[1, 0] / 2,
        rtol=0.2,
    )


def test_both_directions_occur_equally_and_only_in_dir_hopper():

    def direction(family, seed):
        return float(family.sample(seed).parameters["direction"])

    directions = [direction(DirHopper(), seed) for seed in range(300)]
    assert {*directions} == {-1.0, 1.0}
    assert abs(np.mean(directions)) < 0.2
    assert {direction(RandomHopper(), seed) for seed in range(20)} == {1.0}
    # The same seed has the same body in both families.
    assert not differing_arrays(DirHopper().sample(7).model, RandomHopper().sample(7).model)


def test_no_hopper_starts_inside_the_floor():
    thick = RandomHopper(thickness=(1.9, 2.0))
    lifted = 0
    for seed in range(150):
        family = RandomHopper() if seed % 2 else thick
        task = family.sample(seed)
        data = mujoco.MjData(task.model)
        for start in range(3):
            qpos, qvel = family.initial_state(task, np.random.default_rng(start))
            data.qpos[:], data.qvel[:] = qpos, qvel
            mujoco.mj_forward(task.model, data)
            assert data.ncon == 0 or data.contact.dist.min() > 0
            lifted += task.parameters["lift"] > 0
        # One that is lowered by its lift does touch: the lift is no larger than it need be.
        if task.parameters["lift"] > 0.02:
            data.qpos[1] -= task.parameters["lift"]
            mujoco.mj_forward(task.model, data)
            assert data.contact.dist.min() < 0
    assert lifted > 100


def test_targets_are_within_reach_and_uniform_over_the_area():
    family = RandomReacher()
    squares = []
    for seed in range(60):
        task = family.sample(seed)
        rng = np.random.default_rng(seed)
        upper, lower = task.model.body("body1").pos[0], task.model.body("fingertip").pos[0]
        data = mujoco.MjData(task.model)
        data.qpos[1] = 3.0
        mujoco.mj_kinematics(task.model, data)
        nearest = np.linalg.norm(data.body("fingertip").xpos[:2])
        for _ in range(50):
            qpos, _ = family.initial_state(task, rng)
            distance = np.linalg.norm(qpos[2:])
            assert nearest - 1e-9 <= distance <= upper + lower - 0.01 + 1e-9
            assert np.all(np.abs(qpos[2:]) <= task.model.jnt_range[2:, 1])
            # An elbow angle within the limit puts the fingertip at this distance.
            cosine = (distance**2 - upper**2 - lower**2) / (2 * upper * lower)
            assert np.arccos(np.clip(cosine, -1, 1)) <= 3.0 + 1e-6
            outer = upper + lower - 0.01
            squares.append((distance**2 - nearest**2) / (outer**2 - nearest**2))
    # The share of the annulus's area within a target's distance is uniform on [0, 1].
    np.testing.assert_allclose(
        np.quantile(squares, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.04
    )


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda: RandomHopper(gravity=(20, 2)),
            "`RandomHopper.gravity` (=(20, 2)) must be a pair (low, high) with 0 < low <= high.",
        ),
        (
            lambda: DirHopper(mass=(0, 1)),
            "`DirHopper.mass` (=(0, 1)) must be a pair (low, high) with 0 < low <= high.",
        ),
        (
            lambda: RandomReacher(link_length=1.0),  # pyright: ignore[reportArgumentType]
            "`RandomReacher.link_length` (=1.0) must be a pair (low, high) with 0 < low <= high.",
        ),
        (
            lambda: RandomReacher(link_length=(1.0, float("nan"))),
            "`RandomReacher.link_length` (=(1.0, nan)) must be a pair (low, high) with "
            "0 < low <= high.",
        ),
        (
            lambda: RandomHopper(frame_skip=0),
            "`RandomHopper.frame_skip` (=0) must be a positive integer.",
        ),
        (
            lambda: RandomHopper(reward_rule="fast"),
            "`RandomHopper.reward_rule` (='fast') must be one of 'velocity', 'gymnasium'.",
        ),
        (
            lambda: RandomReacher().sample(-1),
            "`task_seed` (=-1) must be a non-negative integer.",
        ),
    ],
)
def test_bad_values_are_named(build, sentence):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value) == sentence
