"""The picture of several runs: returns over training, and final returns on held-out tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.report.returns_axis import marker_of, plain, scale_returns
from epg_tf.statistics import Estimate

# Final returns that span more orders of magnitude than this need a logarithmic axis, which is
# linear around 0.
_LOGARITHMIC = 1.0
_SMALLEST = 10.0
_LINES = ("-", "--", ":")  # the next one after every cycle of colours


def plot_runs(
    title: str,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    finals: Mapping[str, Estimate | None],
) -> Figure:
    """Draws the median returns of all epochs, and beside them the final held-out returns.

    Args:
        title: The title of the picture.
        curves: Environment steps and median returns by run, [epochs] each; NaN where not finite.
        finals: The final return on held-out tasks by run; None if unknown.
    """
    height = max(4.2, 1.2 + 0.36 * len(curves))
    figure, axes = plot_style.new_figure(11.0, height, 1, 2, width_ratios=[3.0, 2.0])
    left, right = axes[0]
    for number, (name, (env_steps, medians)) in enumerate(curves.items()):
        colour = plot_style.CYCLE[number % len(plot_style.CYCLE)]
        line = _LINES[number // len(plot_style.CYCLE) % len(_LINES)]
        marker = marker_of(env_steps)
        left.plot(env_steps / 1e6, medians, line, color=colour, lw=1.4, marker=marker, label=name)
        final = finals[name]
        if final is not None:
            right.plot([final.low, final.high], [number, number], line, color=colour, lw=2.4)
            right.plot(final.iqm, number, "o", color=colour)
    longest = max(len(medians) for _, medians in curves.values())
    lines = np.full((len(curves), longest), np.nan)
    for row, (_, medians) in zip(lines, curves.values(), strict=True):
        row[: len(medians)] = medians
    scale_returns(left, lines, lines.ravel(), lines.ravel())
    left.set_xlabel("environment steps [millions]")
    left.set_ylabel("median return of an epoch's agents")
    left.legend(fontsize="small", ncols=2, loc="lower right")
    known = [final.iqm for final in finals.values() if final is not None]
    right.set_visible(bool(known))
    if known and np.ptp(np.log10(np.abs(known) + 1.0)) > _LOGARITHMIC:
        right.set_xscale("symlog", linthresh=_SMALLEST)
        ticks = ticker.SymmetricalLogLocator(linthresh=_SMALLEST, base=10, subs=(1, 2, 5))
        right.xaxis.set_major_locator(ticks)
    right.xaxis.set_major_formatter(ticker.FuncFormatter(plain))
    right.set_xlabel("final return on held-out tasks (IQM, 95% interval)")
    right.set_yticks(range(len(curves)), list(curves))
    right.invert_yaxis()
    figure.suptitle(title)
    return figure
