"""Fig. 8: position and distance over a lifetime, with the two phases of exploration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.films.exploration import WORDS, Travel
from epg_tf.evaluation.methods import METHODS

_MOST_AGENTS = 4  # in one picture
_RESET: dict[str, Any] = {
    "linestyle": "none",
    "marker": "|",
    "color": "black",
    "markersize": 5,
    "markeredgewidth": 0.4,
}
_EXPLORING, _COMMITTED = "#DDDDDD", "#CCE5F2"


def plot_exploration(
    title: str,
    travels: Mapping[str, Travel],
    labels: Mapping[str, str],
    directions: Sequence[float],
    committed_after: Sequence[int],
) -> Figure:
    """Draws the first few agents' position within episodes and distance over all episodes.

    Args:
        title: The name of the tasks.
        travels: The travel by method, the evolved loss first; only its positions are drawn.
        labels: The labels by method.
        directions: The rewarded direction of every agent, 1 or -1; NaN if there is none.
        committed_after: The number of steps that each agent with the evolved loss explored.
    """
    main = next(iter(travels))
    num_agents = min(_MOST_AGENTS, len(directions))
    num_steps = travels[main].position.shape[1]
    figure, axes = plot_style.new_figure(
        max(6.0, 3.2 * num_agents), 6.0, 2, num_agents, sharex=True, sharey="row"
    )
    for agent, direction in enumerate(directions[:num_agents]):
        top, bottom = axes[:, agent]
        is_told = bool(np.isfinite(direction))
        words = f"\n{WORDS[direction]} is rewarded" if is_told else ""
        top.set_title(f"task {agent + 1}{words}", fontsize="medium")
        position, has_ended = travels[main].position[agent], travels[main].has_ended[agent]
        _draw_episodes(top, position, has_ended, METHODS[main].colour)
        for method, travel in travels.items():
            distance = np.cumsum(travel.moved[agent]) * (direction if is_told else 1.0)
            look = METHODS[method]
            bottom.plot(
                np.arange(1, num_steps + 1),
                distance,
                look.line,
                color=look.colour,
                label=labels[method],
                linewidth=2.0 if method == main else 1.5,
            )
        for axis in (top, bottom):
            axis.axhline(0.0, color="black", linewidth=0.8)
            if is_told:
                _shade_phases(axis, committed_after[agent], num_steps)
        bottom.set_xlim(0, num_steps)
        bottom.xaxis.set_major_locator(ticker.MaxNLocator(4))
        bottom.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
        bottom.set_xlabel("environment steps")
    has_phases = bool(np.isfinite(directions).any())
    axes[0, 0].set_ylabel("position\nin the episode (m)")
    way = "in the rewarded direction" if has_phases else "gone"
    axes[1, 0].set_ylabel(f"distance {way},\nepisodes added up (m)")
    figure.suptitle(f"{title}: where agents go while they learn")
    handles, _ = axes[1, 0].get_legend_handles_labels()
    handles.append(Line2D([], [], label="reset", **_RESET))
    if has_phases:
        handles.append(Patch(color=_EXPLORING, label="exploring, until the distance is lowest"))
        handles.append(Patch(color=_COMMITTED, label="committed, from there on"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _draw_episodes(axis: Axes, position: np.ndarray, has_ended: np.ndarray, colour: str) -> None:
    """Draws a line per episode, and a tick at the bottom for each reset."""
    ends = np.flatnonzero(has_ended) + 1
    steps = np.insert(np.arange(1.0, len(position) + 1), ends, np.nan)
    axis.plot(steps, np.insert(position, ends, np.nan), color=colour, linewidth=0.8)
    axis.plot(
        ends,
        np.full(len(ends), 0.015),
        transform=axis.get_xaxis_transform(),
        **_RESET,
    )


def _shade_phases(axis: Axes, turn: int, num_steps: int) -> None:
    axis.axvspan(0, turn, color=_EXPLORING, linewidth=0)
    axis.axvspan(turn, num_steps, color=_COMMITTED, linewidth=0)
