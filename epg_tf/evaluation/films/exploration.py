"""Fig. 8 (section 4.5): travel of agents while they learn which direction is rewarded.

Observations do not show which of two directions a task rewards, so the agent has to try both. The
recorder keeps the robot's position in the simulator at every step of a lifetime.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epg_tf.inner_loop.lifetime import Update
from epg_tf.tasks.family import Task

DIRECTION = "direction"  # the task parameter of Fig. 8; not all families have it
WORDS = {1.0: "forward", -1.0: "backward"}


class Travel(NamedTuple):
    """The travel of W robots over lifetimes of T steps.

    Attributes:
        position: The position after each step, before any reset, in metres from the origin, [W, T].
        moved: The distance moved in each step, with its sign, in metres, [W, T].
        has_ended: True for the last step of an episode, [W, T].
    """

    position: np.ndarray
    moved: np.ndarray
    has_ended: np.ndarray


class TravelRecorder:
    """Records the travel of W robots as an observer of updates."""

    def __init__(self, coordinate: int):
        """Starts an empty record.

        Args:
            coordinate: The index in `qpos` of the position to record; see
                `rendering.travel.travelling_coordinate`.
        """
        self._coordinate = coordinate
        self._before: list[np.ndarray] = []
        self._after: list[np.ndarray] = []
        self._ended: list[np.ndarray] = []

    def watch_update(self, update: Update) -> None:
        """Records the steps before an update, and which of them ended episodes."""
        place = 1 + self._coordinate  # a state holds the time before the positions
        self._before.append(update.rollout.before[..., place])
        self._after.append(update.rollout.after[..., place])
        self._ended.append(update.experience.ended)

    def travel(self) -> Travel:
        """Returns the record of all steps so far."""
        parts = (self._before, self._after, self._ended)
        before, after, ended = (np.concatenate(part, axis=1) for part in parts)
        return Travel(after, after - before, ended)


def rewarded_direction(task: Task) -> float | None:
    """Returns 1 or -1 if a task rewards moving forward or backward, otherwise None."""
    value = np.asarray(task.parameters.get(DIRECTION, np.nan))
    return float(value) if value.size == 1 and value.item() in WORDS else None


def turning_points(progress: np.ndarray) -> np.ndarray:
    """Returns when exploring ends: from then on net movement is in the rewarded direction.

    Args:
        progress: The distance so far in the rewarded direction, summed over episodes, [W, T].

    Returns:
        The number of steps after which progress is lowest, [W]; 0 if it never becomes negative.
    """
    from_start = np.concatenate([np.zeros((len(progress), 1)), progress], axis=1)
    return from_start.argmin(axis=1)
