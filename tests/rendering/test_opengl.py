"""Which OpenGL is tried, and what is said where none works."""

import os
import subprocess
import sys

import pytest

from epg_tf.rendering import opengl
from epg_tf.rendering.opengl import NoOpenGLError


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    """As a user's shell is; `withhold` was called when the tests began."""
    for name in ("MUJOCO_GL", "EPG_MUJOCO_GL"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("wanted", "tried"),
    [
        (None, ("egl", "osmesa")),
        ("", ("egl", "osmesa")),
        ("osmesa", ("osmesa",)),
        ("EGL", ("egl",)),
        ("on", ("glfw",)),
    ],
)
@pytest.mark.parametrize("is_withheld", [False, True])
def test_both_are_tried_unless_the_user_chose(wanted, tried, is_withheld, monkeypatch):
    if wanted is not None:
        monkeypatch.setenv("MUJOCO_GL", wanted)
    if is_withheld:
        opengl.withhold()
        opengl.withhold()
        assert "MUJOCO_GL" not in os.environ
    assert opengl.candidates() == tried


def test_what_is_no_opengl_is_refused(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "off")
    with pytest.raises(NoOpenGLError) as error:
        opengl.candidates()
    assert str(error.value) == "`MUJOCO_GL` (=off) must be egl, osmesa or glfw, or not be set."


@pytest.mark.parametrize(
    ("wanted", "killed", "says"),
    [
        (
            "",
            {},
            "Rendering must have EGL or OSMesa, and neither works here: install Debian's libegl1 "
            "and libgl1-mesa-dri, or libosmesa6.",
        ),
        (
            "osmesa",
            {},
            "`MUJOCO_GL` (=osmesa) must be what works here; it needs Debian's libosmesa6.",
        ),
        ("glfw", {}, "`MUJOCO_GL` (=glfw) must be what works here; it needs a display."),
        (
            "glfw",
            {"glfw": "SIGSEGV"},
            "`MUJOCO_GL` (=glfw) must be what works here; it needs a display; glfw was ended by "
            "SIGSEGV.",
        ),
    ],
)
def test_what_to_install_is_said_where_none_works(wanted, killed, says, monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", wanted)
    error = opengl.none_works(killed)
    assert str(error) == says
    assert isinstance(error, NoOpenGLError) == (not killed)


def test_commands_load_no_opengl_whatever_the_user_chose():
    program = "import epg_tf.command_line, mujoco, sys; sys.exit('mujoco.egl' in sys.modules)"
    environment = {**os.environ, "MUJOCO_GL": "egl"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
