"""Shared style of all pictures."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The colours of lines that are not methods, in this order (Okabe and Ito).
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")

SETTINGS = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 130,
    "font.size": 10,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "savefig.bbox": "tight",
}


def new_figure(
    width: float = 7.0, height: float = 4.0, rows: int = 1, columns: int = 1, **layout
) -> tuple[Figure, np.ndarray]:
    """Returns a figure, sized in inches, and its axes in an array [rows, columns]."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **layout)


def join_first_row(figure: Figure, axes: np.ndarray) -> Axes:
    """Replaces the axes in the first row by one axis across them, and returns it."""
    with matplotlib.rc_context(SETTINGS):
        for axis in axes[0]:
            axis.remove()
        return figure.add_subplot(axes[0, 0].get_gridspec()[0, :])


def png(figure: Figure) -> bytes:
    """Returns a figure as the content of a PNG file."""
    content = io.BytesIO()
    with matplotlib.rc_context(SETTINGS):
        figure.savefig(content, format="png")
    return content.getvalue()
