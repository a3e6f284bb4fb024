"""The nominal robots, read from gymnasium's XML files or from any other MJCF file.

A family copies the specification, edits the copy and compiles it: one to two milliseconds per task.
"""

import functools
import pathlib
import threading
import warnings
import zlib

import gymnasium
import mujoco
import numpy as np

from epg_tf.files import SHIPPED

# The arrays of a model that a robot's motion depends on.
_PHYSICS = (
    *("qpos0", "key_qpos", "key_ctrl", "eq_data", "site_pos", "tendon_range"),
    *("body_mass", "body_inertia", "body_pos", "body_quat", "body_ipos"),
    *("jnt_type", "jnt_pos", "jnt_axis", "jnt_range", "jnt_stiffness"),
    *("dof_damping", "dof_armature", "dof_frictionloss"),
    *("geom_type", "geom_size", "geom_pos", "geom_quat", "geom_friction", "geom_contype"),
    *("actuator_gear", "actuator_ctrlrange", "actuator_forcerange"),
    *("actuator_gainprm", "actuator_biasprm"),
)
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
def fingerprint(file: str) -> str | None:
    """Returns what tells a user's robot from an edited one; None for one of gymnasium's.

    Numbers count to five digits, so that versions of MuJoCo agree.
    """
    if _path(file).parent == _GYMNASIUM:
        return None
    model = nominal_model(file)
    values = [getattr(model, name) for name in _PHYSICS]
    values += [model.opt.gravity, [model.opt.timestep, model.opt.integrator]]
    numbers = np.concatenate([np.ravel(each) for each in values]) + 0.0  # without -0
    text = " ".join(f"{number:.5g}" for number in numbers)
    return f"{zlib.crc32(text.encode() + model.names):08x}"


@functools.cache
def _specification(file: str) -> mujoco.MjSpec:
    spec = mujoco.MjSpec.from_file(str(_path(file)))
    compiled(spec)  # gives its parts their ids
    return spec


def _path(file: str) -> pathlib.Path:
    for path in (pathlib.Path(file), _GYMNASIUM / file, SHIPPED / file):
        if path.is_file():
            return path
    known = ", ".join(sorted(path.name for path in _GYMNASIUM.glob("*.xml")))
    raise ValueError(f"there is no such file here, and gymnasium has {known}")
