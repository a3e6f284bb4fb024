"""Results of `render`: films, bodies (Fig. 3) and exploration (Fig. 8)."""

from __future__ import annotations

import math
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
from epg_tf.evaluation.films.plan import FilmPlan
from epg_tf.evaluation.films.plot_bodies import plot_bodies
from epg_tf.evaluation.films.plot_exploration import plot_exploration
from epg_tf.evaluation.methods import labels_of
from epg_tf.evaluation.plot_style import Figure
from epg_tf.evaluation.results_folder import Results, ResultsFolder
from epg_tf.inner_loop.lifetime import Update, Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rendering.process import RenderProcess
from epg_tf.rendering.travel import travelling_coordinate
from epg_tf.seeds import Stream, held_out_seed
from epg_tf.tasks.simulator import BatchSimulator
from epg_tf.text import aligned, number

_NUM_BODIES = 12
_BODY_SIDE = 320  # pixels


class FilmWriter:
    """The writer of a plan's films and pictures.

    Attributes:
        num_ticks: The number of times that `write` calls `tick`.
        travels: True if the robot can leave its place, so that there is exploration to show.
    """

    def __init__(self, plan: FilmPlan):
        """Samples the tasks, and writes nothing."""
        self._plan = plan
        self._tasks = plan.tasks
        self._directions = [rewarded_direction(task) for task in self._tasks]
        self._coordinate = travelling_coordinate(self._tasks[0].model)
        self.travels = self._coordinate is not None
        num_lifetimes = 2 if self.travels else 1
        num_updates = plan.loss.inner_loop.num_updates
        num_films = len(stage_names(num_updates)) + 1
        self.num_ticks = num_lifetimes * num_updates + plan.pace.num_shots + num_films

    def write(
        self,
        folder: ResultsFolder,
        process: RenderProcess,
        tick: Callable[[str], object],
        command: Sequence[str],
    ) -> dict[str, Any]:
        """Trains the agents, and writes all files.

        Args:
            folder: The folder, which exists.
            process: The process that draws.
            tick: Called after each update, frame and film, with the name of the work in progress.
            command: The command line, for the record.

        Returns:
            The content of `summary.json`.

        Raises:
            RenderingError: If the process that draws has ended.
        """
        loss = self._plan.loss
        arrays, pictures = {}, {"bodies": self._draw_bodies(process)}
        stages, travel = self._learn(loss.inner_loop, loss.guidance, lambda: tick("learning"))
        if travel is not None:
            _, of_ppo = self._learn(loss.inner_loop.with_ppo, 1.0, lambda: tick("PPO"))
            assert of_ppo is not None
            travels = {"evolved": travel, "ppo": of_ppo}
            arrays["exploration"], pictures["exploration"] = self._explore(travels)
        pace, plan = self._plan.pace, self._plan
        num_steps = pace.num_shots * pace.steps_per_shot
        played = [play(plan.family, plan.seeds, stage, num_steps) for stage in stages]
        files = [
            *(f"{name}.png" for name in pictures),
            *(f"{name}.npz" for name in arrays),
            *write_films(
                process,
                folder.path,
                list(map(self._stage_film, stages, played)),
                self._tasks,
                self._labels,
                pace,
                lambda: tick("filming"),
            ),
        ]
        summary = {
            "command": list(command),
            "family": type(plan.family).__name__,
            "reward": loss.reward_words,
            "num_updates": loss.inner_loop.num_updates,
            "task_seeds": [seed.task_seed for seed in plan.seeds],
            "stages": {
                stage.name: {
                    "num_updates": stage.num_updates,
                    "env_steps": stage.num_updates * loss.inner_loop.steps_per_update,
                    "returns": [_finite(returns_of(episodes)) for episodes in of_workers],
                }
                for stage, of_workers in zip(stages, played, strict=True)
            },
            "files": files,
        }
        folder.write(Results(summary, loss.config_text, arrays, pictures=pictures))
        return summary

    def _learn(
        self, settings: InnerLoop, guidance: float, tick: Callable[[], object]
    ) -> tuple[list[Stage], Travel | None]:
        """Runs the agents' lifetimes; records the travel of robots that can leave their place."""
        plan, recorder = self._plan, None
        if self._coordinate is not None:
            recorder = TravelRecorder(self._coordinate)

        def on_update(update: Update) -> None:
            if recorder is not None:
                recorder.watch_update(update)
            tick()

        workers = Workers(settings, plan.family, plan.num_tasks)
        stages = live_and_keep_stages(
            workers, settings, plan.loss.phi, plan.seeds, guidance, on_update
        )
        return stages, recorder and recorder.travel()

    def _stage_film(self, stage: Stage, episodes: Sequence[Sequence[Episode]]) -> StageFilm:
        loss = self._plan.loss
        words = loss.reward_words.replace("α", "alpha")  # the font has Latin letters only
        subtitle = (
            f"update {stage.num_updates:,} of {loss.inner_loop.num_updates:,}, "
            f"{stage.num_updates * loss.inner_loop.steps_per_update:,} steps, {words}"
        )
        return StageFilm(stage.name, f"{stage.name} learning", subtitle, episodes)

    @property
    def _labels(self) -> list[str]:
        return [
            f"task {number}"
            + (f": {WORDS[direction]} is rewarded" if direction and self.travels else "")
            for number, direction in enumerate(self._directions, start=1)
        ]

    def _draw_bodies(self, process: RenderProcess) -> Figure:
        family, seed = self._plan.family, self._plan.loss.settings.seed
        seeds = [held_out_seed(seed, task, 0) for task in range(_NUM_BODIES)]
        tasks = [family.sample(seed.task_seed) for seed in seeds]
        resets = [seed.generator(Stream.FRESH_EPISODES) for seed in seeds]
        states = BatchSimulator(family, tasks, resets).state
        models = [task.model for task in tasks]
        with process.renderer(models, _BODY_SIDE, _BODY_SIDE) as renderer:
            renderer.look_at(list(states[:, np.newaxis]))
            pictures = list(renderer.draw(range(len(models)), states))
        title = f"Held-out tasks of {type(family).__name__}"
        return plot_bodies(title, pictures, [task.parameters for task in tasks])

    def _explore(self, travels: Mapping[str, Travel]) -> tuple[dict[str, np.ndarray], Figure]:
        """Returns the arrays and the picture of the agents' exploration."""
        plan = self._plan
        directions = np.array([direction or np.nan for direction in self._directions])
        progress = directions[:, np.newaxis] * np.cumsum(travels["evolved"].moved, axis=1)
        committed_after = turning_points(progress)
        about = {
            "direction": directions,
            "committed_after": committed_after,
            "task_seeds": np.array([seed.task_seed for seed in plan.seeds]),
        }
        arrays = {
            f"{method}_{name}": values.astype(np.float32) if values.dtype == float else values
            for method, travel in travels.items()
            for name, values in travel._asdict().items()
        }
        picture = plot_exploration(
            f"Held-out {type(plan.family).__name__}",
            travels,
            labels_of(travels, plan.loss.reward_words, plan.loss.made),
            list(directions),
            list(committed_after),
        )
        return about | arrays, picture


def _finite(values: Sequence[float]) -> list[float | None]:
    """Replaces numbers that are not finite by None, since JSON has no NaN."""
    return [value if math.isfinite(value) else None for value in values]


def table(summary: Mapping[str, Any]) -> str:
    """Returns a table of the filmed episodes' returns, for the terminal."""
    num_tasks = len(summary["task_seeds"])
    rows = [["", "update", *(f"task {number + 1}" for number in range(num_tasks)), "mean"]]
    for name, stage in summary["stages"].items():
        means = [float(np.mean(np.array(returns, float))) for returns in stage["returns"]]
        numbers = [number(value) for value in [*means, float(np.mean(means))]]
        rows.append([f"{name} learning", f"{stage['num_updates']:,}", *numbers])
    about = f"Mean return of the episodes filmed, {summary['family']}, {summary['reward']}:"
    return "\n".join([about, *aligned(rows)])
