"""The parts of a report that other commands make, and the commands that make missing parts.

Each command fills one folder inside the run's. It writes the file that completes the folder last.
The files are read as data, since they may be half written or of another version.
"""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from epg_tf.evaluation.methods import METHODS, not_finite
from epg_tf.evolved_loss.scores import score_table
from epg_tf.files import read_json
from epg_tf.run.records import RunRecords
from epg_tf.text import Table, count, interval, number

COMPLETE, BEGUN, ABSENT, UNREADABLE = "complete", "begun", "absent", "unreadable"

_FEW_DIGITS = 2  # for numbers that are not known more precisely
_STAGES = ("before", "during", "after")


class Part(NamedTuple):
    """The results of one command on a run, or their absence.

    Attributes:
        name: The name of its folder inside the run's.
        state: `COMPLETE`, `BEGUN`, `ABSENT` or `UNREADABLE`.
        line: The command line that makes it.
        folder: The path of its folder.
        of: The loss that it is about, in words; empty if unknown.
        record: The object in the file that completes the folder.
        sentences: Sentences about the whole part; none unless it is complete.
        tables: Tables by name; none unless it is complete.
    """

    name: str
    state: str
    line: str
    folder: pathlib.Path
    of: str
    record: Mapping[str, Any]
    sentences: list[str]
    tables: dict[str, Table]


def read_part(records: RunRecords, name: str) -> Part:
    """Reads a part of a run's report; `name` is that of its folder inside the run's."""
    module, complete_with, read = _PARTS[name]
    folder = records.root / name
    # An exported loss has no settings file: its checksum is in its record.
    settings = read_json(folder / f"{module}.json") or {}
    record = read_json(folder / complete_with)
    state, content = ABSENT, ([], {})
    if record is not None:
        state = COMPLETE
        try:
            content = read(record)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            state = UNREADABLE
    elif (folder / complete_with).exists():
        state = UNREADABLE
    elif settings:
        state = BEGUN
    crc32 = settings.get("crc32 of phi", (record or {}).get("phi_crc32"))
    known = {None: "", **records.losses()}
    of = known.get(crc32, "a loss that the run has meanwhile gone on from, or another run's")
    flags = _flags(settings) if state == BEGUN else {}
    if module == "evaluate" and records.sees_reward:
        flags["--give_reward"] = True  # required for such a loss
    line = _line(records.root, folder, module, flags)
    return Part(name, state, line, folder, of, record or {}, *content)


def _line(root: pathlib.Path, folder: pathlib.Path, module: str, flags: Mapping[str, Any]) -> str:
    """Returns the command line that makes a part."""
    given = {"--loss": root, "--root_dir": folder}
    words = ["python", "-m", f"epg_tf.{module}"]
    for flag, value in {**given, **flags}.items():
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def _flags(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the flags among the recorded settings, except for those that are False."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in settings.items()
        if name.startswith("--") and value is not False
    }


def _read_evaluation(record: Mapping[str, Any]) -> tuple[list[str], dict[str, Table]]:
    about = record["provenance"]
    labels = about["labels"]
    methods = {method: record[method] for method in METHODS if method in labels}
    num_tasks, num_seeds = ([*methods.values()][0][name] for name in ("num_tasks", "num_seeds"))
    steps = about["num_updates"] * about["steps_per_update"]
    sentences = [
        f"{count(num_tasks * num_seeds)} fresh agents per method, {count(num_seeds)} on each of "
        f"{count(num_tasks)} tasks that training cannot draw, each with "
        f"{count(about['num_updates'])} updates of {count(about['steps_per_update'])} steps "
        f"({count(steps)} environment steps).",
        *not_finite(about["diverged_runs"], labels, "these agents"),
    ]
    caption = "Interquartile means over all agents, with 95 % bootstrap intervals."
    scores = score_table(caption, methods, labels, about.get("early_update"))
    return sentences, {"scores": scores}


