"""The picture of a loss's training: the returns of its agents, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.methods import METHODS
from epg_tf.evaluation.report.returns_axis import marker_of, plain, scale_returns
from epg_tf.text import number

_COLOUR = METHODS["evolved"].colour
_VALIDATION_COLOUR = plot_style.CYCLE[2]
_SMALL = {  # metric -> title and unit of its panel
    "guidance": ("Guidance", "α of Eq. 6"),
    "phi_norm": ("Parameters of the loss", "Euclidean norm ‖φ‖"),
    "env_steps_per_second": ("Speed", "environment steps / s"),
}


def plot_meta_training(title: str, metrics: Mapping[str, np.ndarray], best: int | None) -> Figure:
    """Draws the returns of each epoch's agents, and other metrics below them.

    Args:
        title: The name of the run or its tasks, for the title.
        metrics: Arrays [epochs] by the names in `metrics.jsonl`; NaN if a number was not finite.
        best: The position of the best epoch in the arrays; None if there is none.
    """
    epochs = metrics["epoch"]
    figure, axes = plot_style.new_figure(9.0, 6.6, 2, len(_SMALL), height_ratios=[4.2, 2.4])
    top = plot_style.join_first_row(figure, axes)
    _draw_returns(top, metrics, best)
    top.set_title(f"{title}: returns of the agents of each epoch")
    for axis, (name, (small_title, unit)) in zip(axes[1], _SMALL.items(), strict=True):
        axis.plot(epochs, metrics[name], color=_COLOUR, marker=marker_of(epochs))
        axis.set_title(small_title)
        axis.set_ylabel(unit)
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))
        _epochs_below(axis, epochs, 4)
    axes[1, 0].set_ylim(-0.05, 1.05)
    axes[1, 2].set_ylim(bottom=0.0)
    figure.legend(
        *top.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    return figure


def _draw_returns(axis: Axes, metrics: Mapping[str, np.ndarray], best: int | None) -> None:
    epochs, marker = metrics["epoch"], marker_of(metrics["epoch"])
    mean, median = metrics["return_mean"], metrics["return_median"]
    axis.fill_between(
        epochs,
        metrics["return_min"],
        metrics["return_max"],
        color=_COLOUR,
        alpha=0.18,
        lw=0 if marker is None else 4.0,  # a single epoch has no width
        label="worst to best agent",
    )
    axis.plot(epochs, median, "--", color=_COLOUR, lw=1.2, marker=marker, label="median")
    axis.plot(epochs, mean, color=_COLOUR, lw=1.8, marker=marker, label="mean")
    validation = metrics.get("validation_return", np.full(len(epochs), np.nan))
    known = np.isfinite(validation)
    judged = validation if known.any() else mean  # the criterion of the best epoch
    if known.any():
        axis.plot(
            epochs[known],
            validation[known],
            color=_VALIDATION_COLOUR,
            lw=1.8,
            marker=marker_of(epochs[known]),
            label="the loss itself, on validation tasks",
        )
    if best is not None:
        axis.plot(
            epochs[best],
            judged[best],
            "*",
            color="black",
            markersize=12.0,
            markeredgecolor="white",
            label=f"best epoch: {epochs[best]:.0f}, {number(judged[best])}",
        )
    scale_returns(
        axis,
        np.stack([mean, median, np.where(known, validation, mean)]),
        metrics["return_min"],
        np.fmax(metrics["return_max"], validation),
    )
    axis.set_ylabel("return of a lifetime")
    _epochs_below(axis, epochs, 10)
    per_epoch = metrics["env_steps"][-1] / epochs[-1]
    axis.set_xlabel(f"epoch ({per_epoch:,.0f} environment steps each, on average)")


def _epochs_below(axis: Axes, epochs: np.ndarray, most_ticks: int) -> None:
    axis.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axis.xaxis.set_major_locator(ticker.MaxNLocator(most_ticks, integer=True, min_n_ticks=1))
    axis.set_xlabel("epoch")
