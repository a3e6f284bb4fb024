"""Pictures of W workers' states, drawn by MuJoCo in the calling process; see `process`.

All workers share one camera, so that their sizes compare. It shows everything that moves in the
given states, and follows a robot that travels. It looks from the side, or from above at a robot
that is flat.
"""

import contextlib
import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mujoco
import numpy as np

from epg_tf.rendering.travel import travelling_body

FULL_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS.value
_EVERYTHING = mujoco.mjtCatBit.mjCAT_ALL.value
_OFF_SCREEN = mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value

_LARGEST_SCENE = 2000  # geoms
_MARGIN = 1.1  # half the picture over half the scene
_FLAT = 0.2  # height over width, below which a robot is seen from above
_AHEAD = 90.0  # degrees: x points to the right
_FROM_THE_SIDE, _FROM_ABOVE = -12.0, -90.0  # degrees of elevation
# Gymnasium's lights suit a window on a dark desktop; pictures need brighter ones.
_AMBIENT, _DIFFUSE = 0.35, 0.55


class View(NamedTuple):
    """The position of the camera.

    Attributes:
        centre: The point it looks at, in metres, `[3]`; relative to the robot if that travels.
        distance: The distance from that point, in metres.
        elevation: The elevation in degrees; negative looks from above.
    """

    centre: np.ndarray
    distance: float
    elevation: float


class OffscreenRenderer:
    """Draws W workers, each with a separate model; close it after use."""

    def __init__(
        self,
        make_context: Callable[[int, int], Any],
        models: Sequence[mujoco.MjModel],
        width: int,
        height: int,
    ):
        """Opens a drawing context.

        Args:
            make_context: MuJoCo's `GLContext` for an OpenGL, called with width and height.
            models: One per worker, of one family.
            width: The width of a picture, in pixels.
            height: The height of a picture, in pixels.
        """
        self._width, self._height = width, height
        self._models = [_for_drawing(model, width, height) for model in models]
        self._data = [mujoco.MjData(model) for model in self._models]
        self._traveller = travelling_body(self._models[0])
        self._options = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self._camera.azimuth = _AHEAD
        self._view: View | None = None
        self._open = contextlib.ExitStack()
        with contextlib.ExitStack() as opened:
            self._context = make_context(width, height)
            # Free MuJoCo's contexts before OpenGL's, and that before the interpreter exits.
            # Otherwise there are errors on the terminal.
            opened.callback(self._context.free)
            self._context.make_current()
            self._scenes = [mujoco.MjvScene(model, _LARGEST_SCENE) for model in self._models]
            self._drawers = []
            for model, scene in zip(self._models, self._scenes, strict=True):
                # Reflections and shadows take most of the time of software rendering.
                scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION.value] = 0
                scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW.value] = 0
                drawer = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
                opened.callback(drawer.free)
                self._drawers.append(drawer)
            self._open = opened.pop_all()

    def close(self) -> None:
        """Frees the drawing contexts; the renderer cannot draw any more."""
        self._context.make_current()
        self._open.close()

    def look_at(self, states: Sequence[np.ndarray]) -> None:
        """Places the camera so that every picture shows all that moves in the states.

        Args:
            states: Full physics states (`BatchSimulator.state`) of each worker, `[T, ...]`; T may
                differ.
        """
        lowest, highest = np.full(3, np.inf), np.full(3, -np.inf)
        for worker, of_worker in enumerate(states):
            for state in of_worker:
                self._pose(worker, state)
                low, high = _extent(self._models[worker], self._data[worker])
                place = self._place_of_traveller(worker)
                lowest, highest = np.minimum(lowest, low - place), np.maximum(highest, high - place)
        half = np.maximum((highest - lowest) / 2, 1e-3)
        is_flat = half[2] < _FLAT * max(half[0], half[1])
        across, up, deep = (half[0], half[1], half[2]) if is_flat else (half[0], half[2], half[1])
        half_angle = math.radians(self._models[0].vis.global_.fovy) / 2
        largest = max(up, across * self._height / self._width)
        self._view = View(
            centre=(lowest + highest) / 2,
            distance=float(_MARGIN * largest / math.tan(half_angle) + deep),
            elevation=_FROM_ABOVE if is_flat else _FROM_THE_SIDE,
        )

    def draw(self, workers: Sequence[int], states: np.ndarray) -> np.ndarray:
        """Draws n workers from the camera position of `look_at`.

        Args:
            workers: The workers' indices, `[n]`.
            states: A full physics state for each, `[n, ...]`; without `look_at`, the camera looks
                at the first.

        Returns:
            The pictures, `[n, height, width, 3]` uint8.
        """
        if self._view is None:
            self.look_at([states[:0]] * workers[0] + [states[:1]])
        pictures = np.empty((len(workers), self._height, self._width, 3), np.uint8)
        for picture, worker, state in zip(pictures, workers, states, strict=True):
            self._draw(picture, worker, state)
        return pictures[:, ::-1]  # OpenGL's first row is the lowest

    def _draw(self, picture: np.ndarray, worker: int, state: np.ndarray) -> None:
        assert self._view is not None
        self._pose(worker, state)
        self._camera.lookat[:] = self._view.centre + self._place_of_traveller(worker)
        self._camera.distance, self._camera.elevation = self._view.distance, self._view.elevation
        scene, drawer = self._scenes[worker], self._drawers[worker]
        mujoco.mjv_updateScene(
            self._models[worker],
            self._data[worker],
            self._options,
            None,
            self._camera,
            _EVERYTHING,
            scene,
        )
        frame = mujoco.MjrRect(0, 0, self._width, self._height)
        self._context.make_current()
        mujoco.mjr_setBuffer(_OFF_SCREEN, drawer)  # in every call: each worker has a drawer
        mujoco.mjr_render(frame, scene, drawer)
        mujoco.mjr_readPixels(picture, None, frame, drawer)

    def _pose(self, worker: int, state: np.ndarray) -> None:
        model, data = self._models[worker], self._data[worker]
        mujoco.mj_setState(model, data, state, FULL_PHYSICS)
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_camlight(model, data)

    def _place_of_traveller(self, worker: int) -> np.ndarray:
        """Returns the travelling robot's place on the floor, `[3]`; zeros for one that stays."""
        if self._traveller is None:
            return np.zeros(3)
        return self._data[worker].xpos[self._traveller] * (1.0, 1.0, 0.0)


def _for_drawing(model: mujoco.MjModel, width: int, height: int) -> mujoco.MjModel:
    """Returns a copy of a model with the picture's size, no shadows and brighter lights."""
    model = copy.copy(model)
    model.vis.global_.offwidth, model.vis.global_.offheight = width, height
    model.vis.quality.shadowsize = 0  # shadows are off
    model.vis.headlight.ambient[:] = _AMBIENT
    model.vis.headlight.diffuse[:] = _DIFFUSE
    return model


def _extent(model: mujoco.MjModel, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lowest and highest corner of a box around all geoms that can move, in metres."""
    moving = model.body_weldid[model.geom_bodyid] != 0
    if not moving.any():
        moving[:] = True
    boxes = model.geom_aabb[moving]
    turns = data.geom_xmat[moving].reshape(-1, 3, 3)
    centres = data.geom_xpos[moving] + np.einsum("gij,gj->gi", turns, boxes[:, :3])
    halves = np.einsum("gij,gj->gi", np.abs(turns), boxes[:, 3:])
    return (centres - halves).min(axis=0), (centres + halves).max(axis=0)
