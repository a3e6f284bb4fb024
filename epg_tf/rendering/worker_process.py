"""The process that draws, seen from the requesting process: its start, trial and end."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from multiprocessing.connection import Connection

from epg_tf.rendering import opengl
from epg_tf.rendering.shared_frames import SharedFrames

_PACKAGE = pathlib.Path(__file__).parents[1]
_TRIAL_PATIENCE = 60.0  # s; a trial takes about one
_END_PATIENCE = 5.0  # s
_LONGEST_QUOTE = 160  # characters


class WorkerProcess:
    """A process that runs `worker`, the connection to it, and the memory shared with it."""

    def __init__(self, name: str):
        self.name = name
        # Collects the process's output, whose last line goes with the cause of death.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self._memory = os.memfd_create("frames")
        self.frames = SharedFrames(self._memory)
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                _command(theirs.fileno(), self._memory, name),
                env=_environment(name),
                pass_fds=[theirs.fileno(), self._memory],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                start_new_session=True,  # Ctrl-C does not reach it; it ends with the connection
            )
        self.connection = Connection(ours.detach())

    def has_drawn(self) -> bool:
        """Waits for the trial, and returns True if the process has passed it."""
        try:
            if self.connection.poll(_TRIAL_PATIENCE):
                self.connection.recv()
                return True
        except (EOFError, ConnectionError):
            pass
        return False

    def cause_of_death(self) -> str:
        """Waits for the process to end, and returns the cause."""
        try:
            code = self.process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            return "a timeout"
        names = {one.value: one.name for one in signal.Signals}
        cause = f"exit code {code}" if code >= 0 else names.get(-code, f"signal {-code}")
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{cause} ({textwrap.shorten(last, _LONGEST_QUOTE)})" if last else cause

    def close(self) -> None:
        """Ends the process; a second call does nothing."""
        if self.connection.closed:
            return
        self.connection.close()
        try:
            self.process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._said.close()
        os.close(self._memory)


def first_that_draws() -> WorkerProcess:
    """Tries the OpenGLs in order, and returns the first process that has passed its trial."""
    killed = {}
    for name in opengl.candidates():
        worker = WorkerProcess(name)
        with contextlib.ExitStack() as failed:
            failed.callback(worker.close)
            if worker.has_drawn():
                failed.pop_all()
                return worker
            cause = worker.cause_of_death()
            if (worker.process.returncode or 0) <= 0:  # a missing library gives exit code 1
                killed[name] = cause
    raise opengl.none_works(killed)


def _command(socket: int, frames: int, name: str) -> list[str]:
    """Returns the command line of the process; a fork instead would inherit TensorFlow."""
    return [sys.executable, "-m", "epg_tf.rendering.worker", str(socket), str(frames), name]


def _environment(name: str) -> dict[str, str]:
    """Returns this process's environment with the OpenGL and the path to this `epg_tf`."""
    path = os.pathsep.join(filter(None, (str(_PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "MUJOCO_GL": name, "PYTHONPATH": path}
