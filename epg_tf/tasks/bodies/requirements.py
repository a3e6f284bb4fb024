"""Checks of a random body's settings, with an error message for each."""

from __future__ import annotations

import math
from collections.abc import Callable

import mujoco

from epg_tf.checks import fits
from epg_tf.tasks import assets
from epg_tf.tasks.bodies.factors import PARTS, in_loops, parts, ranges
from epg_tf.tasks.bodies.settings import BodySettings

UPRIGHT = "upright"  # the name of the tilt among `healthy`


def check(body: BodySettings) -> None:
    """Checks settings against their model.

    Raises:
        ValueError: If a value is bad. For a bad name, the message lists the valid ones.
    """
    require = body._require
    try:
        model = body.nominal
    except ValueError as error:
        said = " ".join(str(error).split())  # MuJoCo's second line has the place in the file
        require("model", False, f"be an MJCF file that MuJoCo reads: {said.rstrip('.')}")
        raise
    found = assets.fingerprint(body.model)
    rule = f"be that of {body.model}, {found}: the file is not the one that was recorded"
    require("model_hash", body.model_hash in (None, found), rule)
    has_actuators = model.nu > 0 and model.nbody > 1
    require("model", has_actuators, "have bodies and an <actuator> section (a URDF has none)")
    require("model", model.nu == model.nactuator, "have one control for each actuator")
    is_told = body.hides_activations or not model.na
    rule = f"be True to accept the activations of {model.na} actuators, which agents do not see"
    require("hides_activations", is_told, rule)
    for name in PARTS:
        try:
            ranges(getattr(body, name), parts(model, name))
        except ValueError as error:
            require(name, False, f"be {error}")
    lengths = parts(model, "length")
    torn = [lengths[i] for i in sorted(in_loops(model) & set(ranges(body.length, lengths)))]
    require("length", not torn, f"leave out bodies of closed loops: {', '.join(torn)}")
    drawn = ("gravity", *PARTS)
    of_these = all(name in drawn for name in body.log_uniform)
    require("log_uniform", of_these, f"be some of {', '.join(map(repr, drawn))}")
    rule = f"be an integer from 0 to {model.nq}, the number of positions"
    require("skipped_positions", 0 <= body.skipped_positions <= model.nq, rule)
    places = (*_names(model, "body", model.nbody)[1:], *_names(model, "site", model.nsite))
    is_place = body.point is None or body.point in places
    require("point", is_place, f"be None, or a body or site: {', '.join(places)}")
    moves = not body.velocity_reward or body.point is not None or model.body_weldid[1] != 0
    require("point", moves, f"name what moves, for the first body does not: {', '.join(places)}")
    norms = [math.hypot(*way) if len(way) == 3 else 0.0 for way in body.directions]
    are_units = bool(norms) and all(abs(norm - 1.0) < 1e-6 for norm in norms)
    require("directions", are_units, "be one or more vectors of length 1, of three numbers each")
    costs_nothing = body.goal is not None or not body.distance_cost
    require("distance_cost", costs_nothing, "be 0 where there is no `goal`")
    keys = _names(model, "key", model.nkey)
    is_key = body.start is None or body.start in keys
    require("start", is_key, f"be None, or a keyframe: {', '.join(keys) or 'there is none'}")
    is_offset = body.action_scale is None or body.start is not None
    require("action_scale", is_offset, "be None where there is no `start` to be an offset from")
    joints = [name for name in map(_name_of_joint(model), range(model.njnt)) if name]
    known = [*joints, *places, UPRIGHT]
    data = body.start_state
    for name, bounds in (body.healthy or {}).items():
        rule = f"be by names of joints, bodies or sites, or 'upright': {', '.join(known)}"
        require("healthy", name in known, rule)
        is_pair = fits(bounds, tuple[float | None, float | None])
        require("healthy", is_pair, "be pairs (low, high), of which either may be None")
        low, high = (
            -math.inf if bounds[0] is None else bounds[0],
            math.inf if bounds[1] is None else bounds[1],
        )
        start = _at_start(body, data, name)
        rule = f"hold the start of {name}, {start:g}: each step would end an episode"
        require("healthy", low < start < high, rule)


def height_or_angle(model: mujoco.MjModel, name: str) -> int | None:
    """Returns the address in qpos of a joint's position, of a free joint's height.

    Returns None if `name` is not that of a joint.
    """
    for joint in range(model.njnt):
        if _name_of_joint(model)(joint) == name:
            is_free = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE.value
            return int(model.jnt_qposadr[joint]) + 2 * is_free
    return None


def _name_of_joint(model: mujoco.MjModel) -> Callable[[int], str]:
    """Returns a function from a joint's id to its name, empty for what is no number, a ball."""

    def name(joint: int) -> str:
        is_ball = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_BALL.value
        return "" if is_ball else model.joint(joint).name or f"joint{joint}"

    return name


def _at_start(body: BodySettings, data: mujoco.MjData, name: str) -> float:
    model = body.nominal
    address = height_or_angle(model, name)
    if address is not None:
        return float(data.qpos[address])
    sites, bodies = (_names(model, "site", model.nsite), _names(model, "body", model.nbody))
    if name in bodies:
        return float(data.body(name).xpos[2])
    if name in sites:
        return float(data.site(name).xpos[2])
    number = 1
    if body.point is not None:
        is_body = body.point in bodies
        number = data.body(body.point).id if is_body else int(model.site(body.point).bodyid[0])
    return float(data.xmat[number, 8])


def _names(model: mujoco.MjModel, kind: str, count: int) -> list[str]:
    part = getattr(model, kind)
    return [part(number).name for number in range(count) if part(number).name]
