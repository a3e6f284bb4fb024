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
    names = [*(film.name for film in stage_films), TOGETHER]
    with contextlib.ExitStack() as opened:
        renderer = opened.enter_context(process.renderer([t.model for t in tasks], side, side))
        renderer.look_at(_states_of_workers(cut))
        *of_stages, of_all = films = [
            opened.enter_context(encode.Film(root / name, pace.seconds_per_shot)) for name in names
        ]
        ahead = opened.enter_context(concurrent.futures.ThreadPoolExecutor(1))
        frames = _tiles(renderer, cut, labels)
        tiled = ahead.submit(next, frames)
        for number in range(pace.num_shots):
            tiles = tiled.result()
            if number + 1 < pace.num_shots:
                # The next frame is drawn while this one is assembled and written.
                tiled = ahead.submit(next, frames)
            titled = [
                with_title(grid(of_stage, _GAP), film.title, film.subtitle, _TITLE_SIZE)
                for of_stage, film in zip(tiles, stage_films, strict=True)
            ]
            for film, frame in zip(of_stages, titled, strict=True):
                film.append(frame)
            of_all.append(side_by_side(titled, _WIDE_GAP))
            tick()
        for film in films:
            film.finish()
            tick()
    return [path.name for film in films for path in film.paths]


def _tiles(
    renderer: BatchRenderer, cut: Sequence[Sequence[Sequence[Shot]]], labels: Sequence[str]
) -> Iterator[list[list[np.ndarray]]]:
    """Yields the tiles of each stage's workers, frame by frame.

    No shot is drawn again that the last frame showed.
    """
    places = [(stage, worker) for stage, of in enumerate(cut) for worker in range(len(of))]
    shown: dict[tuple[int, int], Shot] = {}
    tiles = [[np.empty(0)] * len(of_workers) for of_workers in cut]
    for number in range(len(cut[0][0])):
        shots_now = {place: cut[place[0]][place[1]][number] for place in places}
        new = {place: shot for place, shot in shots_now.items() if shown.get(place) is not shot}
        if new:
            states = np.stack([shot.state for shot in new.values()])
            pictures = renderer.draw([worker for _, worker in new], states)
            for ((stage, worker), shot), picture in zip(new.items(), pictures, strict=True):
                tiles[stage][worker] = with_caption(
                    with_label(picture, labels[worker], _CAPTION_SIZE),
                    f"episode {shot.episode}",
                    f"return {shot.return_so_far:,.1f}",
                    _CAPTION_SIZE,
                    highlighted=shot.is_final,
                )
        shown = shots_now
        yield [list(of_stage) for of_stage in tiles]


def _states_of_workers(cut: Sequence[Sequence[Sequence[Shot]]]) -> list[np.ndarray]:
    """Returns all filmed states of each worker, over all stages."""
    return [
        np.stack([shot.state for of_worker in of_stages for shot in of_worker])
        for of_stages in zip(*cut, strict=True)
    ]
