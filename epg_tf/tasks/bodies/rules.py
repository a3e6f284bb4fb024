"""A random body's observation, termination and point for one worker, to be compiled.

The task's parameters lie end to end: layout, healthy ranges, chain of the point, goal, heights. A
range has an address, a low and a high bound. An address of -1 - i is that of the height that begins
i numbers after the goal. A chain has nine numbers per segment (see `chain`). A height is that of
one point, less that of another if there is one: two numbers of segments and two chains.
"""

import math
from typing import NamedTuple

from epg_tf.native.rules import part_of_rules


class Layout(NamedTuple):
    """The first parameters, which tell how to read the others; whole numbers except `bound`.

    Attributes:
        skipped: The number of first positions that are not observed.
        positions: nq.
        velocities: nv.
        bound: Velocities are clipped to ± this.
        ranges: The number of healthy ranges.
        goal: The number of the goal's coordinates; 0 without a goal.
        segments: The number of the chain's segments.
    """

    skipped: float
    positions: float
    velocities: float
    bound: float
    ranges: float
    goal: float
    segments: float


def observe_one(qpos, qvel, parameters, out):
    """Writes positions, velocities and the vector from the point to the goal to `out`, [S]."""
    skipped, positions, velocities = int(parameters[0]), int(parameters[1]), int(parameters[2])
    bound, goal = parameters[3], int(parameters[5])
    place = 0
    for i in range(skipped, positions):
        out[place] = qpos[i]
        place += 1
    for i in range(velocities):
        out[place] = min(max(qvel[i], -bound), bound)
        place += 1
    if goal > 0:
        end = 7 + 3 * int(parameters[4]) + 9 * int(parameters[6])
        x, y, z = _point(qpos, parameters)
        out[place] = parameters[end] - x
        out[place + 1] = parameters[end + 1] - y
        if goal > 2:
            out[place + 2] = parameters[end + 2] - z


def terminated_one(qpos, qvel, parameters):
    """Returns whether a joint or a height is outside its healthy range."""
    healthy = True
    heights = 7 + 3 * int(parameters[4]) + 9 * int(parameters[6]) + int(parameters[5])
    for i in range(int(parameters[4])):
        address = int(parameters[7 + 3 * i])
        place = heights - 1 - address
        value = qpos[address] if address >= 0 else _height(qpos, parameters, place)
        healthy = healthy and parameters[8 + 3 * i] < value < parameters[9 + 3 * i]
    return not healthy


def point_one(qpos, qvel, parameters, out):
    """Writes the position of one worker's point to `out`, [3] in m."""
    out[0], out[1], out[2] = _point(qpos, parameters)


@part_of_rules
def _end_of_chain(qpos, parameters, start, segments):
    x, y, z = 0.0, 0.0, 0.0
    for segment in range(segments):
        at = start + 9 * segment
        kind, address = int(parameters[at]), int(parameters[at + 1])
        # The segment's centre, and its quaternion or axis.
        p, q, r = parameters[at + 2], parameters[at + 3], parameters[at + 4]
        a, b, c, d = parameters[at + 5], parameters[at + 6], parameters[at + 7], 0.0
        if kind == 1:
            way = qpos[address] - parameters[at + 8]
            x, y, z = x + a * way, y + b * way, z + c * way
            continue
        u, v, w = x, y, z
        if kind == 0:
            d = parameters[at + 8]
        elif kind == 2:
            half = 0.5 * (qpos[address] - parameters[at + 8])
            sine = math.sin(half)
            a, b, c, d = math.cos(half), sine * a, sine * b, sine * c
        else:
            if kind == 4:
                p, q, r = qpos[address], qpos[address + 1], qpos[address + 2]
                address += 3
            a, b, c, d = qpos[address], qpos[address + 1], qpos[address + 2], qpos[address + 3]
        if kind == 2 or kind == 3:
            u, v, w = x - p, y - q, z - r
        square = a * a + b * b + c * c + d * d
        i, j, k = 2.0 * (c * w - d * v), 2.0 * (d * u - b * w), 2.0 * (b * v - c * u)
        x = p + u + (a * i + c * k - d * j) / square
        y = q + v + (a * j + d * i - b * k) / square
        z = r + w + (a * k + b * j - c * i) / square
    return x, y, z


@part_of_rules
def _point(qpos, parameters):
    return _end_of_chain(qpos, parameters, 7 + 3 * int(parameters[4]), int(parameters[6]))


@part_of_rules
def _height(qpos, parameters, at):
    segments, others = int(parameters[at]), int(parameters[at + 1])
    _, _, height = _end_of_chain(qpos, parameters, at + 2, segments)
    _, _, other = _end_of_chain(qpos, parameters, at + 2 + 9 * segments, others)
    return height - other
