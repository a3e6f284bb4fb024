"""The summary of an analysis, for `summary.json` and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evaluation.analysis.analysis import LOSSES, Analysis, Findings
from epg_tf.evaluation.analysis.mean_interval import (
    geometric_mean_interval,
    mean_interval,
    mean_over_updates,
)
from epg_tf.evaluation.analysis.sensitivity import Sensitivity
from epg_tf.evaluation.methods import labels_of, not_finite
from epg_tf.evaluation.results_folder import finite_or_none, provenance_of
from epg_tf.text import aligned, interval, number

_DIGITS = 2  # significant digits; the results are no more precise


def labels(analysis: Analysis) -> dict[str, str]:
    """Returns the labels of the two losses, which say what their agents know of the reward."""
    return labels_of(LOSSES, analysis.loss.reward_words, analysis.loss.made)


def summarise(analysis: Analysis, found: Findings, command: Sequence[str]) -> dict[str, Any]:
    """Returns the content of `summary.json`: an object per analysis, and `provenance`.

    Args:
        analysis: The settings of the analysis.
        found: The findings; those of agents that diverged are left out.
        command: The command line.

    Returns:
        Plain numbers and strings; None for a number that is not finite.
    """
    loss, settings, known = analysis.loss, analysis.inner_loop, found.without_diverged()
    sensitivity = {
        method: {phase: _sensitivity(analysis, norms) for phase, norms in of.items()}
        for method, of in known.sensitivity.items()
    }
    return {
        "gradient_correlation": {m: _correlation(of) for m, of in known.correlations.items()},
        "policy_change": {m: _change(of) for m, of in known.policy_changes.items()},
        "sensitivity": {"position": analysis.position, **sensitivity},
        "provenance": {
            **provenance_of(loss, settings, labels(analysis), command),
            "num_tasks": analysis.num_tasks,
            "buffer_size": settings.buffer_size,
            "phases": {name: [k[0], k[-1]] for name, k in analysis.phases.items()},
            "diverged_agents": {method: int(of.sum()) for method, of in known.diverged.items()},
        },
    }


def sentences(summary: Mapping[str, Any]) -> str:
    """Returns lines about the tasks, the reward and the agents that were left out."""
    about = summary["provenance"]
    lines = [
        f"Held-out {about['family']}: {about['num_tasks']} tasks, {about['num_updates']:,} updates "
        f"of {about['steps_per_update']} steps; means over agents with 95% intervals.",
    ]
    if about["sees_reward"]:
        lines.append("The losses see the reward.")
    agents = f"{about['num_tasks']} agents"
    lines += not_finite(about["diverged_agents"], about["labels"], agents, ", and are left out")
    return "\n".join(lines)


def tables(summary: Mapping[str, Any]) -> list[str]:
    """Returns the results as the lines of two tables."""
    correlation, change = summary["gradient_correlation"], summary["policy_change"]
    columns = {"evolved": "evolved loss", "random_loss": "random losses", "ppo_halves": "PPO"}
    rows = [("", *columns.values())]
    rows.append(("correlation with PPO's gradient¹", *(_interval(correlation[c]) for c in columns)))
    found = [_interval(change[c]) if c in change else "" for c in columns]
    rows.append(("change of the policy per update, KL in nats", *found))
    late = summary["sensitivity"]["evolved"]["late"]
    by_kind = sorted(late, key=lambda kind: late[kind]["own_step"] or 0.0, reverse=True)
    names = ("own_step", "other_steps")
    steps = [(kind, *(number(late[kind][name], _DIGITS) for name in names)) for kind in by_kind]
    return [
        *aligned(rows),
        "¹ PPO's own: between two halves of the steps",
        "",
        *aligned([("sensitivity of a step's loss, late, to", "its own step", "another"), *steps]),
    ]


def _correlation(correlations: np.ndarray) -> dict[str, float | None]:
    """Returns the mean of correlations [tasks, K], and the share that is positive."""
    there = correlations[np.isfinite(correlations)]
    positive = np.mean(there > 0.0) if there.size else np.nan
    mean = mean_interval(mean_over_updates(correlations))
    return finite_or_none({**mean._asdict(), "share_positive": positive})


def _change(divergences: np.ndarray) -> dict[str, float | None]:
    """Returns the geometric mean of divergences [tasks, K], and the ratio of the largest to it."""
    with np.errstate(divide="ignore"):
        logarithms = np.where(divergences > 0.0, np.log(divergences), np.nan)
    typical = np.exp(mean_over_updates(logarithms))
    largest = np.max(np.where(np.isfinite(divergences), divergences, 0.0), axis=1)
    ratio = geometric_mean_interval(largest / typical).mean
    return finite_or_none(
        {**geometric_mean_interval(typical)._asdict(), "largest_over_mean": ratio}
    )


def _sensitivity(analysis: Analysis, norms: Sensitivity) -> dict[str, dict[str, float | None]]:
    """Returns by kind of input the mean norm at the step of the loss and at all other steps."""
    own = mean_interval(norms.total[:, :, analysis.position]).mean
    others = np.delete(norms.total, analysis.position, axis=2).mean(axis=2)
    return {
        kind: finite_or_none({"own_step": at, "other_steps": elsewhere})
        for kind, at, elsewhere in zip(
            analysis.inputs, own, mean_interval(others).mean, strict=True
        )
    }


def _interval(result: Mapping[str, Any]) -> str:
    return interval(result["mean"], result["low"], result["high"], _DIGITS)
