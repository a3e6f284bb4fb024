"""A comparison of several runs: the differences in their settings, and their results."""

from __future__ import annotations

import collections
import contextlib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evolved_loss.scores import read_scores
from epg_tf.files import CONFIG_FILE, METRICS_FILE
from epg_tf.run.records import RunRecords, family_of, read_run
from epg_tf.statistics import Bootstrap, Estimate
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


def read_runs(folders: Sequence[pathlib.Path]) -> tuple[dict[str, RunRecords], list[str]]:
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
            runs[folder.name] = read_run(folder)
        except ValueError as error:
            left_out.append(str(error).replace("--root_dir", folder.name))
    if not runs:
        raise ValueError(left_out[0])
    families = {family_of(run) for run in runs.values()}
    if len(families) > 1:
        raise ValueError(
            f"`--root_dir` (={folders[0].parent}) must hold runs of one family of tasks, not of "
            f"{' and '.join(sorted(families))}, whose returns do not compare."
        )
    return runs, left_out


def table_of_runs(runs: Mapping[str, RunRecords]) -> Table:
    """Returns a table with a row per run."""
    differing = _differences({name: run.config for name, run in runs.items()})
    rows = []
    for name, run in runs.items():
        estimate = held_out_estimate(run)
        last = {metric: values[-1] for metric, values in run.metrics.items()}
        rows.append(
            (
                name,
                ", ".join(f"`{k}` = {v}" for k, v in differing[name].items()) or "–",
                count(run.num_epochs),
                count(last["env_steps"]),
                number(run.hours, 2),
                number(last["return_median"]),
                "–" if estimate is None else interval(*estimate),
            )
        )
    caption = (
        "Final returns are those of fresh agents that learned from the last loss alone on held-out "
        "tasks: interquartile means with 95 % bootstrap intervals."
    )
    if all(set(differs) <= {_SEED} for differs in differing.values()):
        caption += _over_seeds([held_out_estimate(run) for run in runs.values()])
    return Table(caption, _HEAD, rows)


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


def held_out_estimate(run: RunRecords) -> Estimate | None:
    """Returns the final return of agents with a run's loss on held-out tasks.

    It comes from the run's `evaluation`, else from the comparison at its end; None without either.
    """
    for crc32 in run.losses():
        with contextlib.suppress(ValueError, KeyError):
            evolved = read_scores(run.root / "evaluation", crc32)["methods"]["evolved"]
            return Estimate(*(evolved[f"final_{name}"] for name in Estimate._fields))
    if run.held_out is None or run.held_out["epoch"] != run.num_epochs:
        return None
    returns = np.asarray(run.held_out["last"], dtype=float)[:, np.newaxis]
    return Bootstrap.draw(len(returns), 1).estimate(returns)


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
