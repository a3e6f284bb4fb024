"""The process that draws: what is in it, several renderers, and every end that it may come to."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import mujoco
import numpy as np
import pytest

from epg_tf.rendering import process
from epg_tf.rendering.opengl import NoOpenGLError
from epg_tf.rendering.process import RenderingError, RenderProcess

SIDE = 48
LLVM = "LLVM ERROR: 64-bit code requested on a subtarget that doesn't support it!"


def ball(radius):
    """A model whose state is its clock."""
    return mujoco.MjModel.from_xml_string(
        f'<mujoco><worldbody><geom size="{radius}" rgba="1 0 0 1"/></worldbody></mujoco>'
    )


def draw(renderer):
    return renderer.draw([0], np.zeros((1, 1)))[0]


def run_instead(monkeypatch, program):
    """Starts a program of Python where the process that draws should be."""
    monkeypatch.setattr(process, "_command", lambda *_: [sys.executable, "-c", program])


def test_renderers_do_not_disturb_each_other(render_process):
    with render_process.renderer([ball(0.1)], SIDE, SIDE) as alone:
        expected = draw(alone)
    with (
        render_process.renderer([ball(0.1)], SIDE, SIDE) as one,
        render_process.renderer([ball(0.1), ball(0.2)], 2 * SIDE, SIDE) as other,
        RenderProcess() as another,
    ):
        np.testing.assert_array_equal(draw(one), expected)
        assert other.draw([1, 0], np.zeros((2, 1))).shape == (2, SIDE, 2 * SIDE, 3)
        np.testing.assert_array_equal(draw(one), expected)
        with another.renderer([ball(0.1)], SIDE, SIDE) as same:
            np.testing.assert_array_equal(draw(same), expected)
        one.close()
        one.close()
        assert draw(other).shape == (SIDE, 2 * SIDE, 3)


def test_it_has_neither_tensorflow_nor_horovod(render_process, tmp_path, monkeypatch):
    assert "tensorflow" in sys.modules  # here, that is
    known = tmp_path / "modules"
    program = f"""
import runpy, sys
runpy.run_module("epg_tf.rendering.worker", run_name="__main__", alter_sys=True)
open({str(known)!r}, "w").write(" ".join(sys.modules))
"""
    command = process._command

    def started_by_the_program(*arguments):
        executable, _, _, *rest = command(*arguments)
        return [executable, "-c", program, *rest]

    monkeypatch.setattr(process, "_command", started_by_the_program)
    with RenderProcess() as drawing, drawing.renderer([ball(0.1)], SIDE, SIDE) as renderer:
        assert draw(renderer).std() > 1
    modules = known.read_text().split()
    assert "mujoco" in modules
    assert not {"tensorflow", "horovod"} & {name.split(".")[0] for name in modules}


def test_it_draws_for_a_process_that_has_imported_horovod_and_leaves_it_in_silence(render_process):
    program = """
import epg_tf.command_line
import horovod.tensorflow
import mujoco
import numpy as np
from epg_tf.rendering.process import RenderProcess
model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><geom size="1"/></worldbody></mujoco>')
with RenderProcess() as process, process.renderer([model], 32, 32) as renderer:
    assert renderer.draw([0], np.zeros((1, 1))).std() > 1
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# How it ends.


@pytest.mark.parametrize("by", [signal.SIGABRT, signal.SIGKILL])
def test_its_death_is_a_sentence(by, render_process):
    with RenderProcess() as drawing, drawing.renderer([ball(0.1)], SIDE, SIDE) as renderer:
        draw(renderer)
        os.kill(drawing.pid, by)
        with pytest.raises(RenderingError) as error:
            draw(renderer)
        assert str(error.value) == (
            f"The process that draws (`MUJOCO_GL`={drawing.name}) must last until all is drawn, "
            f"and {by.name} ended it: try again, or set MUJOCO_GL to another of egl, osmesa and "
            "glfw."
        )
        with pytest.raises(RenderingError, match="has been closed"):
            draw(renderer)


def test_what_it_said_last_stands_beside_its_death(render_process):
    says = r"and exit code 1 \(IndexError: .*\) ended it"
    with RenderProcess() as drawing, pytest.raises(RenderingError, match=says):
        drawing.renderer([ball(0.1)], SIDE, SIDE).draw([1], np.zeros((1, 1)))


def test_a_trial_that_aborts_ends_nothing_but_itself(monkeypatch):
    program = f"import os; os.write(2, {LLVM.encode()!r}); os.abort()"
    run_instead(monkeypatch, program)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(RenderingError) as error:
        RenderProcess()
    assert str(error.value) == (
        "`MUJOCO_GL` (=egl) must be what works here; it needs Debian's libegl1 and "
        f"libgl1-mesa-dri; egl was ended by SIGABRT ({LLVM})."
    )


def test_a_trial_without_end_is_given_up(monkeypatch):
    run_instead(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(process, "_TRIAL_PATIENCE", 0.1)
    monkeypatch.setattr(process, "_END_PATIENCE", 0.1)
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(RenderingError, match=r"egl was ended by a timeout\.$"):
        RenderProcess()


def test_a_trial_says_no_where_a_library_is_missing(monkeypatch):
    monkeypatch.setenv("PYOPENGL_PLATFORM", "glx")  # the others refuse to load beside it
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(NoOpenGLError, match=r"it needs Debian's libegl1 and libgl1-mesa-dri\.$"):
        RenderProcess()


def test_the_second_is_taken_where_the_first_does_not_work(render_process, monkeypatch):
    command, tried = process._command, []

    def only_the_second_works(socket, name):
        tried.append(name)
        failing = [sys.executable, "-c", "raise SystemExit(1)"]
        return failing if name == "first" else command(socket, name)

    monkeypatch.setattr(process, "_command", only_the_second_works)
    monkeypatch.setattr(process.opengl, "candidates", lambda: ("first", render_process.name))
    with RenderProcess() as drawing:
        assert tried == ["first", drawing.name]


def has_ended(pid):
    """Whether a process is gone, or waits for nothing but its parent's attention."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_does_not_outlive_who_asks(by, render_process):
    # A shell starts what runs in its background deaf to SIGINT; here it is to hear.
    program = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from epg_tf import command_line
from epg_tf.rendering.process import RenderProcess
def main(argv):
    with RenderProcess() as process:
        print(process.pid, flush=True)
        time.sleep(600)
command_line.run(main)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as asking:
        assert asking.stdout is not None
        pid = int(asking.stdout.readline())
        os.killpg(asking.pid, by)  # as a terminal does
        try:
            _, said = asking.communicate(timeout=60)
        finally:
            asking.kill()
    assert (asking.returncode, said) == (-by, "")
    while not has_ended(pid):
        time.sleep(0.01)
