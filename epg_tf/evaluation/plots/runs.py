"""Several runs in one picture: how their losses evolved, and what they teach in the end."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

import numpy as np
from matplotlib import pyplot, ticker

from epg_tf.evaluation.plots import style
from epg_tf.evaluation.statistics import Estimate

_LINES = ("-", "--", ":")  # one after the other when the colours are used up
_OUTLIERS = 0.02  # of the points, which may fall out of the picture below


def plot_runs(
    path: pathlib.Path,
    title: str,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    finals: Mapping[str, Estimate | None],
) -> None:
    """Draws the median returns of all epochs, and beside them the final held-out returns.

    Args:
        path: The PNG.
        title: What the tasks are.
        curves: By run, environment steps and median returns, [epochs] each; NaN where not finite.
        finals: By run, its last loss's return on held-out tasks; None where it is not known.
    """
    height = max(4.2, 1.2 + 0.36 * len(curves))
    figure, axes = style.new_figure(11.0, height, 1, 2, width_ratios=[3.0, 2.0])
    left, right = axes[0]
    if not any(finals.values()):
        right.set_visible(False)
    colours = pyplot.colormaps["tab10"].colors  # pyright: ignore[reportAttributeAccessIssue]
    for number, (name, (env_steps, medians)) in enumerate(curves.items()):
        colour = colours[number % len(colours)]
        line = _LINES[number // len(colours) % len(_LINES)]
        left.plot(env_steps / 1e6, medians, line, color=colour, lw=1.4, label=name)
        final = finals[name]
        if final is not None:
            right.plot([final.low, final.high], [number, number], line, color=colour, lw=2.4)
            right.plot(final.iqm, number, "o", color=colour)
    every = np.concatenate([medians for _, medians in curves.values()])
    every = every[np.isfinite(every)]
    for axis in (left, right):
        scale = axis.set_yscale if axis is left else axis.set_xscale
        scale("symlog", linthresh=10.0)
    if every.size:
        left.set_ylim(float(np.quantile(every, _OUTLIERS)) * 1.5, max(float(every.max()), 0.0))
    left.yaxis.set_major_formatter(ticker.FuncFormatter(_whole))
    right.xaxis.set_major_formatter(ticker.FuncFormatter(_whole))
    left.set_xlabel("environment steps [millions]")
    left.set_ylabel("median return of an epoch's agents")
    right.set_xlabel("final return on held-out tasks (IQM, 95% interval)")
    right.set_yticks(range(len(curves)), list(curves))
    right.invert_yaxis()
    left.legend(fontsize="small", ncols=2, loc="lower right")
    figure.suptitle(title)
    style.save(figure, path)


def _whole(value: float, position: int | None = None) -> str:
    del position
    return f"{value:,.0f}".replace("-", "−")
