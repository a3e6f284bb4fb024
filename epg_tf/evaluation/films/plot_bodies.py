"""Fig. 3: sheet of randomised bodies."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from epg_tf.evaluation import plot_style

_COLUMNS = 4
_SIDE = 2.4  # inches of a picture
_LINE = 0.13  # inches of a line of small print
_WIDTH = 42  # characters of a line of small print
_NOTHING = 5e-4  # smaller numbers are written as 0


def plot_bodies(
    title: str,
    pictures: Sequence[np.ndarray],
    parameters: Sequence[Mapping[str, Any]],
) -> Figure:
    """Draws a sheet of bodies, each with its sampled parameters below it.

    Args:
        title: The name of the tasks.
        pictures: Pictures of equal sizes, [height, width, 3] uint8.
        parameters: The parameters of each task by name. Those that are equal in all tasks, or for
            the family's rules alone, are left out.
    """
    names = [
        name
        for name, first in parameters[0].items()
        if any(not np.array_equal(first, others[name]) for others in parameters)
        and not name.startswith("_")
    ]
    texts = [
        [
            line
            for name in names
            for line in textwrap.wrap(f"{name.replace('_', ' ')}: {_numbers(drawn[name])}", _WIDTH)
        ]
        for drawn in parameters
    ]
    columns = min(_COLUMNS, len(pictures))
    rows = math.ceil(len(pictures) / columns)
    height = rows * (_SIDE + _LINE * (max(map(len, texts)) + 2)) + 0.5
    figure, axes = plot_style.new_figure(_SIDE * columns, height, rows, columns)
    for axis in axes.flat:
        axis.set_axis_off()
    for number, (axis, picture, lines) in enumerate(
        zip(axes.flat, pictures, texts, strict=False), start=1
    ):
        axis.imshow(picture)
        axis.set_title(f"task {number}", fontsize=9, pad=3)
        axis.text(
            0.0,
            -0.03,
            "\n".join(lines),
            transform=axis.transAxes,
            verticalalignment="top",
            fontsize=7,
            linespacing=1.3,
        )
    figure.suptitle(title)
    return figure


def _numbers(value: Any) -> str:
    numbers = np.ravel(value)
    return " ".join(f"{0 if abs(n) < _NOTHING else n:.3g}" for n in numbers)
