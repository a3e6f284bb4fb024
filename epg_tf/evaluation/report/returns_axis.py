"""Axes of the returns of a run, which may span magnitudes."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes

# Where the losses of the start throw their agents about, returns begin a thousand times lower than
# they end. With more than this factor between them no linear axis shows both.
_MAGNITUDES_APART = 20.0
_OUTLIERS = 0.05  # of the epochs, whose worst agents may fall out of a linear picture


def scale_returns(axis: Axes, lines: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> None:
    """Makes the vertical axis linear, or logarithmic where lines span very different magnitudes.

    Args:
        axis: The axis.
        lines: What is drawn, [lines, epochs]; NaN where not finite, or where a line has ended.
        lowest: What is to be seen below them on a linear axis, [epochs].
        highest: What is to be seen above them.
    """
    axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))
    known = np.isfinite(lines)
    size = np.abs(lines[known & (lines != 0.0)])
    if not size.size:
        return
    lasting = lines[:, known.any(axis=0)]
    recent = lasting[:, -math.ceil(lasting.shape[1] / 4) :]
    if size.max() > _MAGNITUDES_APART * np.nanmedian(np.abs(recent)):
        smallest = np.quantile(size, _OUTLIERS)
        axis.set_yscale("symlog", linthresh=10.0 ** math.floor(math.log10(smallest)))
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))  # a scale brings its own
        return
    low = min(np.nanmin(lines), np.quantile(lowest[np.isfinite(lowest)], _OUTLIERS))
    high = np.nanmax(highest)
    margin = 0.04 * max(high - low, 1e-6)
    axis.set_ylim(float(low - margin), float(high + margin))


def plain(value: float, position: int | None = None) -> str:
    """Four digits, thousands apart, with a minus sign; also as matplotlib wants a formatter."""
    del position
    text = f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"
    return text.replace("-", "−")


def marker_of(points: np.ndarray) -> str | None:
    """A single point makes no line."""
    return "o" if len(points) == 1 else None
