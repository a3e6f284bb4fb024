"""What MuJoCo is told once in every process."""

import ctypes
import functools
import pathlib

import mujoco


def silence_mujoco_warnings() -> None:
    """Keeps MuJoCo from printing warnings and writing MUJOCO_LOG.TXT.

    The steps that they spoil are counted by those who step. This holds for the whole process,
    unless the program has installed a handler of its own.
    """
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(_ignore)


@functools.cache
def stop_mujoco_clock() -> None:
    """Keeps MuJoCo from asking for the time, which nobody reads, many times in every step.

    Its Python package installs a clock for `MjData.timer`, process-wide. Without it the physics of
    a Reacher takes 0.73, of a Hopper 0.85 of the time, to the same states. `set_mjcb_time(None)`
    would leave the package's own clock in place.
    """
    ctypes.c_void_p.in_dll(_library(), "mjcb_time").value = None


def mujoco_address(name: str) -> int:
    """Where the machine code of one of MuJoCo's functions is, for code that needs no Python."""
    address = ctypes.cast(getattr(_library(), name), ctypes.c_void_p).value
    assert address is not None
    return address


@functools.cache
def _library() -> ctypes.CDLL:
    """The library that MuJoCo's Python package has loaded."""
    (path,) = pathlib.Path(mujoco.__file__).parent.glob("libmujoco.*")
    return ctypes.CDLL(str(path))


def _ignore(message: str) -> None:
    del message
