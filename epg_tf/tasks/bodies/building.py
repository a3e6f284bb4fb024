"""Compilation of a model with factors on masses, lengths, frictions and the like.

Lengths and thicknesses are changed before MuJoCo compiles the model, the rest after it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from typing import Any

import mujoco
import numpy as np

from epg_tf.tasks import assets
from epg_tf.tasks.bodies.factors import is_affine

_GOAL = "goal of the task"
_GOAL_SIZE = 0.02  # of the model's extent
_RED = (0.9, 0.1, 0.1, 1.0)
_MARGIN = 100.0  # m; nothing is farther from the floor
_WITH_LENGTH = (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER)
_WITH_EXTENT = (
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
)
# The attributes that say where a part stands in a body, by the kind of part.
_PLACES = {
    "geom": ("pos", "quat", "size"),
    "site": ("pos", "quat", "size"),
    "body": ("pos", "quat"),
    "camera": ("pos", "quat"),
    "joint": ("pos", "axis"),
    "light": ("pos", "dir"),
}
_TURNING = (mujoco.mjtJoint.mjJNT_HINGE.value, mujoco.mjtJoint.mjJNT_BALL.value)


def build(
    file: str,
    gravity: float | None,
    factors: Mapping[str, Mapping[int, float]],
    goal: np.ndarray | None = None,
) -> mujoco.MjModel:
    """Compiles a model; without factors it equals the nominal one bit for bit.

    Args:
        file: The MJCF file, as `assets.specification` takes it.
        gravity: The downward acceleration, m/s²; None keeps the model's.
        factors: Factors by quantity (`factors.PARTS`) and part's id. A mass factor scales the
            inertia too. Thickness changes neither. With the length both follow the geometry; if the
            file states them, they scale by the factor and by its cube.
        goal: The position of a site that shows the goal, [2] or [3], m; None for no site.

    Returns:
        The model.
    """
    if factors.get("length") or factors.get("thickness"):
        model = _reshaped(file, factors, goal is not None)
    else:  # compiling meshes for every task would take longer than its lifetime
        model = copy.copy(_marked(file) if goal is not None else assets.nominal_model(file))
    if goal is not None:
        model.site(_GOAL).pos = [*goal, model.site(_GOAL).size[0]][:3]  # on the floor without z
    for number, factor in factors.get("mass", {}).items():
        model.body_mass[number] *= factor
        model.body_inertia[number] *= factor
    for number, factor in factors.get("friction", {}).items():
        model.geom_friction[number, 0] *= factor
    for number, factor in factors.get("damping", {}).items():
        model.dof_damping[model.dof_jntid == number] *= factor
    for number, factor in factors.get("strength", {}).items():
        _strengthen(model, number, factor)
    for number, factor in factors.get("kp", {}).items():
        model.actuator_gainprm[number, 0] *= factor
        model.actuator_biasprm[number, :2] *= factor
    for number, factor in factors.get("kd", {}).items():
        if not model.actuator_biasprm[number, 1]:  # it holds a velocity
            model.actuator_gainprm[number, 0] *= factor
        model.actuator_biasprm[number, 2] *= factor
    if gravity is not None:
        model.opt.gravity[:] = (0.0, 0.0, -gravity)
    mujoco.mj_setConst(model, mujoco.MjData(model))  # recomputes what derives from this
    return model


def _reshaped(
    file: str, factors: Mapping[str, Mapping[int, float]], has_goal: bool
) -> mujoco.MjModel:
    """Compiles a model with other lengths and thicknesses."""
    nominal, spec = assets.nominal_model(file), assets.specification(file)
    if factors.get("length"):
        _lengthen(spec, nominal, factors["length"])
    thick = factors.get("thickness")
    # Thickness changes no mass, unlike length.
    with_mass = assets.compiled(spec) if thick and factors.get("length") else nominal
    for geom, factor in _with_factors(spec.geoms, thick):
        geom.size[0] *= factor
    if has_goal:  # last: a new part makes a specification lose its ids
        _mark(spec, nominal)
    model = assets.compiled(spec)
    if thick:
        for name in ("body_mass", "body_inertia", "body_ipos", "body_iquat"):
            getattr(model, name)[:] = getattr(with_mass, name)
    return model


@functools.cache
def _marked(file: str) -> mujoco.MjModel:
    """Returns the nominal model with a site for the goal; it is shared, so do not write to it."""
    spec = assets.specification(file)
    _mark(spec, assets.nominal_model(file))
    return assets.compiled(spec)


def _mark(spec: mujoco.MjSpec, nominal: mujoco.MjModel) -> None:
    size = [_GOAL_SIZE * nominal.stat.extent] * 3
    # MuJoCo would ignore later positions of a site that is compiled at the origin.
    spec.worldbody.add_site(name=_GOAL, pos=[1.0, 1.0, 1.0], size=size, rgba=_RED)


def _with_factors(parts: Iterable[Any], factors: Mapping[int, float] | None) -> list:
    """Returns the parts that have a factor, each with it."""
    return [(part, factors[part.id]) for part in parts if factors and part.id in factors]


def _strengthen(model: mujoco.MjModel, actuator: int, factor: float) -> None:
    """Multiplies an actuator's force; the set point of a servo stays where it is."""
    if model.actuator_gaintype[actuator] == mujoco.mjtGain.mjGAIN_MUSCLE.value:
        # The peak force, or the scale that it is derived from, of the active and the passive part.
        model.actuator_gainprm[actuator, 2:4] *= factor
        model.actuator_biasprm[actuator, 2:4] *= factor
    elif is_affine(model, actuator):
        model.actuator_gainprm[actuator, :3] *= factor
        model.actuator_biasprm[actuator, :3] *= factor
    else:
        model.actuator_gear[actuator] *= factor
        return
    model.actuator_forcerange[actuator] *= factor


