"""A process that draws, and renderers in it: what is asked here is done in `worker`.

It is started once for all that a command draws, and keeps nothing but models and the camera's
place. That it can draw is found by its having drawn: the process that passed the trial is the one
that is used. Its end, whatever the cause, is a `RenderingError` here and no more.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epg_tf.rendering.opengl import RenderingError
from epg_tf.rendering.worker_process import first_that_draws

if TYPE_CHECKING:  # the package works where MuJoCo has not been imported
    import mujoco


class RenderProcess:
    """A process that draws; to be closed, or used in a `with` statement.

    Attributes:
        name: Of the OpenGL that it draws with: "egl", "osmesa" or "glfw".
        pid: Its number.
    """

    def __init__(self):
        """Starts it, with the first OpenGL that works (`opengl.candidates`).

        Raises:
            NoOpenGLError: If none is there that works.
            RenderingError: If one should work, but a trial of it was ended by a signal.
        """
        self._numbers = itertools.count()
        self._worker = first_that_draws()
        self.name, self.pid = self._worker.name, self._worker.process.pid

    def __enter__(self) -> RenderProcess:
        """Starts nothing more: the process runs since it was made."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Ends the process, and with it its renderers."""
        self._worker.close()

    @property
    def is_open(self) -> bool:
        """Whether it has neither been closed nor been found to have ended."""
        return not self._worker.connection.closed

    def renderer(self, models: Sequence[mujoco.MjModel], width: int, height: int) -> BatchRenderer:
        """Opens a renderer; there may be several at a time.

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
        """Asks for something that concerns a renderer, and waits until it is done.

        Args:
            what: "open", "look_at", "draw" or "close".
            renderer: The renderer.
            *arguments: What `worker` needs to know.

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
            # Interrupted between a request and its reply: nobody could tell replies apart.
            self.close()
            raise

    def drawn(self, shape: tuple[int, ...]) -> np.ndarray:
        """A copy of what was last drawn, of that shape, uint8."""
        return self._worker.frames.view(shape).copy()


class BatchRenderer:
    """Draws W workers, each with its own model; to be closed, or used in a `with` statement.

    It is opened by `RenderProcess.renderer`. Its methods raise `RenderingError` if the process has
    ended; to close it is all right even where that is known already.

    Attributes:
        number: By which the process knows it.
        width: The width of a picture, in pixels.
        height: The height of a picture, in pixels.
    """

    def __init__(self, process: RenderProcess, number: int, width: int, height: int):
        self._process = process
        self._is_open = True
        self.number, self.width, self.height = number, width, height

    def __enter__(self) -> BatchRenderer:
        """Starts nothing more: the renderer is open since it was made."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Lets go of what it takes in the process; it draws no more."""
        if self._is_open and self._process.is_open:
            self._process.request("close", self)
        self._is_open = False

    def look_at(self, states: Sequence[np.ndarray]) -> None:
        """Places the camera so that all that moves in the states is in every picture.

        Args:
            states: Full physics states (`BatchSimulator.state`) of each worker, `[T, ...]`; T may
                differ.
        """
        self._process.request("look_at", self, list(states))

    def draw(self, workers: Sequence[int], states: np.ndarray) -> np.ndarray:
        """Draws n workers, as seen from where `look_at` put the camera.

        Args:
            workers: Their indices, `[n]`; one may come several times.
            states: Full physics states of each, `[n, ...]`. Where the camera has no place yet, it
                looks at the first.

        Returns:
            The pictures, `[n, height, width, 3]` uint8.
        """
        assert len(workers) == len(states)
        self._process.request("draw", self, workers, states)
        return self._process.drawn((len(workers), self.height, self.width, 3))
