"""Which OpenGL MuJoCo may draw with off screen, and what is said where none works.

What works is found by trying (`process`). This module imports no MuJoCo, which reads MUJOCO_GL when
it is imported and loads the library that it names.
"""

import os
from collections.abc import Mapping

_AUTOMATIC = ("egl", "osmesa")
# MuJoCo's other words for drawing through a window system.
_WINDOWED = ("glfw", "glx", "enable", "enabled", "on", "true", "1")
_PACKAGES = {"egl": "libegl1 and libgl1-mesa-dri", "osmesa": "libosmesa6"}
_WITHHELD = "EPG_MUJOCO_GL"


class RenderingError(RuntimeError):
    """Nothing can be drawn here, or no more; the message is one sentence."""


class NoOpenGLError(RenderingError):
    """No OpenGL that works is there, which is no fault: all but drawing goes on."""


def withhold() -> None:
    """Keeps MuJoCo from loading an OpenGL into this process and its children.

    What MUJOCO_GL named is remembered, for the process that draws. The others must not depend on
    its being installed.
    """
    wanted = os.environ.pop("MUJOCO_GL", None)
    if wanted is not None:
        os.environ[_WITHHELD] = wanted


def candidates() -> tuple[str, ...]:
    """The OpenGLs to try, first to last: what MUJOCO_GL names alone, otherwise EGL and OSMesa.

    Returns:
        Names of MuJoCo's modules: "egl", "osmesa" or "glfw".

    Raises:
        NoOpenGLError: If MUJOCO_GL names none.
    """
    wanted = _wanted()
    name = "glfw" if wanted in _WINDOWED else wanted
    if name and name not in (*_AUTOMATIC, "glfw"):
        raise NoOpenGLError(f"`MUJOCO_GL` (={wanted}) must be egl, osmesa or glfw, or not be set.")
    return (name,) if name else _AUTOMATIC


def none_works(killed: Mapping[str, str]) -> RenderingError:
    """What there is to say after all candidates have been tried.

    Args:
        killed: By what those were ended that did not merely fail, by name.

    Returns:
        A `NoOpenGLError` where all merely failed.
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
    reasons = "".join(f"; {name} was ended by {cause}" for name, cause in killed.items())
    return RenderingError(f"{says}{reasons}.") if killed else NoOpenGLError(f"{says}.")


def _wanted() -> str:
    named = os.environ.get("MUJOCO_GL") or os.environ.get(_WITHHELD, "")
    return named.lower().strip()
