"""A comparison of several runs: the differences in their settings, and their results."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evaluation.plot_style import Figure
from epg_tf.evaluation.report.plot_runs import plot_runs
from epg_tf.evaluation.report.run_report import RunReport
from epg_tf.files import CONFIG_FILE, METRICS_FILE
from epg_tf.statistics import Estimate
from epg_tf.text import Table, count, interval, number

_SEED = "meta_train.seed"
_HEAD = (
    "run",
    "differs from most in",
    "epochs",
    "environment steps",
    "hours",
    "median return, last epoch",
    "final return on held-out tasks",
)


def run_folders(root: pathlib.Path) -> list[pathlib.Path]:
    """Returns the runs directly below a folder, sorted by name; none if it is itself a run."""
    if (root / METRICS_FILE).exists():
        return []
    return sorted(
        metrics.parent
        for metrics in root.glob(f"*/{METRICS_FILE}")
        if (metrics.parent / CONFIG_FILE).exists()
    )


def read_runs(folders: Sequence[pathlib.Path]) -> tuple[dict[str, RunReport], list[str]]:
    """Reads the runs in some folders, which may be in progress.

    Args:
        folders: One or more folders.

    Returns:
        The runs by name, and a sentence on each run that is left out because it is damaged or has
        no complete epoch.

    Raises:
        ValueError: If none can be read, or they are of several families; in one sentence.
    """
    runs, left_out = {}, []
    for folder in folders:
        try:
            runs[folder.name] = RunReport.read(folder)
        except ValueError as error:
            left_out.append(str(error).replace("--root_dir", folder.name))
    if not runs:
        raise ValueError(left_out[0])
    families = {run.family for run in runs.values()}
    if len(families) > 1:
        raise ValueError(
            f"`--root_dir` (={folders[0].parent}) must hold runs of one family of tasks, not of "
            f"{' and '.join(sorted(families))}, whose returns do not compare."
        )
    return runs, left_out


def table_of_runs(runs: Mapping[str, RunReport]) -> Table:
    """Returns a table with a row per run."""
    differing = _differences({name: run.records.config for name, run in runs.items()})
    rows = []
    for name, run in runs.items():
        records, final = run.records, run.final_return
        last = {metric: values[-1] for metric, values in records.metrics.items()}
        rows.append(
            (
                name,
                ", ".join(f"`{k}` = {v}" for k, v in differing[name].items()) or "–",
                count(records.num_epochs),
                count(last["env_steps"]),
                number(records.hours, 2),
                number(last["return_median"]),
                "–" if final is None else interval(*final),
            )
        )
    caption = (
        "Final returns are those of fresh agents that learned from the last loss alone on held-out "
        "tasks: interquartile means with 95 % bootstrap intervals."
    )
    if all(set(differs) <= {_SEED} for differs in differing.values()):
        caption += _over_seeds([run.final_return for run in runs.values()])
    return Table(caption, _HEAD, rows)


def draw_runs(runs: Mapping[str, RunReport]) -> Figure:
    """Draws the returns of several runs, over training and on held-out tasks."""
    metrics = {name: run.records.metrics for name, run in runs.items()}
    curves = {name: (of["env_steps"], of["return_median"]) for name, of in metrics.items()}
    family = next(iter(runs.values())).family
    finals = {name: run.final_return for name, run in runs.items()}
    return plot_runs(f"{family}, run by run", curves, finals)


def _over_seeds(estimates: Sequence[Estimate | None]) -> str:
    """Returns a sentence about runs that differ in their seed alone."""
    found = [estimate.iqm for estimate in estimates if estimate is not None]
    if len(found) < 2:
        return ""
    median = float(np.median(found))
    reached = sum(value >= median - 0.1 * abs(median) for value in found)
    return (
        f" Over {len(found)} seeds the median is {number(median)} and the range "
        f"{number(min(found))} to {number(max(found))}; {reached} of {len(found)} reach 90 % of "
        "the median."
    )


def _differences(configs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns each run's settings that differ from the commonest value (in a tie, the first)."""
    names = sorted({name for config in configs.values() for name in config})
    usual = {
        name: collections.Counter(repr(config.get(name)) for config in configs.values())
        for name in names
    }
    return {
        run: {
            name: config.get(name, "absent")
            for name in names
            if repr(config.get(name)) != usual[name].most_common(1)[0][0]
        }
        for run, config in configs.items()
    }
