"""The process that draws, the other end of `process.RenderProcess`.

    python -m epg_tf.rendering.worker SOCKET egl

SOCKET is a file descriptor. Requests and pictures go through it. The process ends when the socket
is closed, even if the other process crashed. Nothing here may import TensorFlow or Horovod (see
`epg_tf.rendering`).
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import mujoco
import numpy as np

from epg_tf.rendering.offscreen import FULL_PHYSICS, OffscreenRenderer

_TRIAL = """
<mujoco>
  <asset>
    <texture name="grid" type="2d" builtin="checker" rgb1="0 0 1" rgb2="1 1 0"
             width="8" height="8"/>
    <material name="grid" texture="grid"/>
  </asset>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="1 1 1" material="grid"/>
    <body pos="0 0 0.2"><freejoint/><geom size="0.2"/></body>
  </worldbody>
</mujoco>
"""


def main(socket: int, name: str) -> None:
    """Draws a trial, reports success, and serves requests.

    Args:
        socket: The file descriptor of a socket that is connected to the requesting process.
        name: The name of MuJoCo's module for an OpenGL.
    """
    make_context = importlib.import_module(f"mujoco.{name}").GLContext
    _draw_a_trial(make_context)
    # The requesting process may end at any time, even between a request and its reply.
    with Connection(socket) as asked, contextlib.suppress(EOFError, ConnectionError):
        asked.send(None)
        _serve(asked, make_context)


def _draw_a_trial(make_context: Callable[[int, int], Any]) -> None:
    model = mujoco.MjModel.from_xml_string(_TRIAL)
    state = np.empty((1, mujoco.mj_stateSize(model, FULL_PHYSICS)))
    mujoco.mj_getState(model, mujoco.MjData(model), state[0], FULL_PHYSICS)
    with contextlib.closing(OffscreenRenderer(make_context, [model], 64, 64)) as renderer:
        picture = renderer.draw([0], state)
    if picture.min() == picture.max():
        raise RuntimeError("The trial's picture is empty.")


def _serve(asked: Connection, make_context: Callable[[int, int], Any]) -> None:
    """Serves requests for numbered renderers until the connection is closed."""
    renderers: dict[int, OffscreenRenderer] = {}
    try:
        while True:
            request, number, *arguments = asked.recv()
            reply = None
            if request == "open":
                renderers[number] = OffscreenRenderer(make_context, *arguments)
            elif request == "close":
                renderers.pop(number).close()
            else:
                reply = getattr(renderers[number], request)(*arguments)
            asked.send(reply)
    finally:
        for renderer in renderers.values():
            renderer.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
