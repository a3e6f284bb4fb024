"""A process that draws, and renderers in it; `worker` serves the requests made here.

A command starts it once for all its pictures. The process keeps only models and camera positions.
It is the one that has passed the trial, so it is known to draw. If it ends for any reason, only a
`RenderingError` is raised here.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from epg_tf.rendering import opengl
from epg_tf.rendering.opengl import RenderingError

if TYPE_CHECKING:  # callers need not have imported MuJoCo
    import mujoco

_PACKAGE = pathlib.Path(__file__).parents[1]
_TRIAL_PATIENCE = 60.0  # s; a trial takes about one
_END_PATIENCE = 5.0  # s
_LONGEST_QUOTE = 160  # characters


class RenderProcess:
    """A process that draws; close it, or use it in a `with` statement.

    Attributes:
        name: The OpenGL that it draws with: "egl", "osmesa" or "glfw".
    """

    def __init__(self):
        """Starts the process with the first OpenGL that works (`opengl.candidates`).

        Raises:
            NoOpenGLError: If none works, or MUJOCO_GL names no known one.
            RenderingError: If none works, and a signal or a timeout ended a trial.
        """
        self._numbers = itertools.count()
        killed = {}
        for name in opengl.candidates():
            self._start(name)
            with contextlib.ExitStack() as failed:
                failed.callback(self.close)
                if self._has_drawn():
                    failed.pop_all()
                    return
                cause = self._cause_of_death()
                if (self._process.returncode or 0) <= 0:  # a missing library gives exit code 1
                    killed[name] = cause
        raise opengl.none_works(killed)

    def __enter__(self) -> RenderProcess:
        """Returns the process, which runs already."""
        return self

    def __exit__(self, *exception) -> None:
        """Ends the process."""
        self.close()

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """True until the process is closed or found to have ended."""
        return not self._connection.closed

    def close(self) -> None:
        """Ends the process and its renderers; a second call does nothing."""
        if not self.is_open:
            return
        self._connection.close()
        try:
            self._process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def renderer(self, models: Sequence[mujoco.MjModel], width: int, height: int) -> BatchRenderer:
        """Opens a renderer; several may be open at a time.

        Args:
            models: One per worker, of one family.
            width: The width of a picture, in pixels.
            height: The height of a picture, in pixels.

        Raises:
            RenderingError: If the process has ended.
        """
        number = next(self._numbers)
        self.request("open", number, list(models), width, height)
        return BatchRenderer(self, number)

    def request(self, what: str, number: int, *arguments) -> Any:
        """Sends a request about a renderer, and waits until it is done.

        Args:
            what: "open", "close" or a method of `OffscreenRenderer`.
            number: The number of the renderer.
            *arguments: The arguments of the request.

        Returns:
            The result of the method.

        Raises:
            RenderingError: If the process has ended.
        """
        if not self.is_open:
            raise RenderingError("Rendering must have its process, and that has been closed.")
        try:
            self._connection.send((what, number, *arguments))
            return self._connection.recv()
        except (EOFError, ConnectionError):
            cause = self._cause_of_death()
            self.close()
            raise RenderingError(
                f"The process that draws (`MUJOCO_GL`={self.name}) must last until all is drawn, "
                f"and {cause} ended it: try again, or set MUJOCO_GL to another of egl, osmesa and "
                "glfw."
            ) from None
        except BaseException:
            # After an interrupt the next request would get the reply to this one.
            self.close()
            raise

    def _start(self, name: str) -> None:
        self.name = name
        # Collects the process's output, whose last line goes with the cause of death.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                _command(theirs.fileno(), name),
                env=_environment(name),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                start_new_session=True,  # Ctrl-C does not reach it; it ends with the connection
            )
        self._connection = Connection(ours.detach())

    def _has_drawn(self) -> bool:
        """Waits for the trial, and returns True if the process has passed it."""
        with contextlib.suppress(EOFError, ConnectionError):
            if self._connection.poll(_TRIAL_PATIENCE):
                self._connection.recv()
                return True
        return False

    def _cause_of_death(self) -> str:
        """Waits for the process to end, and returns the cause."""
        try:
            code = self._process.wait(_END_PATIENCE)
        except subprocess.TimeoutExpired:
            return "a timeout"
        names = {one.value: one.name for one in signal.Signals}
        cause = f"exit code {code}" if code >= 0 else names.get(-code, f"signal {-code}")
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{cause} ({textwrap.shorten(last, _LONGEST_QUOTE)})" if last else cause


class BatchRenderer:
    """Draws W workers, each with a separate model; close it, or use it in a `with` statement.

    `RenderProcess.renderer` opens it. Its methods raise `RenderingError` if the process has ended.
    `close` raises nothing once the process is known to have ended.
    """

    def __init__(self, process: RenderProcess, number: int):
        self._process, self._number, self._is_open = process, number, True

    def __enter__(self) -> BatchRenderer:
        """Returns the renderer, which is open already."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the renderer."""
        self.close()

    def close(self) -> None:
        """Frees its memory in the process; it cannot draw any more."""
        if self._is_open and self._process.is_open:
            self._process.request("close", self._number)
        self._is_open = False

    def look_at(self, states: Sequence[np.ndarray]) -> None:
        """Places the camera so that every picture shows all that moves in the states.

        Args:
            states: Full physics states (`BatchSimulator.state`) of each worker, `[T, ...]`; T may
                differ.
        """
        self._process.request("look_at", self._number, list(states))

    def draw(self, workers: Sequence[int], states: np.ndarray) -> np.ndarray:
        """Draws n workers from the camera position of `look_at`.

        Args:
            workers: The workers' indices, `[n]`; an index may repeat.
            states: A full physics state for each, `[n, ...]`. Without `look_at`, the camera looks
                at the first.

        Returns:
            The pictures, `[n, height, width, 3]` uint8.
        """
        return self._process.request("draw", self._number, workers, states)


def _command(socket: int, name: str) -> list[str]:
    """Returns the command line of the process; a fork instead would inherit TensorFlow."""
    return [sys.executable, "-m", "epg_tf.rendering.worker", str(socket), name]


def _environment(name: str) -> dict[str, str]:
    """Returns this process's environment with the OpenGL and the path to this `epg_tf`."""
    path = os.pathsep.join(filter(None, (str(_PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "MUJOCO_GL": name, "PYTHONPATH": path}
