"""Pictures of section 4.3 and Figs. 6 and 9: gradients, policy changes and sensitivities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.analysis.mean_interval import (
    geometric_mean_interval,
    mean_interval,
    mean_over_updates,
)
from epg_tf.evaluation.methods import METHODS, Method

_HALVES = Method("PPO with itself, between two halves of the steps", METHODS["ppo"].colour)

_PARTS = 8  # parts of the lifetime; the mean of each is drawn with its interval

# Inputs are not methods, so their colours differ from those of the methods.
_INPUTS = {
    "observation": Method("observation", "#56B4E9"),
    "action": Method("action", "#009E73"),
    "reward": Method("reward", "#882255"),
    "gated_observation": Method("gated observation", "#AA4499"),
    "termination": Method("termination", "#E69F00"),
    "memory": Method("memory", "#8A7FBF"),
    "policy": Method("policy output", "#000000"),
}


def plot_gradient_correlation(
    title: str,
    correlations: Mapping[str, np.ndarray],
    labels: Mapping[str, str],
) -> Figure:
    """Draws the correlations over updates; the legend gives their means.

    Args:
        title: The name of the tasks.
        correlations: The correlations by method and for "ppo_halves", [tasks, K].
        labels: The labels by method.
    """
    figure, axes = plot_style.new_figure(8.0, 4.8)
    axis = axes[0, 0]
    looks = {method: METHODS[method] for method in labels} | {"ppo_halves": _HALVES}
    num_updates = next(iter(correlations.values())).shape[1]
    parts = np.array_split(np.arange(num_updates), min(_PARTS, num_updates))
    axis.axhline(0.0, color="black", lw=0.8)
    for number, (method, of_agents) in enumerate(correlations.items()):
        look = looks[method]
        axis.plot(
            np.arange(1, num_updates + 1),
            mean_interval(of_agents).mean,
            color=look.colour,
            lw=0.8,
            alpha=0.4,
        )
        of_parts = np.stack([mean_over_updates(of_agents[:, part]) for part in parts], axis=1)
        mean, low, high = mean_interval(of_parts)
        beside = (number - 1) * 0.12 * num_updates / len(parts)  # keeps the error bars apart
        axis.errorbar(
            [part.mean() + 1.0 + beside for part in parts],
            mean,
            (mean - low, high - mean),
            fmt="o",
            color=look.colour,
            lw=1.8,
            capsize=3.0,
            label=f"{labels.get(method, look.label)}: {_in_words(of_agents)}",
        )
    axis.set_title(f"Gradient of the loss and of PPO on the same steps, {title}")
    axis.set_xlabel("update")
    axis.set_ylabel("Spearman correlation\n← against PPO · with PPO →")
    height = max(0.1, *map(abs, axis.get_ylim()))
    axis.set_ylim(-min(height, 1.0), min(height, 1.0))
    _whole_updates(axis, num_updates)
    figure.legend(
        loc="outside lower center",
        title="Mean over agents with 95% interval, in parts of the lifetime and over all of it",
        frameon=False,
    )
    return figure


def plot_policy_change(
    title: str, changes: Mapping[str, np.ndarray], labels: Mapping[str, str]
) -> Figure:
    """Draws Fig. 6: random loss left, evolved loss right.

    Args:
        title: The name of the tasks.
        changes: The policy changes by method, in nats, [tasks, K].
        labels: The labels by method.
    """
    methods = [method for method in ("random_loss", "evolved") if method in changes]
    figure, axes = plot_style.new_figure(9.0, 4.0, 1, len(methods), sharex=True, sharey=True)
    for axis, method in zip(axes[0], methods, strict=True):
        look = METHODS[method]
        of_agents = np.where(changes[method] > 0.0, changes[method], np.nan)
        updates = np.arange(1, of_agents.shape[1] + 1)
        axis.plot(updates, of_agents.T, color=look.colour, lw=0.6, alpha=0.4)
        mean, low, high = geometric_mean_interval(of_agents)
        axis.fill_between(updates, low, high, color="black", alpha=0.2, lw=0)
        axis.plot(updates, mean, color="black", lw=1.8, marker=_marker(mean))
        axis.set_title(labels[method])
        axis.set_xlabel("update")
        axis.set_yscale("log")
        _whole_updates(axis, of_agents.shape[1])
    axes[0, 0].set_ylabel("KL(policy before ‖ after) [nats]")
    figure.suptitle(f"How far each update moves the policy, {title}")
    handles = [
        Line2D([], [], color="black", lw=1.8, label="geometric mean, 95% interval"),
        Line2D([], [], color=METHODS["evolved"].colour, lw=0.8, label="single agents"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_sensitivity(
    title: str,
    position: int,
    inputs: Sequence[str],
    norms: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    phases: Mapping[str, tuple[int, int]],
    labels: Mapping[str, str],
) -> Figure:
    """Draws Fig. 9 for every phase of learning (columns), for both losses (rows).

    Args:
        title: The name of the tasks.
        position: t, of the loss L_t.
        inputs: The kinds of input, in the order of the norms.
        norms: The total and the part through the context by method and phase, [kinds, N] each.
        phases: The first and the last update of each phase.
        labels: The labels by method.
    """
    figure, axes = plot_style.new_figure(
        10.0, 6.6, len(norms), len(phases), sharex=True, sharey=True
    )
    for row, (method, by_phase) in zip(axes, norms.items(), strict=True):
        for axis, (phase, (first, last)) in zip(row, phases.items(), strict=True):
            _draw_sensitivity(axis, position, inputs, *by_phase[phase])
            updates = f"update {first}" if first == last else f"updates {first} to {last}"
            axis.set_title(f"{labels[method]}\n{phase}: {updates}", fontsize="medium")
        row[0].set_ylabel("‖∂L$_t$ / ∂x$_{t'}$‖  [1 / unit of x]")
    for axis in axes[-1]:
        axis.set_xlabel("position t' in the buffer [steps, oldest first]")
    figure.suptitle(f"What the loss of step t = {position} depends on, {title}")
    handles = [
        Line2D([], [], color=_INPUTS[kind].colour, lw=2.0, label=_INPUTS[kind].label)
        for kind in inputs
    ]
    handles += [
        Line2D([], [], color="grey", lw=1.3, label="through the temporal context"),
        Line2D([], [], color="grey", lw=0, marker="o", label="in all, at t' = t"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_sensitivity(
    axis: Axes, position: int, inputs: Sequence[str], total: np.ndarray, through: np.ndarray
) -> None:
    """Draws the part through the context as lines, and the total at t as dots."""
    axis.axvline(position, color="black", lw=0.8, alpha=0.4)
    for kind, at, line in zip(inputs, total[:, position], through, strict=True):
        colour = _INPUTS[kind].colour
        # The convolutions' strides skip positions; their norm 0 has no place on a logarithmic axis.
        axis.plot(np.where(line > 0.0, line, np.nan), color=colour, lw=1.3)
        axis.plot([position], [at], "o", color=colour, markeredgecolor="white", zorder=3)
    axis.set_yscale("log")
    axis.set_xlim(-1, total.shape[1])


def _in_words(of_agents: np.ndarray) -> str:
    mean, low, high = mean_interval(mean_over_updates(of_agents))
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]" if np.isfinite(low) else f"{mean:.2f}"


def _whole_updates(axis: Axes, num_updates: int) -> None:
    axis.set_xlim(0.5, num_updates + 0.5)
    axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))


def _marker(values: np.ndarray) -> str | None:
    """Returns a marker for a single value, which makes no line; otherwise None."""
    return "o" if len(values) == 1 else None
