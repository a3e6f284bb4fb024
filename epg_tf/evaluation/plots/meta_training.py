"""How a loss evolved: what its agents were worth, epoch after epoch."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot, ticker
from matplotlib.axes import Axes

from epg_tf.evaluation.plots import style

# Where the losses of the start throw their agents about, returns begin a thousand times lower than
# they end. With more than this factor between them no linear axis shows both.
_MAGNITUDES_APART = 20.0
_OUTLIERS = 0.05  # of the epochs, whose worst agents may fall out of a linear picture

_COLOUR = style.METHODS["evolved"].colour
_SMALL = {  # metric -> title and unit of its small picture
    "guidance": ("Guidance", "α of Eq. 6"),
    "phi_norm": ("Parameters of the loss", "Euclidean norm ‖φ‖"),
    "env_steps_per_second": ("Speed", "environment steps / s"),
}


def plot_meta_training(
    path: pathlib.Path, title: str, metrics: Mapping[str, np.ndarray], best: int | None
) -> None:
    """Draws the returns of an epoch's agents, and below them what else there is to watch.

    Args:
        path: The PNG.
        title: Which run it is.
        metrics: By the names of `metrics.jsonl`, [epochs]; NaN where a number was not finite.
        best: The place of the best epoch in them; None where no return was finite.
    """
    epochs = metrics["epoch"]
    figure, axes = style.new_figure(9.0, 6.6, 2, len(_SMALL), height_ratios=[4.2, 2.4])
    with pyplot.rc_context(style.SETTINGS):
        for axis in axes[0]:
            axis.remove()
        top = figure.add_subplot(axes[0, 0].get_gridspec()[0, :])
    _draw_returns(top, metrics, best)
    top.set_title(f"{title}: returns of the agents of each epoch")
    for axis, (name, (small_title, unit)) in zip(axes[1], _SMALL.items(), strict=True):
        axis.plot(epochs, metrics[name], color=_COLOUR, marker=_marker(epochs))
        axis.set_title(small_title)
        axis.set_ylabel(unit)
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(_plain))
        _epochs_below(axis, epochs, 4)
    axes[1, 0].set_ylim(-0.05, 1.05)
    axes[1, 2].set_ylim(bottom=0.0)
    figure.legend(
        *top.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False
    )
    style.save(figure, path)


def _draw_returns(axis: Axes, metrics: Mapping[str, np.ndarray], best: int | None) -> None:
    epochs, marker = metrics["epoch"], _marker(metrics["epoch"])
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
    if best is not None:
        axis.plot(
            epochs[best],
            mean[best],
            "*",
            color="black",
            markersize=12.0,
            markeredgecolor="white",
            label=f"best epoch: {epochs[best]:.0f}, mean {_plain(mean[best])}",
        )
    _scale(axis, metrics)
    axis.yaxis.set_major_formatter(ticker.FuncFormatter(_plain))
    axis.set_ylabel("return of a lifetime")
    _epochs_below(axis, epochs, 10)
    per_epoch = metrics["env_steps"][-1] / epochs[-1]
    axis.set_xlabel(f"epoch ({per_epoch:,.0f} environment steps each)")


def _scale(axis: Axes, metrics: Mapping[str, np.ndarray]) -> None:
    """A linear axis, or a logarithmic one where returns are of very different magnitudes."""
    lines = np.stack([metrics["return_mean"], metrics["return_median"]])
    size = np.abs(lines[np.isfinite(lines) & (lines != 0.0)])
    if not size.size:
        return
    finite = lines[:, np.isfinite(lines).all(axis=0)]
    recent = finite[:, -math.ceil(finite.shape[1] / 4) :]
    if size.max() > _MAGNITUDES_APART * np.median(np.abs(recent)):
        smallest = np.quantile(size, _OUTLIERS)
        axis.set_yscale("symlog", linthresh=10.0 ** math.floor(math.log10(smallest)))
        return
    worst = metrics["return_min"][np.isfinite(metrics["return_min"])]
    low = min(np.nanmin(lines), np.quantile(worst, _OUTLIERS))
    high = np.nanmax(metrics["return_max"])
    margin = 0.04 * max(high - low, 1e-6)
    axis.set_ylim(float(low - margin), float(high + margin))


def _epochs_below(axis: Axes, epochs: np.ndarray, most_ticks: int) -> None:
    axis.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axis.xaxis.set_major_locator(ticker.MaxNLocator(most_ticks, integer=True, min_n_ticks=1))
    axis.set_xlabel("epoch")


def _plain(value: float, position: int | None = None) -> str:
    """Four digits, thousands apart, with a minus sign."""
    del position
    text = f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"
    return text.replace("-", "−")


def _marker(epochs: np.ndarray) -> str | None:
    """A single point makes no line."""
    return "o" if len(epochs) == 1 else None
