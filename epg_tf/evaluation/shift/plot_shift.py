"""Picture of a sweep: final return against the setting, by method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.methods import METHODS
from epg_tf.evaluation.shift.values import Shift


def plot_shift(
    shift: Shift,
    finals: Mapping[str, Sequence[tuple[float | None, float | None, float | None]]],
    labels: Mapping[str, str],
) -> Figure:
    """Draws the interquartile means of the final returns with their intervals.

    Args:
        shift: The sweep; the range that the loss was evolved on is shaded.
        finals: The interquartile mean, lower end and upper end by method and value.
        labels: The labels by method.
    """
    figure, axes = plot_style.new_figure(7.0, 4.2)
    axis, places = axes[0, 0], shift.places
    for number, (method, estimates) in enumerate(finals.items()):
        look = METHODS[method]
        line, low, high = np.array(estimates, dtype=float).T
        how = {"marker": "o", "ms": 4, "color": look.colour, "label": labels[method]}
        if shift.is_numeric:
            axis.plot(places, line, look.line, **how)
            axis.fill_between(places, low, high, color=look.colour, alpha=0.18, lw=0)
        else:  # values without an order: points with intervals, side by side
            beside = np.array(places) + 0.08 * (number - (len(finals) - 1) / 2)
            ends = np.abs(np.array([low, high]) - line)
            axis.errorbar(beside, line, ends, linestyle="none", capsize=3, **how)
    known = shift.trained_range
    if known is not None:
        axis.axvspan(*known, color="0.9", zorder=0, label="trained on")
    if shift.is_numeric and min(places) > 0 and max(places) / min(places) > 5:
        axis.set_xscale("log")
    axis.set_xticks(places, shift.names)
    if not shift.is_numeric:
        axis.set_xlim(min(places) - 0.5, max(places) + 0.5)
    axis.minorticks_off()
    axis.set_xlabel(shift.setting)
    axis.set_ylabel("return at the end (interquartile mean)")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
