"""Descriptions of random bodies for model cards and reports."""

from __future__ import annotations

import mujoco

from epg_tf.tasks.bodies.factors import PARTS, parts, ranges
from epg_tf.tasks.bodies.requirements import height_or_angle
from epg_tf.tasks.bodies.settings import BodySettings
from epg_tf.tasks.family import Description, Quantity

_NAMES = {
    "mass": "mass of each body, its inertia with it",
    "friction": "sliding friction of each geom",
    "thickness": "thickness (radius) of each geom",
    "length": "length of each body",
    "damping": "damping of each joint",
    "strength": "strength of each actuator",
    "kp": "stiffness of each servo",
    "kd": "damping of each servo",
}


def describe(body: BodySettings) -> Description:
    """Describes draws, observation, reward and termination."""
    model = body.nominal
    remarks = ["All factors are independent of each other."]
    if body.thickness is not None:
        remarks.append("Thickness changes the geometry alone, not masses.")
    if body.length is not None:
        remarks.append(
            "A body grows away from the joint that it turns about, and what is attached to it goes "
            "along; its mass and inertia follow its geometry."
        )
    if body.friction is not None:
        remarks.append("Where two geoms touch MuJoCo takes the larger of their frictions.")
    if body.start is not None:
        scale = "half an actuator's range" if body.action_scale is None else body.action_scale
        remarks.append(
            f"An action of 0 is the control of the keyframe {body.start!r}, and one of 1 is "
            f"{scale} more."
        )
    remarks.append("A body begins as far from the floor as the nominal one does.")
    return Description(
        f"Robots of {body.model} with random bodies, rewarded for {_aim(body)}.",
        tuple(_drawn(body, model)),
        _observation(body, model),
        _reward(body),
        _end(body),
        tuple(remarks),
    )


def _aim(body: BodySettings) -> str:
    if body.goal is not None and body.distance_cost:
        return "being close to a goal"
    ways = len(body.directions)
    return "moving in the task's direction" + (f", one of {ways}" if ways > 1 else "")


def _drawn(body: BodySettings, model: mujoco.MjModel) -> list[Quantity]:
    drawn = []
    if len(body.directions) > 1:
        ways = ", ".join(_vector(direction) for direction in body.directions)
        drawn.append(Quantity("direction of the rewarded velocity", "", f"{ways}, equally likely"))
    if body.goal is not None:
        axes = zip("xyz", body.goal, strict=False)
        box = ", ".join(f"{axis}: U({low:g}, {high:g})" for axis, (low, high) in axes)
        drawn.append(Quantity("goal, at every task", "m", box))
    if body.gravity is not None:
        bounds = _distribution(body, "gravity", body.gravity)
        drawn.append(Quantity("gravity, downwards", "m/s²", bounds))
    for quantity in PARTS:
        names = parts(model, quantity)
        by_range: dict[tuple[float, float], list[str]] = {}
        for number, bounds in ranges(getattr(body, quantity), names).items():
            by_range.setdefault(bounds, []).append(names[number])
        for bounds, whose in by_range.items():
            of = "" if len(whose) == len(names) else f" ({', '.join(whose)})"
            law = f"{_distribution(body, quantity, bounds)}, one factor each"
            drawn.append(Quantity(_NAMES[quantity] + of, "nominal", law))
    at = "nominal" if body.start is None else f"keyframe {body.start!r}"
    others = {"velocity": body.start_velocity_noise, "quaternion": body.start_rotation_noise}
    stated = {name: noise for name, noise in others.items() if noise is not None}
    everything = "position" if "velocity" in stated else "position and velocity"
    for name, noise in {everything: body.start_noise, **stated}.items():
        law = f"{at} + U(-{noise:g}, {noise:g})"
        drawn.append(Quantity(f"start of every {name}", "m, rad, 1/s", law))
    return drawn


def _distribution(body: BodySettings, quantity: str, bounds: tuple[float, float]) -> str:
    law = "logU" if quantity in body.log_uniform else "U"
    return f"{law}({bounds[0]:g}, {bounds[1]:g})"


def _observation(body: BodySettings, model: mujoco.MjModel) -> str:
    skipped, bound = body.skipped_positions, body.velocity_bound
    positions = f"{model.nq - skipped} positions (m, rad; without the first {skipped})"
    velocities = f"{model.nv} velocities" + ("" if bound is None else f" clipped to ±{bound:g}")
    goal = (
        ""
        if body.goal is None
        else f", and {len(body.goal)} coordinates of the way to the goal (m)"
    )
    return f"{positions}, {velocities}{goal}; nothing else that is drawn."


def _reward(body: BodySettings) -> str:
    terms = []
    if body.velocity_reward:
        limit = "" if body.velocity_limit is None else f", up to {body.velocity_limit:g} m/s"
        terms.append(
            f"{body.velocity_reward:g} times the velocity in the task's direction (m/s{limit})"
        )
    if body.healthy_reward:
        terms.append(f"{body.healthy_reward:g} while healthy")
    costs = []
    if body.distance_cost:
        costs.append(f"{body.distance_cost:g} times the distance to the goal (m)")
    if body.control_cost:
        costs.append(f"{body.control_cost:g} times the squared norm of the action")
    return " - ".join([" + ".join(terms) or "0", *costs]) + "."


def _end(body: BodySettings) -> str:
    cut = f"truncated after {body.time_limit} steps."
    if not body.healthy:
        return f"Never by itself; it is {cut}"
    ranges_of = []
    for joint, (low, high) in body.healthy.items():
        lowest, highest = (
            ("-∞" if low is None else f"{low:g}"),
            ("∞" if high is None else f"{high:g}"),
        )
        ranges_of.append(f"{joint} ({lowest}, {highest})")
    joints = all(height_or_angle(body.nominal, name) is not None for name in body.healthy)
    of = "a joint (m, rad)" if joints else "a joint (m, rad), height (m) or cosine of the tilt"
    return f"Where {of} leaves its range, {', '.join(ranges_of)}; otherwise it is {cut}"


def _vector(numbers: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{number:g}" for number in numbers) + ")"
