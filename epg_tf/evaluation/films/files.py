"""Result files of `render`: films, bodies (Fig. 3) and exploration (Fig. 8)."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evaluation.films.episodes import (
    Episode,
    Stage,
    live_and_keep_stages,
    play,
    returns_of,
    stage_names,
)
from epg_tf.evaluation.films.exploration import (
    WORDS,
    Travel,
    TravelRecorder,
    rewarded_direction,
    turning_points,
)
from epg_tf.evaluation.films.frames import StageFilm, write_films
from epg_tf.evaluation.films.plot_bodies import plot_bodies
from epg_tf.evaluation.films.plot_exploration import plot_exploration
from epg_tf.evaluation.films.showcase import FilmPlan
from epg_tf.evaluation.methods import labels_of
from epg_tf.files import CONFIG_FILE, write_json, write_npz, write_text
from epg_tf.inner_loop.lifetime import Update, Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rendering.process import RenderProcess
from epg_tf.rendering.travel import travelling_coordinate
from epg_tf.seeds import Stream, held_out_seed
from epg_tf.tasks.simulator import BatchSimulator
from epg_tf.text import aligned, number

_NUM_BODIES = 12
_BODY_SIDE = 320  # pixels

Tick = Callable[[str], object]


class Show:
    """The files of one showcase.

    Attributes:
        num_ticks: The number of times that `write` calls `tick`.
        travels: True if the robot can leave its place, so that there is exploration to show.
    """

    def __init__(self, showcase: FilmPlan, root: pathlib.Path):
        """Samples the tasks, and writes nothing.

        Args:
            showcase: The settings of the films.
            root: The folder.
        """
        self._showcase = showcase
        self._root = root
        self._tasks = showcase.tasks
        self._directions = [rewarded_direction(task) for task in self._tasks]
        self._coordinate = travelling_coordinate(self._tasks[0].model)
        self.travels = self._coordinate is not None
        num_lifetimes = 2 if self.travels else 1
        num_updates = showcase.loss.inner_loop.num_updates
        num_films = len(stage_names(num_updates)) + 1
        self.num_ticks = num_lifetimes * num_updates + showcase.pace.num_shots + num_films

    def write(self, process: RenderProcess, tick: Tick, command: Sequence[str]) -> dict[str, Any]:
        """Trains the agents, and writes all files.

        Args:
            process: The process that draws.
            tick: Called after each update, frame and film, with the name of the work in progress.
            command: The command line, for the record.

        Returns:
            The content of `summary.json`.

        Raises:
            RenderingError: If the process that draws has ended.
        """
        showcase, files = self._showcase, ["bodies.png"]
        self._write_bodies(process)
        stages, travel = self._learn(
            showcase.loss.inner_loop, showcase.loss.guidance, lambda: tick("learning")
        )
        if travel is not None:
            _, of_ppo = self._learn(showcase.loss.inner_loop.with_ppo, 1.0, lambda: tick("PPO"))
            assert of_ppo is not None
            files += self._write_exploration({"evolved": travel, "ppo": of_ppo})
        played = self._play(stages)
        files += self._write_films(process, stages, played, lambda: tick("filming"))
        write_text(self._root / CONFIG_FILE, showcase.loss.config_text)
        summary = self._summary(stages, played, files, command)
        write_json(self._root / "summary.json", summary)
        return summary

    def _learn(
        self, settings: InnerLoop, guidance: float, tick: Callable[[], object]
    ) -> tuple[list[Stage], Travel | None]:
        """Runs the agents' lifetimes; records the travel of robots that can leave their place."""
        showcase, recorder = self._showcase, None
        if self._coordinate is not None:
            recorder = TravelRecorder(self._coordinate)

        def on_update(update: Update) -> None:
            if recorder is not None:
                recorder.watch_update(update)
            tick()

        workers = Workers(settings, showcase.family, showcase.num_tasks)
        stages = live_and_keep_stages(
            workers, settings, showcase.loss.phi, showcase.seeds, guidance, on_update
        )
        return stages, recorder and recorder.travel()

    def _play(self, stages: Sequence[Stage]) -> list[list[list[Episode]]]:
        """Returns the episodes of each stage and worker."""
        showcase, pace = self._showcase, self._showcase.pace
        num_steps = pace.num_shots * pace.steps_per_shot
        return [play(showcase.family, showcase.seeds, stage, num_steps) for stage in stages]

    def _write_films(
        self,
        process: RenderProcess,
        stages: Sequence[Stage],
        played: Sequence[Sequence[Sequence[Episode]]],
        tick: Callable[[], object],
    ) -> list[str]:
        showcase, settings = self._showcase, self._showcase.loss.inner_loop
        words = showcase.loss.reward_words.replace("α", "alpha")  # the font has Latin letters only
        films = [
            StageFilm(
                stage.name,
                f"{stage.name} learning",
                f"update {stage.num_updates:,} of {settings.num_updates:,}, "
                f"{stage.num_updates * settings.steps_per_update:,} steps, {words}",
                episodes,
            )
            for stage, episodes in zip(stages, played, strict=True)
        ]
        labels = [
            f"task {number}"
            + (f": {WORDS[direction]} is rewarded" if direction and self.travels else "")
            for number, direction in enumerate(self._directions, start=1)
        ]
        return write_films(process, self._root, films, self._tasks, labels, showcase.pace, tick)

    def _write_bodies(self, process: RenderProcess) -> None:
        family, seed = self._showcase.family, self._showcase.loss.settings.seed
        seeds = [held_out_seed(seed, task, 0) for task in range(_NUM_BODIES)]
        tasks = [family.sample(seed.task_seed) for seed in seeds]
        resets = [seed.generator(Stream.FRESH_EPISODES) for seed in seeds]
        states = BatchSimulator(family, tasks, resets).state
        models = [task.model for task in tasks]
        with process.renderer(models, _BODY_SIDE, _BODY_SIDE) as renderer:
            renderer.look_at(list(states[:, np.newaxis]))
            pictures = list(renderer.draw(range(len(models)), states))
        plot_bodies(
            self._root / "bodies.png",
            f"Held-out tasks of {type(family).__name__}",
            pictures,
            [task.parameters for task in tasks],
        )

    def _write_exploration(self, travels: Mapping[str, Travel]) -> list[str]:
        showcase = self._showcase
        evolved = travels["evolved"]
        directions = np.array([direction or np.nan for direction in self._directions])
        progress = directions[:, np.newaxis] * np.cumsum(evolved.moved, axis=1)
        committed_after = turning_points(progress)
        arrays = {
            f"{method}_{name}": values.astype(np.float32) if values.dtype == float else values
            for method, travel in travels.items()
            for name, values in travel._asdict().items()
        }
        write_npz(
            self._root / "exploration.npz",
            {
                "direction": directions,
                "committed_after": committed_after,
                "task_seeds": np.array([seed.task_seed for seed in showcase.seeds]),
                **arrays,
            },
        )
        labels = labels_of(travels, showcase.loss.reward_words, showcase.loss.made)
        plot_exploration(
            self._root / "exploration.png",
            f"Held-out {type(showcase.family).__name__}",
            travels,
            labels,
            list(directions),
            list(committed_after),
        )
        return ["exploration.png", "exploration.npz"]

    def _summary(
        self,
        stages: Sequence[Stage],
        played: Sequence[Sequence[Sequence[Episode]]],
        files: Sequence[str],
        command: Sequence[str],
    ) -> dict[str, Any]:
        showcase = self._showcase
        return {
            "command": list(command),
            "family": type(showcase.family).__name__,
            "reward": showcase.loss.reward_words,
            "num_updates": showcase.loss.inner_loop.num_updates,
            "task_seeds": [seed.task_seed for seed in showcase.seeds],
            "stages": {
                stage.name: {
                    "num_updates": stage.num_updates,
                    "env_steps": stage.num_updates * showcase.loss.inner_loop.steps_per_update,
                    "returns": [_finite(returns_of(episodes)) for episodes in of_workers],
                }
                for stage, of_workers in zip(stages, played, strict=True)
            },
            "files": list(files),
        }


def _finite(values: Sequence[float]) -> list[float | None]:
    """Replaces numbers that are not finite by None, since JSON has no NaN."""
    return [value if math.isfinite(value) else None for value in values]


def table(summary: Mapping[str, Any]) -> str:
    """Returns a table of the filmed episodes' returns, for the terminal."""
    stages = summary["stages"]
    num_tasks = len(summary["task_seeds"])
    heads = ["", "update", *(f"task {number + 1}" for number in range(num_tasks)), "mean"]
    rows = [heads]
    for name, stage in stages.items():
        means = [float(np.mean(np.array(returns, float))) for returns in stage["returns"]]
        numbers = [number(value) for value in [*means, float(np.mean(means))]]
        rows.append([f"{name} learning", f"{stage['num_updates']:,}", *numbers])
    about = f"Mean return of the episodes filmed, {summary['family']}, {summary['reward']}:"
    return "\n".join([about, *aligned(rows)])
