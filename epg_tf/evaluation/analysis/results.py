"""Result files of an analysis: pictures, tables, arrays and TensorBoard events."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf.evaluation.analysis.analysis import Analysis, Findings, without_diverged
from epg_tf.evaluation.analysis.mean_interval import geometric_mean_interval, mean_interval
from epg_tf.evaluation.analysis.plot import (
    plot_gradient_correlation,
    plot_policy_change,
    plot_sensitivity,
)
from epg_tf.evaluation.analysis.sensitivity import Sensitivity
from epg_tf.evaluation.analysis.summary import labels, sentences, summarise, tables
from epg_tf.files import CONFIG_FILE, write_csv, write_json, write_npz, write_text

PICTURES = ("gradient_correlation", "policy_change", "sensitivity")


def fingerprint(analysis: Analysis) -> dict[str, Any]:
    """Returns all that determines an analysis's numbers, under user-facing names."""
    return {**analysis.loss.fingerprint, "--num_tasks": analysis.num_tasks}


def write(
    root: pathlib.Path, analysis: Analysis, found: Mapping[str, Findings], command: Sequence[str]
) -> dict[str, Any]:
    """Writes all result files, `summary.json` last.

    Args:
        root: The folder.
        analysis: The settings of the analysis.
        found: The findings by method.
        command: The command line, for the record.

    Returns:
        The summary.
    """
    summary = summarise(analysis, found, command)
    write_text(root / CONFIG_FILE, analysis.loss.config_text)
    _write_data(root, analysis, found)
    _draw(root, analysis, found)
    _write_events(root, analysis, found, summary)
    write_json(root / "summary.json", summary)
    return summary


def _write_data(root: pathlib.Path, analysis: Analysis, found: Mapping[str, Findings]) -> None:
    """Writes every agent's numbers; the CSV of the sensitivity has means over agents."""
    seeds = analysis.task_seeds
    about = {"task_seeds": np.array(seeds)} | {
        f"{method}/diverged": of.diverged for method, of in found.items()
    }
    correlations = {method: of.correlations for method, of in found.items()}
    correlations["ppo_halves"] = found["evolved"].between_halves
    write_npz(root / "gradient_correlation.npz", correlations | about)
    write_csv(
        root / "gradient_correlation.csv",
        ("method", "task_seed", "update", "correlation"),
        _rows(correlations, seeds),
    )
    changes = {method: of.policy_changes for method, of in found.items()}
    write_npz(root / "policy_change.npz", changes | about)
    write_csv(
        root / "policy_change.csv",
        ("method", "task_seed", "update", "kl"),
        _rows(changes, seeds),
    )
    norms = {
        f"{method}/{phase}/{name}": values
        for method, of in found.items()
        for phase, sensitivity in of.sensitivity.items()
        for name, values in sensitivity._asdict().items()
    }
    more = {"inputs": np.array(analysis.inputs), "position": np.array(analysis.position)}
    write_npz(root / "sensitivity.npz", norms | about | more)
    write_csv(
        root / "sensitivity.csv",
        ("method", "phase", "input", "position", "total", "through_context"),
        _sensitivity_rows(analysis, found),
    )


def _rows(values: Mapping[str, np.ndarray], task_seeds: Sequence[int]) -> Iterator[tuple]:
    """Yields CSV rows of values [tasks, K] by method."""
    for method, of_agents in values.items():
        for (task, update), value in np.ndenumerate(of_agents):
            # A float prints as the shortest digits that read back as the same number.
            yield method, task_seeds[task], update + 1, float(value)


def _sensitivity_rows(analysis: Analysis, found: Mapping[str, Findings]) -> Iterator[tuple]:
    for method, findings in found.items():
        for phase, norms in without_diverged(findings).sensitivity.items():
            means = [mean_interval(part).mean for part in norms]
            for (kind, position), total in np.ndenumerate(means[0]):
                through = float(means[1][kind, position])
                yield method, phase, analysis.inputs[kind], position, float(total), through


def _draw(root: pathlib.Path, analysis: Analysis, found: Mapping[str, Findings]) -> None:
    known = {method: without_diverged(of) for method, of in found.items()}
    title = f"held-out {type(analysis.loss.settings.family).__name__}"
    names = labels(analysis)
    correlations = {method: of.correlations for method, of in known.items()}
    plot_gradient_correlation(
        root / "gradient_correlation.png",
        title,
        correlations | {"ppo_halves": known["evolved"].between_halves},
        names,
    )
    changes = {method: of.policy_changes for method, of in known.items()}
    plot_policy_change(root / "policy_change.png", title, changes, names)
    plot_sensitivity(
        root / "sensitivity.png",
        title,
        analysis.position,
        analysis.inputs,
        {method: _means(of.sensitivity) for method, of in known.items()},
        {phase: (updates[0], updates[-1]) for phase, updates in analysis.phases.items()},
        names,
    )


def _means(norms: Mapping[str, Sensitivity]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns the means over agents by phase, [kinds, N] each."""
    return {
        phase: (mean_interval(total).mean, mean_interval(through).mean)
        for phase, (total, through) in norms.items()
    }


def _write_events(
    root: pathlib.Path,
    analysis: Analysis,
    found: Mapping[str, Findings],
    summary: Mapping[str, Any],
) -> None:
    """Writes TensorBoard events, one run per loss, so that it overlays their curves."""
    events = root / "events"
    shutil.rmtree(events, ignore_errors=True)  # events of an earlier write
    for method, findings in found.items():
        known = without_diverged(findings)
        writer = tf.summary.create_file_writer(str(events / method))
        with writer.as_default():
            _curve("analysis/gradient_correlation", mean_interval(known.correlations).mean, 1)
            _curve("analysis/policy_change", geometric_mean_interval(known.policy_changes).mean, 1)
            for phase, (total, _) in _means(known.sensitivity).items():
                for kind, norms in zip(analysis.inputs, total, strict=True):
                    _curve(f"analysis/sensitivity_{phase}/{kind}", norms, 0)
        writer.close()
    writer = tf.summary.create_file_writer(str(events))
    with writer.as_default(step=analysis.inner_loop.num_updates):
        for name in PICTURES:
            picture = tf.io.decode_png((root / f"{name}.png").read_bytes(), channels=3)
            tf.summary.image(f"analysis/{name}", picture[tf.newaxis])
        # TensorBoard renders Markdown, in which four leading spaces mark code.
        config = "\n".join("    " + line for line in analysis.loss.config_text.splitlines())
        tf.summary.text("analysis/config", config)
        text = [sentences(summary), "", *(f"    {line}" for line in tables(summary))]
        tf.summary.text("analysis/findings", "\n".join(text))
    writer.close()


def _curve(tag: str, values: np.ndarray, first: int) -> None:
    """Writes a scalar per step, from step `first` on."""
    for step, value in enumerate(values, start=first):
        if np.isfinite(value):
            tf.summary.scalar(tag, value, step=step)