def lift(model: mujoco.MjModel, nominal: mujoco.MjModel, start: mujoco.MjData) -> tuple[int, float]:
    """Returns how to raise a robot to the nominal one's distance from the floor.

    Args:
        model: The robot.
        nominal: The nominal robot.
        start: The nominal robot where episodes start, with its kinematics.

    Returns:
        The address of its height in qpos, -1 if there is none, and the number to add there.
    """
    driven = _driven_trees(nominal)
    for joint in range(model.njnt):
        address, kind = int(model.jnt_qposadr[joint]), int(model.jnt_type[joint])
        body, upwards = model.jnt_bodyid[joint], round(start.xaxis[joint, 2], 9)
        tree = int(model.body_rootid[body])
        # A slide within a robot would move a part of it.
        is_root = not model.body_weldid[model.body_parentid[body]] and tree in driven
        is_free = kind == mujoco.mjtJoint.mjJNT_FREE.value
        is_vertical = kind == mujoco.mjtJoint.mjJNT_SLIDE.value and abs(upwards) == 1.0
        if is_root and (is_free or is_vertical):
            of_nominal = clearance(nominal, start.qpos, tree)
            missing = of_nominal - clearance(model, start.qpos, tree)
            return (address + 2, missing) if is_free else (address, upwards * missing)
    return -1, 0.0


def _driven_trees(model: mujoco.MjModel) -> set[int]:
    """Returns the first bodies of trees with actuated joints; of all if there are none."""
    of_joint = (mujoco.mjtTrn.mjTRN_JOINT.value, mujoco.mjtTrn.mjTRN_JOINTINPARENT.value)
    joints = model.actuator_trnid[np.isin(model.actuator_trntype, of_joint), 0]
    roots = model.body_rootid[model.jnt_bodyid[joints]] if len(joints) else model.body_rootid
    return set(roots.tolist())


def clearance(model: mujoco.MjModel, qpos: np.ndarray, tree: int = 1) -> float:
    """Returns the least distance between world planes and a robot's geoms that may touch, in m.

    Args:
        model: The robot.
        qpos: Its positions, [nq].
        tree: The first body of the robot; other bodies do not count.
    """
    margins = model.geom_margin.copy()
    model.geom_margin[:] = _MARGIN
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_collision(model, data)
    model.geom_margin[:] = margins
    is_floor = (model.geom_bodyid == 0) & (model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE.value)
    is_robot = model.body_rootid[model.geom_bodyid] == tree
    geoms = data.contact.geom
    touching = is_floor[geoms].any(axis=1) & is_robot[geoms].any(axis=1)
    return float(data.contact.dist[touching].min()) if touching.any() else 0.0


def _lengthen(spec: mujoco.MjSpec, nominal: mujoco.MjModel, factors: Mapping[int, float]) -> None:
    """Stretches bodies away from the joints that they turn about, so that limbs stay connected."""
    joints = np.array([_joint(nominal, body) for body in range(nominal.nbody)])
    _leave_frames(spec, nominal, factors)
    for body in spec.bodies:
        factor = factors.get(body.id)
        if factor is None:
            continue
        centre = joints[body.id]
        for geom in body.geoms:
            if np.isfinite(geom.fromto).all():
                ends = geom.fromto.reshape(2, 3)
                geom.fromto = (centre + factor * (ends - centre)).ravel()
                continue
            geom.pos = centre + factor * (geom.pos - centre)
            if geom.type in _WITH_LENGTH:
                geom.size[1] *= factor
            elif geom.type in _WITH_EXTENT:
                geom.size[:] *= factor
        for site in body.sites:
            site.pos = centre + factor * (site.pos - centre)
        if body.explicitinertial:
            body.ipos = centre + factor * (body.ipos - centre)
            body.mass *= factor
            body.inertia = body.inertia * factor**3
            body.fullinertia = body.fullinertia * factor**3
        for child in body.bodies:
            # The child's joint, not its origin, moves with the limb's end.
            turned = np.empty(3)
            mujoco.mju_rotVecQuat(turned, joints[child.id], nominal.body_quat[child.id])
            child.pos = centre + factor * (child.pos + turned - centre) - turned


def _leave_frames(
    spec: mujoco.MjSpec, nominal: mujoco.MjModel, factors: Mapping[int, float]
) -> None:
    """Rewrites the places of what stands in a body's frames in the coordinates of the body."""
    for body, _ in _with_factors(spec.bodies, factors):
        framed = [(part, kind) for kind in _PLACES for part in _parts_of(body, kind) if part.frame]
        for part, kind in framed:
            for field in _PLACES[kind]:
                setattr(part, field, getattr(getattr(nominal, kind)(part.id), field))
            if "quat" in _PLACES[kind]:
                part.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
            if "size" in _PLACES[kind]:
                part.fromto = np.full(6, np.nan)
        for part, _ in framed:
            frame = part.frame
            while frame is not None:
                frame.pos, frame.quat = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)
                frame.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
                frame = frame.frame


def _parts_of(body: Any, kind: str) -> list:
    return getattr(body, "bodies" if kind == "body" else f"{kind}s")


def _joint(model: mujoco.MjModel, body: int) -> np.ndarray:
    """Returns the position of a body's first turning joint in its frame, else the origin."""
    first = model.body_jntadr[body]
    for joint in range(first, first + model.body_jntnum[body]):
        if model.jnt_type[joint] in _TURNING:
            return model.jnt_pos[joint]
    return np.zeros(3)
