"""Several runs beside one another: what differs in their settings, and what came of it."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evaluation.report_table import Table, count, interval, shown
from epg_tf.evaluation.run_records import RunRecords, read_run
from epg_tf.evaluation.statistics import Bootstrap, Estimate
from epg_tf.run_files import CONFIG_FILE

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
    """The runs right below a folder, by name; none where it is itself a run."""
    if (root / CONFIG_FILE).exists():
        return []
    return sorted(config.parent for config in root.glob(f"*/{CONFIG_FILE}"))


def read_runs(folders: Sequence[pathlib.Path]) -> dict[str, RunRecords]:
    """Reads the runs in some folders, which may still go on.

    Returns:
        By name.

    Raises:
        ValueError: In one sentence, if one of them has no whole epoch, or is damaged.
    """
    return {folder.name: read_run(folder) for folder in folders}


def table_of_runs(runs: Mapping[str, RunRecords]) -> Table:
    """A row per run."""
    differing = dict(_differences({name: run.config for name, run in runs.items()}))
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
                shown(np.nansum(run.metrics["seconds"]) / 3600.0, 2),
                shown(last["return_median"]),
                "–" if estimate is None else interval(*estimate),
            )
        )
    caption = (
        "Final returns are those of fresh agents, without reward, one on each held-out task, as "
        "the run ended: interquartile means with 95 % bootstrap intervals."
    )
    return Table(caption, _HEAD, rows)


def held_out_estimate(run: RunRecords) -> Estimate | None:
    """What the comparison at a run's end says of its last loss; None without one."""
    if run.held_out is None or run.held_out["epoch"] != run.num_epochs:
        return None
    returns = np.asarray(run.held_out["last"], dtype=float)[:, np.newaxis]
    return Bootstrap.draw(len(returns), 1).estimate(returns)


def _differences(
    configs: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each run the settings in which it is not like most (or, of equally many, the first)."""
    names = sorted({name for config in configs.values() for name in config})
    usual = {
        name: collections.Counter(repr(config.get(name)) for config in configs.values())
        for name in names
    }
    for run, config in configs.items():
        yield (
            run,
            {
                name: config.get(name, "absent")
                for name in names
                if repr(config.get(name)) != usual[name].most_common(1)[0][0]
            },
        )
