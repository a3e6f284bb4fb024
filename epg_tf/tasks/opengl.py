"""Which OpenGL MuJoCo draws with off screen, found by trying.

MuJoCo reads MUJOCO_GL when it is imported and when it first draws, and a library that is missing or
broken can end the process; so each candidate is tried in a process of its own. This module imports
no MuJoCo: a command line settles the question before anything does.
"""

import functools
import os
import subprocess
import sys

_AUTOMATIC = ("egl", "osmesa")
# MuJoCo's other words for drawing through a window system.
_WINDOWED = ("glfw", "glx", "enable", "enabled", "on", "true", "1")
_PACKAGES = {"egl": "libegl1 and libgl1-mesa-dri", "osmesa": "libosmesa6"}
_PATIENCE = 60.0  # s; a try takes less than one

_TRY = """
import mujoco
from mujoco.{name} import GLContext
context = GLContext(8, 8)
context.make_current()
scene = mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), 50)
scene.free()
context.free()
"""


@functools.cache
def choose() -> str:
    """Finds an OpenGL that works and puts it into MUJOCO_GL, for this process.

    Where the user has set MUJOCO_GL, only that one is tried; otherwise EGL and then OSMesa.

    Returns:
        The name of MuJoCo's module for it: "egl", "osmesa" or "glfw".

    Raises:
        ValueError: In one sentence, if none works.
    """
    wanted = os.environ.get("MUJOCO_GL", "").lower().strip()
    name = "glfw" if wanted in _WINDOWED else wanted
    if name and name not in (*_AUTOMATIC, "glfw"):
        raise ValueError(f"`MUJOCO_GL` (={wanted}) must be egl, osmesa or glfw, or not be set.")
    for candidate in (name,) if name else _AUTOMATIC:
        if _works(candidate):
            os.environ["MUJOCO_GL"] = candidate
            return candidate
    if name:
        needs = f"Debian's {_PACKAGES[name]}" if name in _PACKAGES else "a display"
        raise ValueError(f"`MUJOCO_GL` (={wanted}) must be what works here; it needs {needs}.")
    raise ValueError(
        "Rendering must have EGL or OSMesa, and neither works here: install Debian's "
        f"{_PACKAGES['egl']}, or {_PACKAGES['osmesa']}."
    )


def _works(name: str) -> bool:
    """Whether a process of its own can draw with it."""
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _TRY.format(name=name)],
            env={**os.environ, "MUJOCO_GL": name},
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0
