"""Figs. 4, 5 and 7: learning curves of all methods, over all tasks and on single ones."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.methods import METHODS, WITH_REWARD
from epg_tf.statistics import Estimate, ranked

_SINGLE_TASKS = 6
_COLUMNS = {1: 1, 2: 2, 4: 2}  # columns by number of single tasks; three otherwise
_LONGEST_LEGEND = 80  # characters on a line
# The y-axis covers the methods with reward. For a method that falls more than their height below
# them (a random loss may end a hundred times lower), it grows by this part of the height only.
_A_LITTLE_WAY = 0.25


class _Band(NamedTuple):
    """A line with the edges of the band around it, [K] each; NaN where not finite."""

    line: np.ndarray
    low: np.ndarray
    high: np.ndarray


def plot_learning_curves(
    title: str,
    env_steps: np.ndarray,
    curves: Mapping[str, np.ndarray],
    estimates: Mapping[str, Estimate],
    labels: Mapping[str, str],
    task_names: Sequence[str],
    levels: Mapping[str, Mapping[str, Any]] = types.MappingProxyType({}),
) -> Figure:
    """Draws the aggregate with its intervals, and below it the first few tasks.

    Args:
        title: The name of the tasks.
        env_steps: Environment steps at each update, [K].
        curves: The curves by method, [tasks, seeds, K].
        estimates: Their interquartile means and intervals, [K] each.
        labels: The labels by method.
        task_names: The names of all tasks.
        levels: Horizontal lines across the aggregate; see `read_levels`.
    """
    num_tasks, num_seeds, _ = next(iter(curves.values())).shape
    num_single = min(_SINGLE_TASKS, num_tasks)
    columns = _COLUMNS.get(num_single, 3)
    rows = -(-num_single // columns)
    figure, axes = plot_style.new_figure(
        9.0, 4.2 + 2.2 * rows, rows + 1, columns, height_ratios=[4.2, *[2.2] * rows]
    )
    top = plot_style.join_first_row(figure, axes)
    aggregate = {m: _Band(*map(_finite_or_nan, of)) for m, of in estimates.items()}
    _draw(top, env_steps, aggregate, labels)
    for method, level in levels.items():
        value, (low, high) = level["value"], top.get_ylim()
        top.axhline(value, ls="--", lw=1.0, color=METHODS[method].colour, label=level["label"])
        top.set_ylim(min(low, value - 0.03 * (high - low)), max(high, value + 0.03 * (high - low)))
    top.set_title(f"{title}: interquartile mean of all agents, with 95% intervals")
    top.set_ylabel("return (last three episodes)")
    top.set_xlabel("environment steps")
    for task, axis in enumerate(axes[1:].flat):
        if task >= num_single:
            axis.remove()
            continue
        single = {method: _band_of_seeds(of[task]) for method, of in curves.items()}
        _draw(axis, env_steps, single, None)
        axis.set_title(task_names[task])
        if task % columns == 0:
            axis.set_ylabel("return")
        if task + columns >= num_single:
            axis.set_xlabel("environment steps")
    agents = f"median and range of {num_seeds} agents" if num_seeds > 1 else "one agent"
    figure.supxlabel(
        f"The first {num_single} of {num_tasks} tasks: {agents} per method.", fontsize="medium"
    )
    handles, names = top.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside upper center",
        ncols=len(names) if sum(map(len, names)) <= _LONGEST_LEGEND else 2,
        frameon=False,
    )
    return figure


def _draw(
    axis: Axes,
    env_steps: np.ndarray,
    bands: Mapping[str, _Band],
    labels: Mapping[str, str] | None,
) -> None:
    """Draws every method's band; without labels the texts and ticks suit a small picture."""
    bottom, top = _limits(bands)
    cut = 0
    for method, band in bands.items():
        look = METHODS[method]
        label = labels[method] if labels else None
        axis.plot(env_steps, band.line, look.line, color=look.colour, label=label)
        axis.fill_between(env_steps, band.low, band.high, color=look.colour, alpha=0.18, lw=0)
        end = band.line[-1]
        if not end >= bottom:
            value = f"{end:,.0f}".replace("-", "−") if np.isfinite(end) else "not finite"
            axis.annotate(
                f"{labels[method]}: {value} at the end ↓" if labels else f"{value} ↓",
                (0.99, 0.04 + cut * (0.07 if labels else 0.13)),
                xycoords="axes fraction",
                color=look.colour,
                fontsize="medium" if labels else "small",
                ha="right",
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 1.0},
            )
            cut += 1
    axis.set_ylim(bottom, top)
    axis.set_xlim(0, env_steps[-1])
    axis.xaxis.set_major_formatter(ticker.FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axis.xaxis.set_major_locator(ticker.MaxNLocator(6 if labels else 3))


def _limits(bands: Mapping[str, _Band]) -> tuple[float, float]:
    """Returns the limits of the y-axis; see `_A_LITTLE_WAY`."""
    lowest = {method: _least(band.low) for method, band in bands.items()}
    top = max((_most(band.high) for band in bands.values()), default=0.0)
    always = [method for method in WITH_REWARD if method in bands] or list(bands)
    floor = min((lowest[method] for method in always), default=0.0)
    if not np.isfinite([floor, top]).all():
        return -1.0, 1.0
    height = max(top - floor, 1e-6)
    bottom = floor
    for low in lowest.values():
        bottom = min(bottom, low if low >= floor - height else floor - _A_LITTLE_WAY * height)
    margin = 0.03 * (top - bottom)
    return bottom - margin, top + margin


def _band_of_seeds(curves: np.ndarray) -> _Band:
    """Returns the median and the range of a task's runs [seeds, K]."""
    worst_first = ranked(curves)
    return _Band(
        *map(_finite_or_nan, (np.median(worst_first, 0), worst_first.min(0), worst_first.max(0)))
    )


def _finite_or_nan(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _least(values: np.ndarray) -> float:
    return float(np.min(values[np.isfinite(values)], initial=np.inf))


def _most(values: np.ndarray) -> float:
    return float(np.max(values[np.isfinite(values)], initial=-np.inf))
