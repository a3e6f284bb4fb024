"""Compilation of a model with factors on masses, lengths, frictions and the like.

Lengths and thicknesses are changed before MuJoCo compiles the model, the rest after it.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from epg_tf.tasks import assets
from epg_tf.tasks.bodies.factors import is_affine

_GOAL_SIZE = 0.02  # of the model's extent
_RED = (0.9, 0.1, 0.1, 1.0)
_MARGIN = 100.0  # m; nothing is farther from the floor
_WITH_LENGTH = (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER)
_WITH_EXTENT = (
    mujoco.mjtGeom.mjGEOM_SPHERE,
    mujoco.mjtGeom.mjGEOM_BOX,
    mujoco.mjtGeom.mjGEOM_ELLIPSOID,
)
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
    nominal = assets.nominal_model(file)
    spec = assets.specification(file)
    if factors.get("length"):
        _lengthen(spec, nominal, factors["length"])
    if goal is not None:  # after lengthening: a new part makes a specification lose its ids
        size = _GOAL_SIZE * nominal.stat.extent
        place = [*goal, size][:3]  # on the floor if there is no z
        spec.worldbody.add_site(name="goal of the task", pos=place, size=[size] * 3, rgba=_RED)
    with_mass = nominal  # thickness changes no mass, unlike length
    if factors.get("length"):
        with_mass = assets.compiled(spec)
    for geom in spec.geoms:
        geom.size[0] *= factors.get("thickness", {}).get(geom.id, 1.0)
    model = assets.compiled(spec)
    for name in ("body_mass", "body_inertia", "body_ipos", "body_iquat"):
        getattr(model, name)[:] = getattr(with_mass, name)
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


def lift(model: mujoco.MjModel, nominal: mujoco.MjModel) -> tuple[int, float]:
    """Returns how to raise a robot to the nominal one's distance from the floor.

    Args:
        model: The robot.
        nominal: The nominal robot.

    Returns:
        The address of its height in qpos, -1 if there is none, and the number to add there.
    """
    for joint in range(model.njnt):
        address, kind = int(model.jnt_qposadr[joint]), int(model.jnt_type[joint])
        upwards = model.jnt_axis[joint, 2]
        is_free = kind == mujoco.mjtJoint.mjJNT_FREE.value
        if is_free or (kind == mujoco.mjtJoint.mjJNT_SLIDE.value and abs(upwards) == 1.0):
            missing = clearance(nominal, nominal.qpos0) - clearance(model, model.qpos0)
            return (address + 2, missing) if is_free else (address, upwards * missing)
    return -1, 0.0


def clearance(model: mujoco.MjModel, qpos: np.ndarray) -> float:
    """Returns the least distance between world planes and geoms that may touch them, in metres.

    Args:
        model: The robot.
        qpos: Its positions, [nq].
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
    touching = is_floor[data.contact.geom].any(axis=1)
    return float(data.contact.dist[touching].min()) if touching.any() else 0.0


def _lengthen(spec: mujoco.MjSpec, nominal: mujoco.MjModel, factors: Mapping[int, float]) -> None:
    """Stretches bodies away from the joints that they turn about, so that limbs stay connected."""
    joints = np.array([_joint(nominal, body) for body in range(nominal.nbody)])
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


def _joint(model: mujoco.MjModel, body: int) -> np.ndarray:
    """Returns the position of a body's first turning joint in its frame, else the origin."""
    first = model.body_jntadr[body]
    for joint in range(first, first + model.body_jntnum[body]):
        if model.jnt_type[joint] in _TURNING:
            return model.jnt_pos[joint]
    return np.zeros(3)