def _read_analysis(record: Mapping[str, Any]) -> tuple[list[str], dict[str, Table]]:
    about = record["provenance"]
    labels = about["labels"]
    names = {**labels, "ppo_halves": "PPO with itself, between two halves of the steps"}
    correlations = [
        (names[method], _mean_interval(of), _percent(of["share_positive"]))
        for method, of in record["gradient_correlation"].items()
    ]
    changes = [
        (labels[method], _mean_interval(of), number(of["largest_over_mean"], _FEW_DIGITS))
        for method, of in record["policy_change"].items()
    ]
    late = [record["sensitivity"][method]["late"] for method in labels]
    places = {"own_step": "at the step itself", "other_steps": "at another step"}
    kinds = [
        (kind, *(number(of[kind][place], _FEW_DIGITS) for of in late for place in places))
        for kind in record["sensitivity"]["evolved"]["late"]
    ]
    inputs = (f"{labels[method]}: {place}" for method in labels for place in places.values())
    agents = f"over {count(about['num_tasks'])} agents, with 95 % intervals"
    sentences = [
        f"{count(about['num_tasks'])} fresh agents on held-out tasks with each loss, each with "
        f"{count(about['num_updates'])} updates of {count(about['steps_per_update'])} steps.",
        *not_finite(about["diverged_agents"], labels, "them", ", and are left out"),
    ]
    return sentences, {
        "gradient_correlation": Table(
            f"Spearman correlation with PPO's gradient: means {agents}.",
            ("gradient of", "correlation", "updates at which it is positive"),
            correlations,
        ),
        "policy_change": Table(
            f"Kullback-Leibler divergence per update: geometric means {agents}.",
            ("agents with", "nats", "largest over mean"),
            changes,
        ),
        "sensitivity": Table(
            "Norm of the derivative of a step's loss, late in learning.",
            ("input", *inputs),
            kinds,
        ),
    }


def _read_videos(record: Mapping[str, Any]) -> tuple[list[str], dict[str, Table]]:
    rows = []
    for name in _STAGES:
        if stage := record["stages"].get(name):
            means = [sum(returns) / len(returns) for returns in stage["returns"]]
            cells = [*map(number, means), number(sum(means) / len(means))]
            rows.append((f"{name} learning", count(stage["num_updates"]), *cells))
    tasks = [f"task {task + 1}" for task in range(len(record["task_seeds"]))]
    head = ("agents", "updates made", *tasks, "mean")
    sentence = (
        f"{count(len(tasks))} agents learn on held-out tasks with the evolved loss "
        f"({record['reward']})."
    )
    return [sentence], {"returns": Table("Mean returns of the episodes in the film.", head, rows)}


def _read_loss(record: Mapping[str, Any]) -> tuple[list[str], dict[str, Table]]:
    sees = "the reward" if record["sees_reward"] else "no reward"
    sentence = f"A loss of {count(record['num_parameters'])} parameters, which is shown {sees}."
    yes = {True: "yes", False: "no"}
    rows = [
        (
            one["name"],
            "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, one["shape"])),
            yes[one["normalised"]],
            yes[one["trained"]],
            one["meaning"],
        )
        for one in record["inputs"]
    ]
    head = ("input", "shape", "normalised", "differentiated by agents", "what")
    caption = f"The newest {record['buffer_size']} steps of an agent."
    return [sentence], {"inputs": Table(caption, head, rows)}


def _mean_interval(of: Mapping[str, Any]) -> str:
    return interval(of["mean"], of["low"], of["high"], _FEW_DIGITS)


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100.0 * share:.0f} %"


_Read = Callable[[Mapping[str, Any]], tuple[list[str], dict[str, Table]]]
# folder -> the command that fills it, the file that completes it, and the reader of that file
_PARTS: dict[str, tuple[str, str, _Read]] = {
    "evaluation": ("evaluate", "summary.json", _read_evaluation),
    "analysis": ("analyze", "summary.json", _read_analysis),
    "videos": ("render", "summary.json", _read_videos),
    "loss": ("export", "loss.json", _read_loss),
    "export/latest": ("export", "loss.json", _read_loss),  # which the run itself has written
}
