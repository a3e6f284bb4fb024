"""The summary of an evaluation, for `summary.json` and as a table for the terminal."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy
import tensorflow as tf
import tf_agents

from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.learning_curves.training import Runs
from epg_tf.evaluation.methods import BASELINE, METHODS, labels_of, not_finite
from epg_tf.evaluation.results_folder import finite_or_none, provenance_of
from epg_tf.evolved_loss.scores import score_row
from epg_tf.statistics import (
    Bootstrap,
    Estimate,
    area_under,
    first_update_reaching,
    iqm_curve,
    probability_of_improvement,
)
from epg_tf.text import aligned

_HEADER = (
    ("final return", "IQM [95% interval]"),
    ("mean over updates (AUC)", "IQM [95% interval]"),
    ("P(better", "than PPO)"),
    ("updates to", "reach PPO"),
)


def fingerprint(comparison: Comparison) -> dict[str, Any]:
    """Returns all that determines a comparison's numbers, under user-facing names."""
    return {
        **comparison.loss.fingerprint,
        "--methods": list(comparison.methods),
        "--num_tasks": comparison.num_tasks,
        "--num_seeds": comparison.num_seeds,
        "--num_updates": comparison.num_updates,
        "--give_reward": comparison.give_reward,
        **{f"--ppo_{name}": value for name, value in _of_ppo_alone(comparison).items()},
        **{f"crc32 of {name}": rival.crc32 for name, rival in comparison.rivals.items()},
        **{level["label"]: level["value"] for level in comparison.converged.values()},
    }


def labels(comparison: Comparison) -> dict[str, str]:
    """Returns the labels of the methods in tables and pictures.

    Labels mention a loss's reward, settings of our PPO alone, and a teacher that sees the task. For
    a clone they give the number of steps that it is fitted to.
    """
    names = labels_of(comparison.methods, comparison.loss.reward_words, comparison.loss.made)
    teacher = comparison.loss.teacher
    if teacher is not None and "teacher" in names and teacher.settings.actor_sees_task:
        names["teacher"] += ", sees the task"
    if teacher is not None and "cloned" in names:
        steps = teacher.run.num_workers * teacher.run.num_updates_in(1)
        names["cloned"] += f" ({steps * teacher.run.inner_loop.steps_per_update:,} steps)"
    words = {
        "learning_rate": lambda rate: f"steps of {rate:g}",
        "num_passes": lambda passes: f"{passes:,} {'pass' if passes == 1 else 'passes'}",
    }
    own = [words[name](value) for name, value in _of_ppo_alone(comparison).items()]
    if own and BASELINE in names:
        names[BASELINE] += f" ({', '.join(own)})"
    return names


def _of_ppo_alone(comparison: Comparison) -> dict[str, Any]:
    """Returns our PPO's settings that differ from those of the agents with the losses."""
    ours, theirs = comparison.ppo_inner_loop, comparison.inner_loop
    settings = {name: getattr(ours, name) for name in ("learning_rate", "num_passes")}
    return {name: value for name, value in settings.items() if value != getattr(theirs, name)}


def summarise(
    comparison: Comparison, runs: Mapping[str, Runs], bootstrap: Bootstrap, command: Sequence[str]
) -> dict[str, Any]:
    """Returns the content of `summary.json`: an object per method, and `provenance`.

    Args:
        comparison: The settings of the comparison.
        runs: The runs by method.
        bootstrap: The resamples for the intervals.
        command: The command line.

    Returns:
        Plain numbers and strings; None for a number that is not finite. Comparisons with PPO are
        included only if PPO is among the methods.
    """
    baseline = runs[BASELINE].curves if BASELINE in runs else None
    results = {}
    for method, (curves, _) in runs.items():
        final = bootstrap.estimate(curves[..., -1])
        auc = bootstrap.estimate(area_under(curves))
        early = {}
        if comparison.early_update is not None:
            at = bootstrap.estimate(curves[..., comparison.early_update - 1])
            early = _named("early", at)
        results[method] = {
            **early,
            **_named("final", final),
            **_named("auc", auc),
            **({} if baseline is None else _beside(curves, baseline)),
            "num_tasks": comparison.num_tasks,
            "num_seeds": comparison.num_seeds,
        }
    return {**results, "provenance": _provenance(comparison, runs, bootstrap, command)}


def _beside(curves: np.ndarray, baseline: np.ndarray) -> dict[str, Any]:
    """Compares a method's curves with those of PPO, [tasks, seeds, K] each."""
    level = iqm_curve(baseline)[-1]
    return {
        "probability_over_ppo": probability_of_improvement(curves[..., -1], baseline[..., -1]),
        "updates_to_reach_ppo": first_update_reaching(iqm_curve(curves), level),
    }


def table(summary: Mapping[str, Any]) -> str:
    """Returns the summary as aligned text."""
    about = summary["provenance"]
    present = [method for method in METHODS if method in summary]
    early = about.get("early_update")
    header = _HEADER if BASELINE in summary else _HEADER[:2]
    if early is not None:
        header = ((f"after {early:,} updates", _HEADER[0][1]), *header)
    rows = [score_row(about["labels"][method], summary[method]) for method in present]
    cells = [*zip(("", ""), *header, strict=True), *rows]
    lines = aligned(cells)
    first = summary[present[0]]
    steps = about["num_updates"] * about["steps_per_update"]
    lines.insert(
        0,
        f"Held-out {about['family']}: {first['num_tasks']} tasks x {first['num_seeds']} seeds, "
        f"{about['num_updates']:,} updates of {about['steps_per_update']} steps ({steps:,} "
        "environment steps).",
    )
    agents = f"{first['num_tasks'] * first['num_seeds']} agents"
    lines += not_finite(about["diverged_runs"], about["labels"], agents)
    lines += [
        f"{about['labels'][method]}: meta-trained for {steps:,} environment steps."
        for method, steps in about.get("rivals_env_steps", {}).items()
    ]
    return "\n".join(lines)


def _provenance(
    comparison: Comparison, runs: Mapping[str, Runs], bootstrap: Bootstrap, command: Sequence[str]
) -> dict[str, Any]:
    rivals = comparison.rivals
    return {
        **provenance_of(comparison.loss, comparison.inner_loop, labels(comparison), command),
        "phi_size": len(comparison.loss.phi),
        "early_update": comparison.early_update,
        "rivals": {method: str(rival.path) for method, rival in rivals.items()},
        "rivals_env_steps": {method: rival.env_steps for method, rival in rivals.items()},
        "converged": dict(comparison.converged),
        "diverged_runs": {method: int(run.diverged.sum()) for method, run in runs.items()},
        "bootstrap_resamples": len(bootstrap.tasks),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "tf_agents": tf_agents.__version__,
            "mujoco": importlib.metadata.version("mujoco"),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
    }


def _named(name: str, estimate: Estimate) -> dict[str, float | None]:
    return finite_or_none({f"{name}_{part}": of for part, of in estimate._asdict().items()})
