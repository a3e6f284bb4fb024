"""The nominal robots, read from the XML files that gymnasium installs.

A family copies the specification, edits the copy and compiles it: one to two milliseconds per task.
"""

import functools
import pathlib

import gymnasium
import mujoco


def specification(file_name: str) -> mujoco.MjSpec:
    """Returns a fresh, editable copy of one of gymnasium's robots, such as "hopper.xml"."""
    return _specification(file_name).copy()


@functools.cache
def nominal_model(file_name: str) -> mujoco.MjModel:
    """Returns the robot compiled as it is. Shared by all callers: read it, do not write to it."""
    return specification(file_name).compile()


@functools.cache
def _specification(file_name: str) -> mujoco.MjSpec:
    assets = pathlib.Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"
    return mujoco.MjSpec.from_file(str(assets / file_name))
