"""Result files of an evaluation: pictures, tables, arrays and TensorBoard events."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.learning_curves.curves import COLUMNS, curve_rows
from epg_tf.evaluation.learning_curves.plot import plot_learning_curves
from epg_tf.evaluation.learning_curves.summary import labels, summarise, table
from epg_tf.evaluation.learning_curves.training import Runs
from epg_tf.files import CONFIG_FILE, write_csv, write_json, write_npz, write_text
from epg_tf.statistics import Bootstrap, Estimate


class EvaluationResults:
    """The files of one evaluation.

    Each method's runs are written as soon as they are complete, so that a repeated command trains
    only the missing methods. `summary.json` is written last and marks a finished evaluation.
    """

    def __init__(self, root: pathlib.Path, comparison: Comparison):
        """Writes nothing.

        Args:
            root: The folder.
            comparison: The settings of the comparison.
        """
        self._root = root
        self._comparison = comparison

    @property
    def finished(self) -> bool:
        """True once all files are written."""
        return (self._root / "summary.json").is_file()

    def summary(self) -> dict[str, Any]:
        """Returns the content of `summary.json`."""
        return json.loads((self._root / "summary.json").read_text())

    def known(self) -> dict[str, Runs]:
        """Returns the runs of the methods that are complete."""
        runs = {}
        for method in self._comparison.methods:
            if self._path_of(method).is_file():
                with np.load(self._path_of(method)) as file:
                    runs[method] = Runs(file["curves"], file["diverged"])
        return runs

    def keep(self, method: str, runs: Runs) -> None:
        """Writes a method's runs."""
        self._path_of(method).parent.mkdir(exist_ok=True)
        write_npz(self._path_of(method), runs._asdict())

    def write(self, runs: Mapping[str, Runs], command: Sequence[str]) -> None:
        """Writes all other files, `summary.json` last.

        Args:
            runs: The runs of all methods.
            command: The command line, for the record.
        """
        comparison, root = self._comparison, self._root
        curves = {method: runs[method].curves for method in comparison.methods}
        steps_per_update = comparison.inner_loop.steps_per_update
        bootstrap = Bootstrap.draw(comparison.num_tasks, comparison.num_seeds)
        summary = summarise(comparison, runs, bootstrap, command)
        estimates = {method: bootstrap.estimate_curve(of) for method, of in curves.items()}
        env_steps = steps_per_update * np.arange(1, comparison.num_updates + 1)

        write_text(root / CONFIG_FILE, comparison.loss.config_text)
        write_npz(
            root / "curves.npz",
            curves | {"task_seeds": comparison.task_seeds, "steps_per_update": steps_per_update},
        )
        write_csv(
            root / "curves.csv",
            COLUMNS,
            curve_rows(curves, comparison.task_seeds, steps_per_update),
        )
        title = f"Held-out {type(comparison.loss.settings.family).__name__}"
        plot_learning_curves(
            root / "curves.png",
            title,
            env_steps,
            curves,
            estimates,
            labels(comparison),
            _task_names(comparison),
            comparison.converged,
        )
        self._write_events(summary, estimates, env_steps)
        write_json(root / "summary.json", summary)

    def _write_events(
        self, summary: Mapping[str, Any], estimates: Mapping[str, Estimate], env_steps: np.ndarray
    ) -> None:
        """Writes TensorBoard events, one run per method, so that it overlays their curves."""
        events = self._root / "events"
        shutil.rmtree(events, ignore_errors=True)  # events of an interrupted write
        for method, estimate in estimates.items():
            writer = tf.summary.create_file_writer(str(events / method))
            with writer.as_default(step=0):
                for step, values in zip(env_steps, zip(*estimate, strict=True), strict=True):
                    for name, value in zip(estimate._fields, values, strict=True):
                        if np.isfinite(value):
                            tf.summary.scalar(f"evaluation/return_{name}", value, step=step)
                for name, value in summary[method].items():
                    if value is not None:
                        tf.summary.scalar(f"evaluation/{name}", value, step=env_steps[-1])
            writer.close()
        writer = tf.summary.create_file_writer(str(events))
        with writer.as_default(step=env_steps[-1]):
            picture = tf.io.decode_png((self._root / "curves.png").read_bytes(), channels=3)
            tf.summary.image("evaluation/curves", picture[tf.newaxis])
            # TensorBoard renders Markdown, in which four leading spaces mark code.
            for name, text in (
                ("table", table(summary)),
                ("config", self._comparison.loss.config_text),
            ):
                tf.summary.text(
                    f"evaluation/{name}", "\n".join("    " + line for line in text.splitlines())
                )
        writer.close()

    def _path_of(self, method: str) -> pathlib.Path:
        return self._root / "curves" / f"{method}.npz"


def _task_names(comparison: Comparison) -> list[str]:
    """Returns names of single tasks: the number, and the direction if it varies (Fig. 7)."""
    family = comparison.loss.settings.family
    tasks = [family.sample(seed) for seed in comparison.task_seeds]
    names = [f"task {number}" for number in range(1, len(tasks) + 1)]
    directions = [task.parameters.get("direction", 0.0) for task in tasks]
    if set(directions) != {-1.0, 1.0}:
        return names
    return [
        f"{name} ({'forward' if direction > 0 else 'backward'})"
        for name, direction in zip(names, directions, strict=True)
    ]
