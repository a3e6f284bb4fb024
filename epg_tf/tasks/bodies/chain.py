"""Forward kinematics of a robot's point from the joint positions alone.

MuJoCo's kinematics need a simulation's data and lag by a substep. The rules have only positions, of
many robots at once. A chain leads from a point to the world. A segment has nine numbers: kind,
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


def position(qpos: np.ndarray, chains: np.ndarray) -> np.ndarray:
    """Returns the points' positions in metres, [W, 3].

    Args:
        qpos: Positions, [W, nq].
        chains: The points' chains, [W, segments, 9], with equal kinds and addresses.
    """
    points = np.zeros((len(qpos), 3))
    for number in range(chains.shape[1]):
        segment = chains[:, number]
        kind, address = segment[0, :2].astype(int)
        where, how = segment[:, 2:5], segment[:, 5:]
        if kind == _FIXED:
            points = where + _rotated(points, how)
        elif kind == _SLIDE:
            points = points + how[:, :3] * (qpos[:, address] - how[:, 3])[:, None]
        elif kind == _HINGE:
            # cos + i sin of half the angle, the parts of a quaternion.
            half = np.exp(0.5j * (qpos[:, address] - how[:, 3]))[:, None]
            turn = np.concatenate([half.real, half.imag * how[:, :3]], axis=1)
            points = where + _rotated(points - where, turn)
        elif kind == _BALL:
            points = where + _rotated(points - where, qpos[:, address : address + 4])
        else:
            turn = qpos[:, address + 3 : address + 7]
            points = qpos[:, address : address + 3] + _rotated(points, turn)
    return points


def _rotated(vectors: np.ndarray, quaternions: np.ndarray) -> np.ndarray:
    """Returns vectors [W, 3] rotated by quaternions [W, 4] of any length but zero."""
    squares = np.einsum("wi,wi->w", quaternions, quaternions)[:, None]
    imaginary = quaternions[:, 1:]
    across = 2.0 * np.cross(imaginary, vectors)
    return vectors + (quaternions[:, :1] * across + np.cross(imaginary, across)) / squares
