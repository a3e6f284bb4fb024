"""What all pictures share: one colour per method, safe for the colour-blind (Okabe and Ito)."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.figure import Figure


class Method(NamedTuple):
    """How a method looks in every picture.

    Attributes:
        label: In legends and tables.
        colour: As matplotlib takes it.
        line: Line style.
    """

    label: str
    colour: str
    line: str = "-"


METHODS = {
    "evolved": Method("evolved loss, no reward", "#0072B2"),
    "random_loss": Method("random loss, no reward", "#999999", ":"),
    "ppo": Method("PPO", "#D55E00"),
    "tf_agents_ppo": Method("PPO (TF-Agents)", "#CC79A7", "--"),
    "tf_agents_sac": Method("SAC (TF-Agents)", "#009E73", "-."),
    "no_action": Method("no action at all", "#000000", ":"),
}

# For what is no method, one after the other.
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


def labels(methods: Iterable[str], reward_words: str, made: str = "evolved") -> dict[str, str]:
    """What methods are called.

    Args:
        methods: Their names.
        reward_words: What the agents of a loss know of the reward.
        made: How the loss came to be: "evolved", "taught" or "taught, then evolved".
    """
    return {
        name: METHODS[name].label.replace("no reward", reward_words).replace("evolved", made)
        for name in methods
    }


def new_figure(width: float = 7.0, height: float = 4.0, rows: int = 1, columns: int = 1, **layout):
    """A figure of so many inches, and its axes in an array [rows, columns]."""
    with pyplot.rc_context(SETTINGS):
        return pyplot.subplots(
            rows, columns, figsize=(width, height), squeeze=False, layout="constrained", **layout
        )


def save(figure: Figure, path: pathlib.Path) -> None:
    """Writes a PNG and lets go of the figure."""
    with pyplot.rc_context(SETTINGS):
        figure.savefig(path)
    pyplot.close(figure)
