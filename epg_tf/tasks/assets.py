"""The nominal robots, read from gymnasium's XML files or from any other MJCF file.

A family copies the specification, edits the copy and compiles it: one to two milliseconds per task.
"""

import functools
import pathlib
import threading
import warnings

import gymnasium
import mujoco

from epg_tf.files import SHIPPED

_GYMNASIUM = pathlib.Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets"


def specification(file: str) -> mujoco.MjSpec:
    """Returns a fresh, editable copy of a robot.

    Args:
        file: The path of an MJCF file, relative to the working directory or `files.SHIPPED`, or the
            name of one of gymnasium's, such as "hopper.xml".

    Raises:
        ValueError: If there is no such file, or MuJoCo cannot read it.
    """
    return _specification(file).copy()


# Python's warning filters are global: a thread that leaves `catch_warnings` restores them for all
# threads.
_FILTERS = threading.Lock()


@functools.cache
def nominal_model(file: str) -> mujoco.MjModel:
    """Returns the unchanged robot, compiled. All callers share it, so do not write to it."""
    return compiled(specification(file))


def compiled(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compiles a specification; suppresses MuJoCo's warning about gymnasium's half-cheetah."""
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compiler attribute 'settotalmass' is deprecated")
        return spec.compile()


@functools.cache
def _specification(file: str) -> mujoco.MjSpec:
    for path in (pathlib.Path(file), _GYMNASIUM / file, SHIPPED / file):
        if path.is_file():
            spec = mujoco.MjSpec.from_file(str(path))
            compiled(spec)  # gives its parts their ids
            return spec
    known = ", ".join(sorted(path.name for path in _GYMNASIUM.glob("*.xml")))
    raise ValueError(f"there is no such file here, and gymnasium has {known}")
