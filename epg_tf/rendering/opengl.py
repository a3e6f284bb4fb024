"""OpenGL libraries for MuJoCo's off-screen drawing, and the errors if none works.

Trials find one that works (`process`). This module does not import MuJoCo, because MuJoCo's import
loads the library that MUJOCO_GL names.
"""

import os
from collections.abc import Mapping

_AUTOMATIC = ("egl", "osmesa")
# MuJoCo's names for drawing through a window system.
_WINDOWED = ("glfw", "glx", "enable", "enabled", "on", "true", "1")
_PACKAGES = {"egl": "libegl1 and libgl1-mesa-dri", "osmesa": "libosmesa6"}
_WITHHELD = "EPG_MUJOCO_GL"


class RenderingError(RuntimeError):
    """Drawing is impossible or has failed; the message is one sentence."""


class NoOpenGLError(RenderingError):
    """No OpenGL works here; everything but drawing still does."""


def withhold() -> None:
    """Keeps MuJoCo from loading an OpenGL into this process and its children.

    The value of MUJOCO_GL is kept for the process that draws. Other processes must not depend on
    the library that it names.
    """
    wanted = os.environ.pop("MUJOCO_GL", None)
    if wanted is not None:
        os.environ[_WITHHELD] = wanted


def candidates() -> tuple[str, ...]:
    """Returns the OpenGLs to try in order: the one in MUJOCO_GL, by default EGL and OSMesa.

    Returns:
        The names of MuJoCo's modules: "egl", "osmesa" or "glfw".

    Raises:
        NoOpenGLError: If MUJOCO_GL names no known OpenGL.
    """
    wanted = _wanted()
    name = "glfw" if wanted in _WINDOWED else wanted
    if name and name not in (*_AUTOMATIC, "glfw"):
        raise NoOpenGLError(f"`MUJOCO_GL` (={wanted}) must be egl, osmesa or glfw, or not be set.")
    return (name,) if name else _AUTOMATIC


def none_works(killed: Mapping[str, str]) -> RenderingError:
    """Returns the error to raise after all candidates have failed.

    Args:
        killed: The cause of death of each candidate that did not end with an error, by name.

    Returns:
        A `NoOpenGLError` if all ended with an error, otherwise a `RenderingError`.
    """
    wanted = _wanted()
    if wanted:
        (name,) = candidates()
        needs = f"Debian's {_PACKAGES[name]}" if name in _PACKAGES else "a display"
        says = f"`MUJOCO_GL` (={wanted}) must be what works here; it needs {needs}"
    else:
        says = (
            "Rendering must have EGL or OSMesa, and neither works here: install Debian's "
            f"{_PACKAGES['egl']}, or {_PACKAGES['osmesa']}"
        )
    if device := os.environ.get("MUJOCO_EGL_DEVICE_ID"):
        says += f"; and `MUJOCO_EGL_DEVICE_ID` (={device}) must be a device that is there, if any"
    reasons = "".join(f"; {name} was ended by {cause}" for name, cause in killed.items())
    return RenderingError(f"{says}{reasons}.") if killed else NoOpenGLError(f"{says}.")


def _wanted() -> str:
    named = os.environ.get("MUJOCO_GL") or os.environ.get(_WITHHELD, "")
    return named.lower().strip()
