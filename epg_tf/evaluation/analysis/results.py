"""Results of an analysis: its pictures, tables, arrays and TensorBoard curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.evaluation.analysis.analysis import Analysis, Findings
from epg_tf.evaluation.analysis.mean_interval import geometric_mean_interval, mean_interval
from epg_tf.evaluation.analysis.plot import (
    plot_gradient_correlation,
    plot_policy_change,
    plot_sensitivity,
)
from epg_tf.evaluation.analysis.sensitivity import Sensitivity
from epg_tf.evaluation.analysis.summary import labels, sentences, summarise, tables
from epg_tf.evaluation.results_folder import Results, as_code, rows_of


def fingerprint(analysis: Analysis) -> dict[str, Any]:
    """Returns all that determines an analysis's numbers, under user-facing names."""
    return {**analysis.loss.fingerprint, "--num_tasks": analysis.num_tasks}


def results_of(analysis: Analysis, found: Findings, command: Sequence[str]) -> Results:
    """Returns the results of an analysis.

    Pictures, curves and the table of the sensitivity leave out agents that diverged.

    Args:
        analysis: The settings of the analysis.
        found: The findings.
        command: The command line, for the record.
    """
    known = found.without_diverged()
    means = {
        method: {phase: _means(norms) for phase, norms in of.items()}
        for method, of in known.sensitivity.items()
    }
    summary = summarise(analysis, found, command)
    config_text = analysis.loss.config_text
    findings = [sentences(summary), "", *(f"    {line}" for line in tables(summary))]
    return Results(
        summary,
        config_text,
        _arrays(analysis, found),
        _tables(analysis, found, means),
        _pictures(analysis, known, means),
        {method: _curves(analysis, known, method, of) for method, of in means.items()},
        {"config": as_code(config_text), "findings": "\n".join(findings)},
        tag_prefix="analysis",
        last_step=analysis.inner_loop.num_updates,
    )


_Means = Mapping[str, Mapping[str, Sensitivity]]  # over agents, by method and phase, [kinds, N]


def _means(norms: Sensitivity) -> Sensitivity:
    return Sensitivity(*(mean_interval(part).mean for part in norms))


def _arrays(analysis: Analysis, found: Findings) -> dict[str, dict[str, np.ndarray]]:
    about = {"task_seeds": np.array(analysis.task_seeds)} | {
        f"{method}/diverged": diverged for method, diverged in found.diverged.items()
    }
    norms = {
        f"{method}/{phase}/{name}": values
        for method, of in found.sensitivity.items()
        for phase, sensitivity in of.items()
        for name, values in sensitivity._asdict().items()
    }
    more = {"inputs": np.array(analysis.inputs), "position": np.array(analysis.position)}
    return {
        "gradient_correlation": found.correlations | about,
        "policy_change": found.policy_changes | about,
        "sensitivity": norms | about | more,
    }


def _tables(analysis: Analysis, found: Findings, means: _Means) -> dict[str, Any]:
    axes = analysis.task_seeds, range(1, analysis.inner_loop.num_updates + 1)
    where = ("method", "task_seed", "update")
    head = ("method", "phase", "input", "position", "total", "through_context")
    return {
        "gradient_correlation": ((*where, "correlation"), rows_of(found.correlations, *axes)),
        "policy_change": ((*where, "kl"), rows_of(found.policy_changes, *axes)),
        "sensitivity": (head, _sensitivity_rows(analysis.inputs, means)),
    }


def _sensitivity_rows(inputs: Sequence[str], means: _Means) -> Iterator[tuple]:
    for method, by_phase in means.items():
        for phase, (total, through) in by_phase.items():
            for (kind, position), norm in np.ndenumerate(total):
                other = float(through[kind, position])
                yield method, phase, inputs[kind], position, float(norm), other


def _pictures(analysis: Analysis, known: Findings, means: _Means) -> dict[str, Any]:
    title = f"held-out {type(analysis.loss.settings.family).__name__}"
    names = labels(analysis)
    return {
        "gradient_correlation": plot_gradient_correlation(title, known.correlations, names),
        "policy_change": plot_policy_change(title, known.policy_changes, names),
        "sensitivity": plot_sensitivity(
            title,
            analysis.position,
            analysis.inputs,
            means,
            {phase: (updates[0], updates[-1]) for phase, updates in analysis.phases.items()},
            names,
        ),
    }


def _curves(
    analysis: Analysis, known: Findings, method: str, means: Mapping[str, Sensitivity]
) -> dict[str, tuple[range, Any]]:
    """Returns the curves of a loss over updates, and over positions for the sensitivity."""
    updates = range(1, analysis.inner_loop.num_updates + 1)
    change = geometric_mean_interval(known.policy_changes[method]).mean
    return {
        "gradient_correlation": (updates, mean_interval(known.correlations[method]).mean),
        "policy_change": (updates, change),
    } | {
        f"sensitivity_{phase}/{kind}": (range(len(norms)), norms)
        for phase, (total, _) in means.items()
        for kind, norms in zip(analysis.inputs, total, strict=True)
    }
