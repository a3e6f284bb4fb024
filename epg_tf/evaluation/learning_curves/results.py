"""Results of an evaluation: the runs of each method, and the files made of all of them."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.learning_curves.plot import plot_learning_curves
from epg_tf.evaluation.learning_curves.summary import labels, summarise, table
from epg_tf.evaluation.learning_curves.training import Runs
from epg_tf.evaluation.results_folder import Results, as_code, rows_of
from epg_tf.files import write_npz
from epg_tf.statistics import Bootstrap


def known_runs(root: pathlib.Path, methods: Iterable[str]) -> dict[str, Runs]:
    """Returns the runs of the methods that are complete in a folder."""
    runs = {}
    for method in methods:
        path = _path_of(root, method)
        if path.is_file():
            with np.load(path) as file:
                runs[method] = Runs(file["curves"], file["diverged"])
    return runs


def keep_runs(root: pathlib.Path, method: str, runs: Runs) -> None:
    """Writes a method's runs, so that a repeated command trains only the missing methods."""
    path = _path_of(root, method)
    path.parent.mkdir(exist_ok=True)
    write_npz(path, runs._asdict())


def results_of(comparison: Comparison, runs: Mapping[str, Runs], command: Sequence[str]) -> Results:
    """Returns the results of the runs of all methods.

    Args:
        comparison: The settings of the comparison.
        runs: The runs by method.
        command: The command line, for the record.
    """
    curves = {method: runs[method].curves for method in comparison.methods}
    steps_per_update = comparison.inner_loop.steps_per_update
    env_steps = steps_per_update * np.arange(1, comparison.num_updates + 1)
    bootstrap = Bootstrap.draw(comparison.num_tasks, comparison.num_seeds)
    estimates = {method: bootstrap.estimate_curve(of) for method, of in curves.items()}
    summary = summarise(comparison, runs, bootstrap, command)
    rows = rows_of(
        curves,
        comparison.task_seeds,
        range(comparison.num_seeds),
        range(1, comparison.num_updates + 1),
    )
    picture = plot_learning_curves(
        f"Held-out {type(comparison.loss.settings.family).__name__}",
        env_steps,
        curves,
        estimates,
        labels(comparison),
        _task_names(comparison),
        comparison.converged,
    )
    final = {
        method: {
            name: (env_steps[-1:], [value])
            for name, value in summary[method].items()
            if value is not None
        }
        for method in curves
    }
    return Results(
        summary,
        comparison.loss.config_text,
        arrays={
            "curves": {
                **curves,
                "task_seeds": comparison.task_seeds,
                "steps_per_update": steps_per_update,
            }
        },
        tables={
            "curves": (
                ("method", "task_seed", "seed", "update", "env_steps", "return"),
                ((*where, k, k * steps_per_update, value) for *where, k, value in rows),
            )
        },
        pictures={"curves": picture},
        curves={
            method: final[method]
            | {f"return_{n}": (env_steps, of) for n, of in estimate._asdict().items()}
            for method, estimate in estimates.items()
        },
        notes={"table": as_code(table(summary)), "config": as_code(comparison.loss.config_text)},
        tag_prefix="evaluation",
        last_step=env_steps[-1],
    )


def _path_of(root: pathlib.Path, method: str) -> pathlib.Path:
    return root / "curves" / f"{method}.npz"


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
