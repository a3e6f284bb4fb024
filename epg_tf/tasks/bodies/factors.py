"""What may differ from body to body: names of a model's parts, and factors drawn for them."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping, Sequence
from typing import Any

import mujoco
import numpy as np

_ROUND = (
    mujoco.mjtGeom.mjGEOM_SPHERE.value,
    mujoco.mjtGeom.mjGEOM_CAPSULE.value,
    mujoco.mjtGeom.mjGEOM_CYLINDER.value,
)
_SIMPLE = (*_ROUND, mujoco.mjtGeom.mjGEOM_BOX.value, mujoco.mjtGeom.mjGEOM_ELLIPSOID.value)

# What can be drawn -> what has it; in the order in which factors are drawn.
PARTS = {
    "mass": "body",
    "friction": "geom",
    "thickness": "geom",
    "length": "body",
    "damping": "joint",
    "gear": "actuator",
}


def parts(model: mujoco.MjModel, quantity: str) -> dict[int, str]:
    """The parts of a model that have a quantity, by MuJoCo's numbers.

    Args:
        model: The model.
        quantity: One of `PARTS`.

    Returns:
        Names by number: of bodies, of the geoms that are not the world's, of joints or actuators.
        A part without a name has its kind and number, such as "body4". Spheres, capsules and
        cylinders alone have a thickness, and bodies with a mesh have no length.
    """
    kind = PARTS[quantity]
    numbers = range(
        {"body": model.nbody, "geom": model.ngeom, "joint": model.njnt, "actuator": model.nu}[kind]
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
    part = getattr(model, kind)
    return {i: part(i).name or f"{kind}{i}" for i in numbers}


def ranges(value: Any, names: Mapping[int, str]) -> dict[int, tuple[float, float]]:
    """The range of each part's factor.

    Args:
        value: A range (low, high) for all parts; or ranges by name, or by pattern of names such as
            "leg*", of which the first that fits a part counts; or None.
        names: What there is, as `parts` gives it.

    Returns:
        Ranges by number; parts that no pattern fits have none.

    Raises:
        ValueError: If a range is none, or a pattern fits no part: the rule that is broken.
    """
    if value is None:
        return {}
    by_pattern = value if isinstance(value, Mapping) else {"*": value}
    found = {}
    for pattern, bounds in by_pattern.items():
        if not is_range(bounds):
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


def is_range(value: Any) -> bool:
    """Whether it is a pair (low, high) with 0 < low <= high."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        return False
    if not all(isinstance(b, int | float) and not isinstance(b, bool) for b in value):
        return False
    return 0 < value[0] <= value[1] and math.isfinite(value[1])


def draw(rng: np.random.Generator, bounds: tuple[float, float], log_uniform: bool) -> float:
    """Draws a number from a range, or from the range of its logarithm."""
    if log_uniform:
        return math.exp(rng.uniform(math.log(bounds[0]), math.log(bounds[1])))
    return rng.uniform(*bounds)
