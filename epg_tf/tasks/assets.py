"""The nominal robots, read from the XML files that gymnasium installs, or from any other.

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
        file: The path of an MJCF file, from here or from where examples lie, or the name of one of
            gymnasium's, such as "hopper.xml".

    Raises:
        ValueError: If there is no such file, or MuJoCo cannot read it.
    """
    return _specification(file).copy()


# Python's warning filters belong to the process: a thread that leaves its block restores them for
# all others.
_FILTERS = threading.Lock()


@functools.cache
def nominal_model(file: str) -> mujoco.MjModel:
    """Returns the robot compiled as it is. Shared by all callers: read it, do not write to it."""
    return compiled(specification(file))


def compiled(spec: mujoco.MjSpec) -> mujoco.MjModel:
    """Compiles a specification, without what MuJoCo says of gymnasium's half-cheetah each time."""
    with _FILTERS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "compiler attribute 'settotalmass' is deprecated")
        return spec.compile()


@functools.cache
def _specification(file: str) -> mujoco.MjSpec:
    for path in (pathlib.Path(file), _GYMNASIUM / file, SHIPPED / file):
        if path.is_file():
            spec = mujoco.MjSpec.from_file(str(path))
            compiled(spec)  # numbers its parts
            return spec
    known = ", ".join(sorted(path.name for path in _GYMNASIUM.glob("*.xml")))
    raise ValueError(f"there is no such file here, and gymnasium has {known}")
