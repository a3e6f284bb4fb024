"""TensorBoard's view of a run: numbers in groups, with a line on each, and a page to begin with."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api as hparams

# A metric of docs/files.md -> its tag and its description.
_TAGS = {
    "return_mean": ("return/mean", "What the search maximises, mean over the workers."),
    "return_median": ("return/median", "The median over the workers."),
    "return_std": ("return/std", "The standard deviation over the workers."),
    "return_min": ("return/min", "The worst worker's."),
    "return_max": ("return/max", "The best worker's."),
    "validation_return": ("return/validation", "Of phi itself on validation tasks, without noise."),
    "expert_return": ("return/expert", "The mean of the explorers' episodes, in their reward."),
    "guidance": ("search/guidance", "The alpha of Eq. 6. Unless it is 0, PPO helps the agents."),
    "num_updates": ("search/num_updates", "K: the updates of a lifetime."),
    "noise_std": ("search/noise_std", "Sigma, the size of the perturbations of phi."),
    "outer_learning_rate": ("search/learning_rate", "The step size of the search."),
    "gradient_norm": ("search/gradient_norm", "The norm of Eq. 5's gradient."),
    "phi_norm": ("search/phi_norm", "The norm of phi after the step."),
    "relative_step": ("search/relative_step", "The norm of the step, over that of phi."),
    "pair_correlation": (
        "search/pair_correlation",
        "The rank correlation of the returns within pairs, which share a task. Near 1 the task "
        "decides the return, near -1 the perturbation.",
    ),
    "diverged_workers": ("search/diverged_workers", "Those with a return that is not finite."),
    "failed_steps": ("search/failed_steps", "Those that the simulator could not take."),
    "teaching_error": ("teaching/error", "The squared error per step in the fit's last pass."),
    "teaching_target": ("teaching/target", "The squared norm of the targets, per step."),
    "teaching_explained": ("teaching/explained", "The share of the targets that phi explains."),
    "critic_error": ("teaching/critic_error", "The critic's mean squared error."),
    "env_steps": ("time/env_steps", "Environment steps so far, of all ranks."),
    "seconds": ("time/seconds", "The wall-clock time of the epoch."),
    "env_steps_per_second": ("time/env_steps_per_second", "Of all ranks."),
    "physics_seconds": ("time/physics_seconds", "Collecting experience, mean over the ranks."),
    "update_seconds": ("time/update_seconds", "The updates of theta, mean over the ranks."),
}
# The page "Custom scalars", as tensorboard.plugins.custom_scalar.layout_pb2.Layout.
_RETURNS = {"value": "return/mean", "lower": "return/min", "upper": "return/max"}
_CHARTS = [
    {"title": "Validation and search", "multiline": {"tag": ["return/validation", "return/mean"]}},
    {"title": "Returns: mean, worst and best worker", "margin": {"series": [_RETURNS]}},
    {"title": "Signal", "multiline": {"tag": ["search/pair_correlation"]}},
    {"title": "Steps", "multiline": {"tag": ["search/relative_step", "search/learning_rate"]}},
    {"title": "Perturbations", "multiline": {"tag": ["search/noise_std"]}},
]


def tag_of(metric: str) -> str:
    """Returns the tag of a metric of docs/files.md."""
    return _TAGS[metric][0]


def write_start(config_text: str, command: Sequence[str]) -> None:
    """Writes the config, what TensorBoard compares runs by, and its page of charts.

    Args:
        config_text: The complete config, as gin.
        command: The command line, whose presets and bindings runs are compared by.
    """
    # TensorBoard renders Markdown: four spaces make it code.
    tf.summary.text("config", "\n".join("    " + line for line in config_text.splitlines()))
    given = _given(command)
    compared = [hparams.Metric(tag_of(name)) for name in ("validation_return", "return_mean")]
    hparams.hparams_config(hparams=[hparams.HParam(name) for name in given], metrics=compared)
    hparams.hparams(given)
    page = {"category": [{"title": "The run", "chart": _CHARTS}]}
    layout = json_format.ParseDict(page, layout_pb2.Layout())  # pyright: ignore[reportArgumentType]
    summary = custom_scalar.pb(layout)
    tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=0)


def _given(command: Sequence[str]) -> dict[str, float | str]:
    """Returns the presets and the settings that a command line gives, by name."""
    given: dict[str, float | str] = {}
    words = [part for word in command for part in word.split("=", word.startswith("--"))]
    for flag, value in itertools.pairwise(words):
        if flag == "--gin_file":
            given["preset"] = pathlib.Path(value).stem
        elif flag == "--gin_binding":
            name, _, value = (part.strip() for part in value.partition("="))
            given[name] = _number(value)
        elif flag in ("--seed", "--num_epochs", "--num_workers"):
            given[f"meta_train.{flag[2:]}"] = _number(value)
    return given


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def write_metrics(metrics: Mapping[str, float]) -> None:
    """Writes the numbers of an epoch that are finite."""
    for name, value in metrics.items():
        if name in _TAGS and np.isfinite(value):
            tag, description = _TAGS[name]
            tf.summary.scalar(tag, value, description=description)
