"""Forward kinematics of a robot's point from the joint positions alone.

MuJoCo's kinematics need a simulation's data and lag by a substep. The rules have only positions
(`rules.point_one`). A chain leads from a point to the world. A segment has nine numbers: kind,
address in qpos, centre (3), and either quaternion (4) or axis (3) and reference position.
"""

from __future__ import annotations

import mujoco
import numpy as np

_FIXED, _SLIDE, _HINGE, _BALL, _FREE = range(5)
_KINDS = {
    mujoco.mjtJoint.mjJNT_SLIDE.value: _SLIDE,
    mujoco.mjtJoint.mjJNT_HINGE.value: _HINGE,
    mujoco.mjtJoint.mjJNT_BALL.value: _BALL,
    mujoco.mjtJoint.mjJNT_FREE.value: _FREE,
}


def chain(model: mujoco.MjModel, body: int, point: np.ndarray) -> np.ndarray:
    """Returns the chain of a point, [segments, 9].

    Args:
        model: The robot.
        body: The number of the body that the point is fixed to.
        point: The point in the body's frame, [3].
    """
    segments = [[_FIXED, 0, *point, 1, 0, 0, 0]]
    while body:
        first = model.body_jntadr[body]
        for joint in reversed(range(first, first + model.body_jntnum[body])):
            kind, address = _KINDS[int(model.jnt_type[joint])], model.jnt_qposadr[joint]
            axis, rest = model.jnt_axis[joint], model.qpos0[address]
            segments.append([kind, address, *model.jnt_pos[joint], *axis, rest])
        if segments[-1][0] == _FREE:
            break
        segments.append([_FIXED, 0, *model.body_pos[body], *model.body_quat[body]])
        body = model.body_parentid[body]
    return np.array(segments)
