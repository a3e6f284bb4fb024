"""Axes for the returns of a run, which may span several orders of magnitude."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes

# Agents may diverge with the first losses; returns then begin a thousand times lower than they end.
# Beyond this factor between them, no linear axis shows both.
_MAGNITUDES_APART = 20.0
_OUTLIERS = 0.05  # the share of epochs whose worst agents a linear axis may cut off


def scale_returns(axis: Axes, lines: np.ndarray, lowest: np.ndarray, highest: np.ndarray) -> None:
    """Makes the vertical axis linear, or logarithmic if the lines span orders of magnitude.

    Args:
        axis: The axis.
        lines: The drawn lines, [lines, epochs]; NaN where not finite, or where a line has ended.
        lowest: The lowest values that a linear axis should show, [epochs].
        highest: The highest values that a linear axis should show.
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
        axis.yaxis.set_major_formatter(ticker.FuncFormatter(plain))  # set_yscale replaces it
        return
    low = min(np.nanmin(lines), np.quantile(lowest[np.isfinite(lowest)], _OUTLIERS))
    high = np.nanmax(highest)
    margin = 0.04 * max(high - low, 1e-6)
    axis.set_ylim(float(low - margin), float(high + margin))


def plain(value: float, position: int | None = None) -> str:
    """Formats a number in four digits with thousands separators; a formatter for matplotlib."""
    del position
    text = f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.4g}"
    return text.replace("-", "−")


def marker_of(points: np.ndarray) -> str | None:
    """Returns a marker for a single point, which makes no line; else None."""
    return "o" if len(points) == 1 else None
