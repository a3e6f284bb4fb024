"""Robots that travel: the coordinate and the body that show it."""

import mujoco


def travelling_coordinate(model: mujoco.MjModel) -> int | None:
    """Returns the index in `qpos` of a robot's travel; None for a robot that stays in place.

    It is the first position of the first joint that moves without limits: a free joint, or a slide
    without limits.
    """
    joint = _travelling_joint(model)
    return None if joint is None else int(model.jnt_qposadr[joint])


def travelling_body(model: mujoco.MjModel) -> int | None:
    """Returns the root body of a robot that travels; None for a robot that stays in place."""
    joint = _travelling_joint(model)
    return None if joint is None else int(model.body_rootid[model.jnt_bodyid[joint]])


def _travelling_joint(model: mujoco.MjModel) -> int | None:
    for joint in range(model.njnt):
        kind, limited = model.jnt_type[joint], model.jnt_limited[joint]
        if kind == mujoco.mjtJoint.mjJNT_FREE or (
            kind == mujoco.mjtJoint.mjJNT_SLIDE and not limited
        ):
            return joint
    return None
