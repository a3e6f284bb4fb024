"""Checks of a random body's settings, with an error message for each."""

from __future__ import annotations

import math
from typing import Any

import mujoco

from epg_tf.tasks.bodies.factors import PARTS, parts, ranges
from epg_tf.tasks.bodies.settings import BodySettings


def check(body: BodySettings) -> None:
    """Checks settings against their model.

    Raises:
        ValueError: If a value is bad. For a bad name, the message lists the valid ones.
    """

    def require(name: str, holds: bool, rule: str) -> None:
        if not holds:
            value = getattr(body, name)
            raise ValueError(f"`{type(body).__name__}.{name}` (={value!r}) must be {rule}.")

    try:
        model = body.nominal
    except ValueError as error:
        require("model", False, f"an MJCF file: {str(error).partition(chr(10))[0]}")
        raise
    require("model", model.nu > 0 and model.nbody > 1, "a body with actuators")
    for name in PARTS:
        try:
            ranges(getattr(body, name), parts(model, name))
        except ValueError as error:
            require(name, False, str(error))
    drawn = ("gravity", *PARTS)
    of_these = all(name in drawn for name in body.log_uniform)
    require("log_uniform", of_these, f"some of {', '.join(map(repr, drawn))}")
    rule = f"an integer from 0 to {model.nq}, the number of positions"
    require(
        "skipped_positions",
        isinstance(body.skipped_positions, int) and 0 <= body.skipped_positions <= model.nq,
        rule,
    )
    places = (*_names(model, "body", model.nbody)[1:], *_names(model, "site", model.nsite))
    is_place = body.point is None or body.point in places
    require("point", is_place, f"None, or a body or site: {', '.join(places)}")
    lengths = [math.hypot(*way) if len(way) == 3 else 0.0 for way in body.directions]
    are_units = bool(lengths) and all(abs(length - 1.0) < 1e-6 for length in lengths)
    require("directions", are_units, "one or more vectors of length 1, of three numbers each")
    costs_nothing = body.goal is not None or not body.distance_cost
    require("distance_cost", costs_nothing, "0 where there is no `goal`")
    ball = mujoco.mjtJoint.mjJNT_BALL.value  # its position is a quaternion
    joints = [n for n in _names(model, "joint", model.njnt) if model.joint(n).type[0] != ball]
    for joint, bounds in (body.healthy or {}).items():
        require("healthy", joint in joints, f"by joints' names: {', '.join(joints)}")
        require("healthy", _is_open_pair(bounds), "pairs (low, high), of which either may be None")


def _names(model: mujoco.MjModel, kind: str, count: int) -> list[str]:
    part = getattr(model, kind)
    return [part(number).name for number in range(count) if part(number).name]


def _is_open_pair(bounds: Any) -> bool:
    is_pair = isinstance(bounds, tuple | list) and len(bounds) == 2
    return is_pair and all(b is None or isinstance(b, int | float) for b in bounds)
