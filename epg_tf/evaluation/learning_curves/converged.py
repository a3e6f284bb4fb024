"""Final returns of methods with reward in longer lifetimes, read from another evaluation."""

from __future__ import annotations

import pathlib
from typing import Any

from epg_tf.evaluation.methods import WITH_REWARD
from epg_tf.files import differences, flatten, plain, read_json
from epg_tf.tasks.family import TaskFamily


def read_levels(
    folder: str, family: TaskFamily, num_tasks: int, num_updates: int
) -> dict[str, dict[str, Any]]:
    """Reads the final returns of methods with reward from a finished evaluation on the same tasks.

    Returns:
        By method, `value` is the interquartile mean of the final returns and `label` its label.

    Raises:
        ValueError: If the folder has no such evaluation, or its K is not above `num_updates`.
    """
    summary = read_json(pathlib.Path(folder) / "summary.json") or {}
    found = {name: summary[name] for name in WITH_REWARD if name in summary}
    ended = {name: one for name, one in found.items() if one.get("final_iqm") is not None}
    rule = "the folder of a finished evaluation of PPO or another method that sees the reward"
    if ended:
        about, (one, *_) = summary["provenance"], ended.values()
        here = flatten(family, root=type(family).__name__) | {"--num_tasks": num_tasks}
        there = about["config"] | {"--num_tasks": one["num_tasks"]}
        differing = differences({n: there[n] for n in here if n in there}, plain(here))
        longer = about["num_updates"]
        if not differing and longer > num_updates:
            after = f"after {longer:,} updates"
            return {
                name: {"value": one["final_iqm"], "label": f"{about['labels'][name]} {after}"}
                for name, one in ended.items()
            }
        rule = f"of lifetimes longer than {num_updates:,} updates: it has {longer:,}"
        if differing:
            rule = f"an evaluation of the same tasks: {differing}"
    raise ValueError(f"`--converged` (={folder}) must be {rule}.")
