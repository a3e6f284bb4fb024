"""Eight files of agents at the stages of their learning: films of each stage, and of all of them.

Between the agents' states (`film`), the drawing of them (`tasks.rendering`) and the making of MP4s
and GIFs (`videos`).
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.evaluation import videos
from epg_tf.evaluation.film import Episode, Pace, Shot, shots
from epg_tf.tasks.family import Task
from epg_tf.tasks.rendering import BatchRenderer

TOGETHER = "learning"  # the film of all stages

_SIDES = {1: 400, 4: 240, 9: 200}  # pixels of a tile's side, up to so many tasks
_TITLE_SIZE, _CAPTION_SIZE = 20, 13
_GAP, _WIDE_GAP = 4, 16


class StageFilm(NamedTuple):
    """What a film of one stage is made of.

    Attributes:
        name: Of the files.
        title: Above the pictures.
        subtitle: Below the title.
        episodes: Of each worker.
    """

    name: str
    title: str
    subtitle: str
    episodes: Sequence[Sequence[Episode]]


def write_films(
    root: pathlib.Path,
    stage_films: Sequence[StageFilm],
    tasks: Sequence[Task],
    labels: Sequence[str],
    pace: Pace,
    tick: Callable[[], object],
) -> list[str]:
    """Draws and writes the films.

    Args:
        root: The folder.
        stage_films: One per stage, side by side in the film of all.
        tasks: One per worker.
        labels: What the tasks are called.
        pace: How the films are cut.
        tick: Called after each of `pace.num_shots` frames, and after each film.

    Returns:
        The names of the files.
    """
    cut = [[shots(episodes, pace) for episodes in film.episodes] for film in stage_films]
    side = next(side for most, side in _SIDES.items() if len(tasks) <= most)
    with contextlib.ExitStack() as opened:
        renderer = opened.enter_context(BatchRenderer(tasks, side, side))
        renderer.look_at(_states_of_workers(cut))
        artists = [
            [_Artist(renderer, worker, label) for worker, label in enumerate(labels)]
            for _ in stage_films
        ]
        names = [*(film.name for film in stage_films), TOGETHER]
        *of_stages, of_all = films = [
            opened.enter_context(videos.Film(root / name, pace.seconds_per_shot)) for name in names
        ]
        for number in range(pace.num_shots):
            frames = []
            for stage_film, of_workers, film, drawing in zip(
                stage_films, cut, of_stages, artists, strict=True
            ):
                tiles = [
                    artist.draw(of_worker[number])
                    for artist, of_worker in zip(drawing, of_workers, strict=True)
                ]
                frames.append(
                    videos.with_title(
                        videos.grid(tiles, _GAP),
                        stage_film.title,
                        stage_film.subtitle,
                        _TITLE_SIZE,
                    )
                )
                film.append(frames[-1])
            of_all.append(videos.side_by_side(frames, _WIDE_GAP))
            tick()
        for film in films:
            film.finish()
            tick()
    return [path.name for film in films for path in film.paths]


class _Artist:
    """Draws one worker of one stage; what it has just drawn it does not draw again."""

    def __init__(self, renderer: BatchRenderer, worker: int, label: str):
        self._renderer = renderer
        self._worker = worker
        self._label = label
        self._last: tuple[Shot | None, np.ndarray] = None, np.empty(0)

    def draw(self, shot: Shot) -> np.ndarray:
        if shot is not self._last[0]:
            picture = self._renderer.draw(self._worker, shot.state)
            labelled = videos.with_label(picture, self._label, _CAPTION_SIZE)
            captioned = videos.with_caption(
                labelled,
                f"episode {shot.episode}",
                f"return {shot.return_so_far:,.1f}",
                _CAPTION_SIZE,
                highlighted=shot.is_final,
            )
            self._last = shot, captioned
        return self._last[1]


def _states_of_workers(cut: Sequence[Sequence[Sequence[Shot]]]) -> list[np.ndarray]:
    """All states of each worker that are filmed, over all stages."""
    return [
        np.stack([shot.state for of_worker in of_stages for shot in of_worker])
        for of_stages in zip(*cut, strict=True)
    ]
