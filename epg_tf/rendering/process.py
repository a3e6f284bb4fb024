"""A process that draws, and renderers in it; `worker` serves the requests made here.

A command starts it once for all its pictures. The process keeps only models and camera positions.
It is the one that has passed the trial, so it is known to draw. If it ends for any reason, only a
`RenderingError` is raised here.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epg_tf.rendering.opengl import RenderingError
from epg_tf.rendering.worker_process import first_that_draws

if TYPE_CHECKING:  # callers need not have imported MuJoCo
    import mujoco


class RenderProcess:
    """A process that draws; close it, or use it in a `with` statement.

    Attributes:
        name: The OpenGL that it draws with: "egl", "osmesa" or "glfw".
        pid: The process ID.
    """

    def __init__(self):
        """Starts the process with the first OpenGL that works (`opengl.candidates`).

        Raises:
            NoOpenGLError: If none works, or MUJOCO_GL names no known one.
            RenderingError: If none works, and a signal or a timeout ended a trial.
        """
        self._numbers = itertools.count()
        self._worker = first_that_draws()
        self.name, self.pid = self._worker.name, self._worker.process.pid

    def __enter__(self) -> RenderProcess:
        """Returns the process, which runs already."""
        return self

    def __exit__(self, *exception) -> None:
        """Ends the process."""
        self.close()

    def close(self) -> None:
        """Ends the process and its renderers."""
        self._worker.close()

    @property
    def is_open(self) -> bool:
        """True until the process is closed or found to have ended."""
        return not self._worker.connection.closed

    def renderer(self, models: Sequence[mujoco.MjModel], width: int, height: int) -> BatchRenderer:
        """Opens a renderer; several may be open at a time.

        Args:
            models: One per worker, of one family.
            width: The width of a picture, in pixels.
            height: The height of a picture, in pixels.

        Raises:
            RenderingError: If the process has ended.
        """
        renderer = BatchRenderer(self, next(self._numbers), width, height)
        self.request("open", renderer, list(models), width, height)
        return renderer

    def request(self, what: str, renderer: BatchRenderer, *arguments) -> None:
        """Sends a request about a renderer, and waits until it is done.

        Args:
            what: "open", "look_at", "draw" or "close".
            renderer: The renderer.
            *arguments: The arguments of the request; see `worker`.

        Raises:
            RenderingError: If the process has ended.
        """
        worker = self._worker
        if not self.is_open:
            raise RenderingError("Rendering must have its process, and that has been closed.")
        try:
            worker.connection.send((what, renderer.number, *arguments))
            worker.connection.recv()
        except (EOFError, ConnectionError):
            cause = worker.cause_of_death()
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

    def drawn(self, shape: tuple[int, ...]) -> np.ndarray:
        """Returns a copy of the last pictures drawn, as uint8 of this shape."""
        return self._worker.frames.view(shape).copy()


class BatchRenderer:
    """Draws W workers, each with a separate model; close it, or use it in a `with` statement.

    `RenderProcess.renderer` opens it. Its methods raise `RenderingError` if the process has ended.
    `close` raises nothing once the process is known to have ended.

    Attributes:
        number: The number by which the process knows the renderer.
        width: The width of a picture, in pixels.
        height: The height of a picture, in pixels.
    """

    def __init__(self, process: RenderProcess, number: int, width: int, height: int):
        self._process = process
        self._is_open = True
        self.number, self.width, self.height = number, width, height

    def __enter__(self) -> BatchRenderer:
        """Returns the renderer, which is open already."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the renderer."""
        self.close()

    def close(self) -> None:
        """Frees its memory in the process; it cannot draw any more."""
        if self._is_open and self._process.is_open:
            self._process.request("close", self)
        self._is_open = False

    def look_at(self, states: Sequence[np.ndarray]) -> None:
        """Places the camera so that every picture shows all that moves in the states.

        Args:
            states: Full physics states (`BatchSimulator.state`) of each worker, `[T, ...]`; T may
                differ.
        """
        self._process.request("look_at", self, list(states))

    def draw(self, workers: Sequence[int], states: np.ndarray) -> np.ndarray:
        """Draws n workers from the camera position of `look_at`.

        Args:
            workers: The workers' indices, `[n]`; an index may repeat.
            states: A full physics state for each, `[n, ...]`. Without `look_at`, the camera looks
                at the first.

        Returns:
            The pictures, `[n, height, width, 3]` uint8.
        """
        assert len(workers) == len(states)
        self._process.request("draw", self, workers, states)
        return self._process.drawn((len(workers), self.height, self.width, 3))
