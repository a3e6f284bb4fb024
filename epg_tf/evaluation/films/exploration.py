"""Fig. 8 (section 4.5): where agents go while they learn which direction pays.

A task that rewards one of two directions cannot be told from the other by looking; the agent has to
try. What is recorded is the robot's position in the simulator, at every step of a lifetime.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.inner_loop.lifetime import Update
from epg_tf.tasks.family import Task

DIRECTION = "direction"  # the task parameter that Fig. 8 is about, where a family has it
WORDS = {1.0: "forward", -1.0: "backward"}


class Travel(NamedTuple):
    """Where W robots were, over their lifetimes of T steps.

    Attributes:
        position: After each step, before any reset, in metres from the origin, [W, T].
        moved: By each step, in metres, [W, T].
        has_ended: Whether the step was the last of its episode, [W, T].
    """

    position: np.ndarray
    moved: np.ndarray
    has_ended: np.ndarray


class TravelRecorder:
    """Records a lifetime, as the watcher of its updates."""

    def __init__(self, coordinate: int):
        """Starts with nothing.

        Args:
            coordinate: Which position is the one to record; see
                `rendering.travel.travelling_coordinate`.
        """
        self._coordinate = coordinate
        self._before: list[np.ndarray] = []
        self._after: list[np.ndarray] = []
        self._ended: list[np.ndarray] = []

    def watch_update(self, update: Update) -> None:
        """Takes in the steps before an update, and which of them ended episodes."""
        place = 1 + self._coordinate  # the time comes before the positions
        self._before.append(update.passage.before[..., place])
        self._after.append(update.passage.after[..., place])
        self._ended.append(update.experience.ended)

    def travel(self) -> Travel:
        """What was recorded."""
        parts = (self._before, self._after, self._ended)
        before, after, ended = (np.concatenate(part, axis=1) for part in parts)
        return Travel(after, after - before, ended)


def rewarded_direction(task: Task) -> float | None:
    """1 or -1 where a task rewards moving forward or backward; None where it says no such thing."""
    value = np.asarray(task.parameters.get(DIRECTION, np.nan))
    return float(value) if value.size == 1 and value.item() in WORDS else None


def turning_points(progress: np.ndarray) -> np.ndarray:
    """When exploring ends: from there on the agent has, on the whole, gone the right way.

    Args:
        progress: Distance come so far in the rewarded direction, all episodes added up, [W, T].

    Returns:
        The number of steps after which progress is at its lowest, [W]; 0 where it never falls below
        where it began.
    """
    from_start = np.concatenate([np.zeros((len(progress), 1)), progress], axis=1)
    return from_start.argmin(axis=1)
