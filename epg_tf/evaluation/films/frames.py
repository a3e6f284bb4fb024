"""Films of agents at the stages of their learning: one per stage, and one of all stages.

This module joins the agents' states (`episodes`), the drawing (`rendering.process`) and the
encoding as MP4 and GIF (`encode`).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.evaluation.films import encode
from epg_tf.evaluation.films.episodes import Episode, Pace, Shot, shots
from epg_tf.evaluation.films.pictures import (
    grid,
    side_by_side,
    with_caption,
    with_label,
    with_title,
)
from epg_tf.rendering.process import BatchRenderer, RenderProcess
from epg_tf.tasks.family import Task

TOGETHER = "learning"  # the film of all stages

_SIDES = {1: 400, 4: 240, 9: 200}  # a tile's side in pixels, by the largest number of tasks
_TITLE_SIZE, _CAPTION_SIZE = 20, 13
_GAP, _WIDE_GAP = 4, 16


class StageFilm(NamedTuple):
    """The content of a film of one stage.

    Attributes:
        name: The name of the files.
        title: The text above the pictures.
        subtitle: The text below the title.
        episodes: The episodes of each worker.
    """

    name: str
    title: str
    subtitle: str
    episodes: Sequence[Sequence[Episode]]


def write_films(
    process: RenderProcess,
    root: pathlib.Path,
    stage_films: Sequence[StageFilm],
    tasks: Sequence[Task],
    labels: Sequence[str],
    pace: Pace,
    tick: Callable[[], object],
) -> list[str]:
    """Draws and writes the films.

    Args:
        process: The process that draws.
        root: The folder.
        stage_films: One per stage; the film of all stages shows them side by side.
        tasks: One per worker.
        labels: The labels of the tasks.
        pace: The timing of the films.
        tick: Called after each of `pace.num_shots` frames, and after each film.

    Returns:
        The names of the files.

    Raises:
        RenderingError: If the process that draws has ended.
    """
    cut = [[shots(episodes, pace) for episodes in film.episodes] for film in stage_films]
    side = next(side for most, side in _SIDES.items() if len(tasks) <= most)
    with contextlib.ExitStack() as opened:
        renderer = process.renderer([task.model for task in tasks], side, side)
        opened.enter_context(renderer)
        renderer.look_at(_states_of_workers(cut))
        artist = _Artist(renderer, cut, labels)
        names = [*(film.name for film in stage_films), TOGETHER]
        *of_stages, of_all = films = [
            opened.enter_context(encode.Film(root / name, pace.seconds_per_shot)) for name in names
        ]
        ahead = opened.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        drawn = ahead.submit(artist.draw, 0)
        for number in range(pace.num_shots):
            pictures = drawn.result()
            if number + 1 < pace.num_shots:
                # The next frame is drawn while this one is assembled and written.
                drawn = ahead.submit(artist.draw, number + 1)
            frames = []
            for stage_film, film, tiles in zip(
                stage_films, of_stages, artist.tiles(number, pictures), strict=True
            ):
                frames.append(
                    with_title(
                        grid(tiles, _GAP),
                        stage_film.title,
                        stage_film.subtitle,
                        _TITLE_SIZE,
                    )
                )
                film.append(frames[-1])
            of_all.append(side_by_side(frames, _WIDE_GAP))
            tick()
        for film in films:
            film.finish()
            tick()
    return [path.name for film in films for path in film.paths]


class _Artist:
    """Draws the workers of all stages, but draws no shot again that the last frame showed."""

    def __init__(
        self,
        renderer: BatchRenderer,
        cut: Sequence[Sequence[Sequence[Shot]]],
        labels: Sequence[str],
    ):
        self._renderer = renderer
        self._cut = cut
        self._labels = labels
        self._tiles = [[np.empty(0)] * len(of_workers) for of_workers in cut]

    def draw(self, number: int) -> np.ndarray:
        """Draws the pictures that are new in a frame, `[n, side, side, 3]`."""
        new = list(self._new(number))
        if not new:
            return np.empty(0)
        states = np.stack([shot.state for _, _, shot in new])
        return self._renderer.draw([worker for _, worker, _ in new], states)

    def tiles(self, number: int, pictures: np.ndarray) -> list[list[np.ndarray]]:
        """Returns the tiles of each stage's workers in a frame, given its new pictures."""
        for (stage, worker, shot), picture in zip(self._new(number), pictures, strict=True):
            self._tiles[stage][worker] = with_caption(
                with_label(picture, self._labels[worker], _CAPTION_SIZE),
                f"episode {shot.episode}",
                f"return {shot.return_so_far:,.1f}",
                _CAPTION_SIZE,
                highlighted=shot.is_final,
            )
        return self._tiles

    def _new(self, number: int) -> Iterator[tuple[int, int, Shot]]:
        """Yields stage, worker and shot where a frame differs from the previous one."""
        for stage, of_workers in enumerate(self._cut):
            for worker, of_worker in enumerate(of_workers):
                if not number or of_worker[number] is not of_worker[number - 1]:
                    yield stage, worker, of_worker[number]


def _states_of_workers(cut: Sequence[Sequence[Sequence[Shot]]]) -> list[np.ndarray]:
    """Returns all filmed states of each worker, over all stages."""
    return [
        np.stack([shot.state for of_worker in of_stages for shot in of_worker])
        for of_stages in zip(*cut, strict=True)
    ]
