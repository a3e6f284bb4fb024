"""Shared style and saving of all pictures."""

from __future__ import annotations

import pathlib

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
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


def new_figure(width: float = 7.0, height: float = 4.0, rows: int = 1, columns: int = 1, **layout):
    """Returns a figure, sized in inches, and its axes in an array [rows, columns]."""
    with pyplot.rc_context(SETTINGS):
        return pyplot.subplots(
            rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **layout
        )


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a PNG and closes the figure."""
    with pyplot.rc_context(SETTINGS):
        figure.savefig(path)
    pyplot.close(figure)
