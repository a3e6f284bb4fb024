"""Process-wide settings of MuJoCo, and addresses of its functions."""

import ctypes
import functools
import pathlib

import mujoco


def silence_mujoco_warnings() -> None:
    """Keeps MuJoCo from printing warnings and writing MUJOCO_LOG.TXT.

    `BatchSimulator` counts failed steps instead. The setting holds for the whole process. If the
    program has installed a handler, that handler stays.
    """
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_ignore)


@functools.cache
def stop_mujoco_clock() -> None:
    """Keeps MuJoCo from reading the time, which nobody uses, many times in every step.

    Its Python package installs a clock for `MjData.timer`, process-wide. Without it a Reacher's
    physics takes 0.73 of the time, a Hopper's 0.85; the states stay the same.
    `set_mjcb_time(None)` would leave the package's clock in place.
    """
    ctypes.c_void_p.in_dll(_library(), "mjcb_time").value = None


def mujoco_address(name: str) -> int:
    """Returns the address of a MuJoCo function's machine code, for calls without Python."""
    address = ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value
    assert address is not None
    return address


@functools.cache
def _library() -> ctypes.CDLL:
    """Returns the library that MuJoCo's Python package has loaded."""
    (path,) = pathlib.Path(mujoco.__file__).parent.glob("libmujoco.*")
    return ctypes.CDLL(str(path))


def _ignore(message: str) -> None:
    del message
