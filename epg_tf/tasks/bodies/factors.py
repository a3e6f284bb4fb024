"""Quantities that differ from body to body: the parts that have them, and draws of factors."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from typing import Any

import mujoco
import numpy as np

from epg_tf.checks import PositiveRange, fits

_ROUND = (
    mujoco.mjtGeom.mjGEOM_SPHERE.value,
    mujoco.mjtGeom.mjGEOM_CAPSULE.value,
    mujoco.mjtGeom.mjGEOM_CYLINDER.value,
)
_SIMPLE = (*_ROUND, mujoco.mjtGeom.mjGEOM_BOX.value, mujoco.mjtGeom.mjGEOM_ELLIPSOID.value)

# Quantity -> kind of part that has it, in the order in which factors are drawn.
PARTS = {
    "mass": "body",
    "friction": "geom",
    "thickness": "geom",
    "length": "body",
    "damping": "joint",
    "strength": "actuator",
    "kp": "actuator",
    "kd": "actuator",
}


def parts(model: mujoco.MjModel, quantity: str) -> dict[int, str]:
    """Returns the parts of a model that have a quantity, by MuJoCo's ids.

    Args:
        model: The model.
        quantity: One of `PARTS`.

    Returns:
        Names by id; the world body and its geoms are left out. A part without a name is called by
        its kind and id, such as "body4". Only spheres, capsules and cylinders have a thickness, and
        bodies with a mesh have no length. Only servos have a kp or a kd.
    """
    kind = PARTS[quantity]
    numbers = range(
        {
            "body": model.nbody,
            "geom": model.ngeom,
            "joint": model.njnt,
            "actuator": model.nactuator,
        }[kind]
    )
    if kind == "body":
        numbers = numbers[1:]
    elif kind == "geom":
        numbers = [i for i in numbers if model.geom_bodyid[i] > 0]
    if quantity == "thickness":
        numbers = [i for i in numbers if model.geom_type[i] in _ROUND]
    elif quantity == "length":
        rigid = {
            body
            for body, shape in zip(model.geom_bodyid, model.geom_type, strict=True)
            if shape not in _SIMPLE
        }
        numbers = [i for i in numbers if i not in rigid]
    elif quantity in ("kp", "kd"):
        column = 1 if quantity == "kp" else 2
        numbers = [i for i in numbers if model.actuator_biasprm[i, column] and is_affine(model, i)]
    part = getattr(model, kind)
    return {i: part(i).name or f"{kind}{i}" for i in numbers}


def in_loops(model: mujoco.MjModel) -> set[int]:
    """Returns the bodies of closed loops, which other lengths would tear."""
    found = set()
    closing = (mujoco.mjtEq.mjEQ_CONNECT.value, mujoco.mjtEq.mjEQ_WELD.value)
    for number in np.flatnonzero(np.isin(model.eq_type, closing)):
        ends = np.array([model.eq_obj1id[number], model.eq_obj2id[number]])
        if model.eq_objtype[number] == mujoco.mjtObj.mjOBJ_SITE.value:
            ends = model.site_bodyid[ends]
        paths: list[set[int]] = [set(), set()]
        for body, path in zip(ends, paths, strict=True):
            while body:
                path.add(int(body))
                body = model.body_parentid[body]
        found |= paths[0] ^ paths[1]
        # The body that both branches leave from counts too: they leave it at two places.
        found |= {max(paths[0] & paths[1])} if paths[0] & paths[1] else set()
    return found


def is_affine(model: mujoco.MjModel, actuator: int) -> bool:
    """Returns whether an actuator's force has a part that its own length or velocity determine."""
    gain, bias = model.actuator_gaintype[actuator], model.actuator_biastype[actuator]
    affine = mujoco.mjtGain.mjGAIN_AFFINE.value, mujoco.mjtBias.mjBIAS_AFFINE.value
    return gain == affine[0] or bias == affine[1]


def ranges(value: Any, names: Mapping[int, str]) -> dict[int, tuple[float, float]]:
    """Returns the range of each part's factor.

    Args:
        value: A range (low, high) for all parts; or ranges by name or pattern of names, such as
            "leg*"; or None. The first pattern that fits a part counts.
        names: The parts' names by id, as `parts` returns them.

    Returns:
        Ranges by id; parts that no pattern fits are left out.

    Raises:
        ValueError: If a range is invalid, or a pattern fits no part. The message is the rule.
    """
    if value is None:
        return {}
    by_pattern = value if isinstance(value, Mapping) else {"*": value}
    found = {}
    for pattern, bounds in by_pattern.items():
        if not fits(bounds, PositiveRange):
            raise ValueError(
                "a pair (low, high) with 0 < low <= high, or such pairs by the names of parts"
            )
        fitting = [i for i, name in names.items() if fnmatch.fnmatchcase(name, str(pattern))]
        if not fitting:
            known = ", ".join(names.values()) or "none"
            raise ValueError(f"by names, or patterns of names, that there are: {known}")
        for number in fitting:
            found.setdefault(number, (float(bounds[0]), float(bounds[1])))
    return dict(sorted(found.items()))


def draw(rng: np.random.Generator, bounds: tuple[float, float], log_uniform: bool) -> float:
    """Draws a number from a range, uniformly or uniformly in its logarithm."""
    if log_uniform:
        return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
    return rng.uniform(*bounds)
