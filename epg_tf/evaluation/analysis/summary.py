"""The summary of an analysis, for `summary.json` and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evaluation.analysis.analysis import (
    LOSSES,
    Analysis,
    Findings,
    without_diverged,
)
from epg_tf.evaluation.analysis.mean_interval import (
    MeanInterval,
    geometric_mean_interval,
    mean_interval,
)
from epg_tf.evaluation.analysis.sensitivity import Sensitivity
from epg_tf.evaluation.methods import labels_of
from epg_tf.files import flatten
from epg_tf.text import aligned, interval, number

_DIGITS = 2  # significant digits; the results are no more precise


def labels(analysis: Analysis) -> dict[str, str]:
    """Returns the labels of the two losses, which say what their agents know of the reward."""
    return labels_of(LOSSES, analysis.loss.reward_words, analysis.loss.made)


def summarise(
    analysis: Analysis, found: Mapping[str, Findings], command: Sequence[str]
) -> dict[str, Any]:
    """Returns the content of `summary.json`: an object per analysis, and `provenance`.

    Args:
        analysis: The settings of the analysis.
        found: The findings by method.
        command: The command line.

    Returns:
        Plain numbers and strings; None for a number that is not finite.
    """
    known = {method: without_diverged(findings) for method, findings in found.items()}
    correlation = {m: _correlation(of.correlations) for m, of in known.items()}
    correlation["ppo_halves"] = _correlation(known["evolved"].between_halves)
    return {
        "gradient_correlation": correlation,
        "policy_change": {m: _change(of.policy_changes) for m, of in known.items()},
        "sensitivity": {
            "position": analysis.position,
            **{
                method: {
                    phase: _sensitivity(analysis, norms) for phase, norms in of.sensitivity.items()
                }
                for method, of in known.items()
            },
        },
        "provenance": _provenance(analysis, found, command),
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
    lines += [
        f"{about['labels'][method]}: {count} of {about['num_tasks']} agents met a gradient or a "
        "return that was not finite, and are left out."
        for method, count in about["diverged_agents"].items()
        if count
    ]
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
    positive = float(np.mean(there > 0.0)) if there.size else np.nan
    return _numbers(mean_interval(_mean_over_updates(correlations))) | {
        "share_positive": _number(positive)
    }


def _change(divergences: np.ndarray) -> dict[str, float | None]:
    """Returns the geometric mean of divergences [tasks, K], and the ratio of the largest to it."""
    with np.errstate(divide="ignore"):
        logarithms = np.where(divergences > 0.0, np.log(divergences), np.nan)
    typical = np.exp(_mean_over_updates(logarithms))
    largest = np.max(np.where(np.isfinite(divergences), divergences, 0.0), axis=1)
    return _numbers(geometric_mean_interval(typical)) | {
        "largest_over_mean": _number(geometric_mean_interval(largest / typical).mean)
    }


def _sensitivity(analysis: Analysis, norms: Sensitivity) -> dict[str, dict[str, float | None]]:
    """Returns by kind of input the mean norm at the step of the loss and at all other steps."""
    own = mean_interval(norms.total[:, :, analysis.position]).mean
    others = np.delete(norms.total, analysis.position, axis=2).mean(axis=2)
    return {
        kind: {"own_step": _number(at), "other_steps": _number(elsewhere)}
        for kind, at, elsewhere in zip(
            analysis.inputs, own, mean_interval(others).mean, strict=True
        )
    }


def _provenance(
    analysis: Analysis, found: Mapping[str, Findings], command: Sequence[str]
) -> dict[str, Any]:
    loss = analysis.loss
    return {
        "command": " ".join(command),
        "loss": str(loss.path),
        "phi_crc32": loss.phi_crc32,
        "evolved_epochs": loss.epoch,
        "evolved_env_steps": loss.env_steps,
        "family": type(loss.settings.family).__name__,
        "num_tasks": analysis.num_tasks,
        "num_updates": analysis.inner_loop.num_updates,
        "steps_per_update": analysis.inner_loop.steps_per_update,
        "buffer_size": analysis.inner_loop.buffer_size,
        "sees_reward": analysis.loss.sees_reward,
        "guidance": analysis.loss.guidance,
        "labels": labels(analysis),
        "phases": {name: [k[0], k[-1]] for name, k in analysis.phases.items()},
        "diverged_agents": {method: int(of.diverged.sum()) for method, of in found.items()},
        "config": flatten(loss.settings),
    }


def _mean_over_updates(values: np.ndarray) -> np.ndarray:
    """Returns the mean of each row of [tasks, K] over its finite values."""
    return mean_interval(values.T).mean


def _numbers(interval: MeanInterval) -> dict[str, float | None]:
    return {name: _number(value) for name, value in interval._asdict().items()}


def _number(value: np.ndarray | float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _interval(result: Mapping[str, Any]) -> str:
    return interval(result["mean"], result["low"], result["high"], _DIGITS)
