"""The scores of a loss in an evaluation, for the record that is exported with it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from epg_tf.files import read_text
from epg_tf.text import Table, interval

_ABOUT = ("command", "num_updates", "steps_per_update", "labels", "sees_reward", "guidance")


def read_scores(folder: pathlib.Path, phi_crc32: int) -> dict[str, Any]:
    """Reads the scores of a loss from a folder that `epg_tf.evaluate` wrote.

    Args:
        folder: The folder, which holds `summary.json`.
        phi_crc32: The checksum of the loss.

    Returns:
        `methods`, as in `summary.json`, and the conditions: `command`, `num_updates`,
        `steps_per_update`, `labels`, `sees_reward`, `guidance`, `early_update`.

    Raises:
        ValueError: If there are no scores, or those of another loss; in one sentence.
    """
    try:
        summary = json.loads(read_text(folder / "summary.json"))
        about = summary.pop("provenance")
        scores = {"methods": summary, **{name: about[name] for name in _ABOUT}}
        scores["early_update"] = about.get("early_update")
        evaluated = about["phi_crc32"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`--evaluation` (={folder}) must be a folder in which epg_tf.evaluate has finished, "
            "with a `summary.json`."
        ) from error
    if evaluated != phi_crc32:
        raise ValueError(
            f"`--evaluation` (={folder}) must be of this loss (crc32 of phi {phi_crc32}), not of "
            f"another one ({evaluated})."
        )
    return scores


def score_table(
    caption: str,
    methods: Mapping[str, Any],
    labels: Mapping[str, str],
    early_update: int | None,
) -> Table:
    """Returns a table of scores with a row per method; see `score_head` and `score_row`."""
    rows = [score_row(labels[method], result) for method, result in methods.items()]
    return Table(caption, ("method", *score_head(methods, early_update)), rows)


def score_head(methods: Mapping[str, Any], early_update: int | None) -> tuple[str, ...]:
    """Returns the column heads of a table of scores, except for the column of methods.

    Args:
        methods: The scores by method, as in `summary.json`.
        early_update: The update of the `early_*` scores; None if unknown.
    """
    after = "early" if early_update is None else f"after {early_update:,} updates"
    early = (after,) if any("early_iqm" in result for result in methods.values()) else ()
    has_ppo = any("probability_over_ppo" in result for result in methods.values())
    beside = ("P(better than PPO)", "updates to reach PPO") if has_ppo else ()
    return (*early, "final return", "mean over updates (AUC)", *beside)


def score_row(label: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns a method's row in a table of scores: label, intervals, probability, updates."""
    intervals = [
        interval(*(result[f"{of}_{name}"] for name in ("iqm", "low", "high")))
        for of in ("early", "final", "auc")
        if f"{of}_iqm" in result
    ]
    if "probability_over_ppo" not in result:
        return (label, *intervals)
    reached = result["updates_to_reach_ppo"]
    probability = f"{result['probability_over_ppo']:.2f}"
    return (label, *intervals, probability, "never" if reached is None else f"{reached:,}")
