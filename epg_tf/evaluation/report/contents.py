"""The results of other commands on a loss, as sentences and tables of a report.

Records are read as data. They may be of another version, so callers treat errors as "unreadable".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from epg_tf.evaluation.methods import METHODS
from epg_tf.evolved_loss.scores import score_head, score_row
from epg_tf.text import Table, count, interval, number

_FEW_DIGITS = 2  # for numbers that are not known more precisely
_STAGES = ("before", "during", "after")


class Content(NamedTuple):
    """The content of a complete part.

    Attributes:
        sentences: Sentences about the whole part.
        tables: Tables by name.
    """

    sentences: list[str]
    tables: dict[str, Table]


def read_evaluation(record: Mapping[str, Any]) -> Content:
    """Returns the content of a `summary.json` of `epg_tf.evaluate`."""
    about = record["provenance"]
    labels = about["labels"]
    methods = [method for method in METHODS if method in labels]
    first = record[methods[0]]
    num_tasks, num_seeds = first["num_tasks"], first["num_seeds"]
    steps = about["num_updates"] * about["steps_per_update"]
    sentences = [
        f"{count(num_tasks * num_seeds)} fresh agents per method, {count(num_seeds)} on each of "
        f"{count(num_tasks)} tasks that training cannot draw, each with "
        f"{count(about['num_updates'])} updates of {count(about['steps_per_update'])} steps "
        f"({count(steps)} environment steps)."
    ]
    sentences += [
        f"{labels[method]}: {count(diverged)} of these agents met a gradient or a return that was "
        "not finite."
        for method, diverged in about["diverged_runs"].items()
        if diverged
    ]
    rows = [score_row(labels[method], record[method]) for method in methods]
    scores = {method: record[method] for method in methods}
    head = ("method", *score_head(scores, about.get("early_update")))
    caption = "Interquartile means over all agents, with 95 % bootstrap intervals."
    return Content(sentences, {"scores": Table(caption, head, rows)})


def read_analysis(record: Mapping[str, Any]) -> Content:
    """Returns the content of a `summary.json` of `epg_tf.analyze`."""
    about = record["provenance"]
    labels = about["labels"]
    correlation = record["gradient_correlation"]
    names = {**labels, "ppo_halves": "PPO with itself, between two halves of the steps"}
    correlations = [
        (names[method], _mean_interval(of), _percent(of["share_positive"]))
        for method, of in correlation.items()
    ]
    changes = [
        (labels[method], _mean_interval(of), number(of["largest_over_mean"], _FEW_DIGITS))
        for method, of in record["policy_change"].items()
    ]
    late = {method: record["sensitivity"][method]["late"] for method in labels}
    kinds = [
        (
            kind,
            *(
                number(of_kind[where], _FEW_DIGITS)
                for of_kind in (late[method][kind] for method in labels)
                for where in ("own_step", "other_steps")
            ),
        )
        for kind in late["evolved"]
    ]
    where = ("at the step itself", "at another step")
    agents = f"over {count(about['num_tasks'])} agents, with 95 % intervals"
    sentences = [
        f"{count(about['num_tasks'])} fresh agents on held-out tasks with each loss, each with "
        f"{count(about['num_updates'])} updates of {count(about['steps_per_update'])} steps."
    ]
    sentences += [
        f"{labels[method]}: {count(diverged)} of them met a gradient or a return that was not "
        "finite, and are left out."
        for method, diverged in about["diverged_agents"].items()
        if diverged
    ]
    return Content(
        sentences,
        {
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
                ("input", *(f"{labels[method]}: {place}" for method in labels for place in where)),
                kinds,
            ),
        },
    )


def read_videos(record: Mapping[str, Any]) -> Content:
    """Returns the content of a `summary.json` of `epg_tf.render`."""
    stages = {name: record["stages"][name] for name in _STAGES if name in record["stages"]}
    rows = []
    for name, stage in stages.items():
        means = [sum(returns) / len(returns) for returns in stage["returns"]]
        cells = [*map(number, means), number(sum(means) / len(means))]
        rows.append((f"{name} learning", count(stage["num_updates"]), *cells))
    tasks = [f"task {task + 1}" for task in range(len(record["task_seeds"]))]
    caption = "Mean returns of the episodes in the film."
    table = Table(caption, ("agents", "updates made", *tasks, "mean"), rows)
    sentences = [
        f"{count(len(tasks))} agents learn on held-out tasks with the evolved loss "
        f"({record['reward']})."
    ]
    return Content(sentences, {"returns": table})


def read_loss(record: Mapping[str, Any]) -> Content:
    """Returns the content of a `loss.json` of `epg_tf.export`."""
    sees = "the reward" if record["sees_reward"] else "no reward"
    sentences = [f"A loss of {count(record['num_parameters'])} parameters, which is shown {sees}."]
    return Content(sentences, {"inputs": inputs_table(record)})


def inputs_table(description: Mapping[str, Any]) -> Table:
    """Returns a table of a loss's inputs, from its `loss.json`."""
    yes = {True: "yes", False: "no"}
    rows = [
        (
            one["name"],
            "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, one["shape"])),
            yes[one["normalised"]],
            yes[one["trained"]],
            one["meaning"],
        )
        for one in description["inputs"]
    ]
    head = ("input", "shape", "normalised", "differentiated by agents", "what")
    return Table(f"The newest {description['buffer_size']} steps of an agent.", head, rows)


def _mean_interval(of: Mapping[str, Any]) -> str:
    return interval(of["mean"], of["low"], of["high"], _FEW_DIGITS)


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{100.0 * share:.0f} %"
