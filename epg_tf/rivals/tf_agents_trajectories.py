"""Trajectories for TF-Agents' PPO, made of M steps of an agent.

They differ in two ways from the trajectories of TF-Agents' drivers.

There are no boundary steps, which drivers put between episodes. PPO masks them out of its loss, but
counts them in the loss's mean, the moments of the advantages and the normalisers. Without them,
advantages and returns are the same, since an episode's end (`next_step_type` LAST) cuts both.

Time limits bootstrap. After LAST, PPO counts a value of 0 even if the time limit cut the episode,
so it learns little from short episodes. But if a trajectory ends before LAST, PPO bootstraps from
the last step's value. So each cut episode ends a separate row, without LAST. PPO computes backwards
from a row's end, so earlier steps may stay in the row. Their results there are never read.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tf_agents.trajectories import time_step as ts
from tf_agents.trajectories import trajectory

from epg_tf.agent.experience import Experience


class Trajectories(NamedTuple):
    """One agent's M newest steps.

    Attributes:
        rows: R trajectories, arrays [R, M + 1, ...] without policy info. The last column holds the
            observation after the last step.
        places: The row and the column to read each step from, [M, 2].
    """

    rows: trajectory.Trajectory
    places: np.ndarray


def trajectories(experience: Experience, worker: int, time_limit: int | None) -> Trajectories:
    """Returns an agent's M newest steps, split where the time limit cut an episode.

    Args:
        experience: M steps of all agents.
        worker: The index of the agent.
        time_limit: Steps after which episodes are cut; None to treat a cut like any other end.

    Returns:
        The trajectories; R depends on M and the time limit alone.
    """
    num_steps = experience.length
    ended, terminated = experience.ended[worker], experience.terminated[worker]
    cut = np.zeros_like(ended) if time_limit is None else ended & ~terminated
    num_rows = 1 if time_limit is None else (num_steps - 1) // time_limit + 2
    ends = np.full(num_rows, num_steps - 1)
    (cuts,) = np.nonzero(cut)
    ends[: len(cuts)] = cuts
    steps = np.maximum(ends[:, np.newaxis] - np.arange(num_steps)[::-1], 0)  # [R, M]

    def rows(array: np.ndarray, last=0) -> np.ndarray:
        last = np.broadcast_to(np.asarray(last, array.dtype), (num_rows, *array.shape[1:]))
        return np.concatenate([array[steps], last[:, np.newaxis]], axis=1)

    starts = np.concatenate([[False], ended[:-1]])
    now, then = np.where(starts, ts.StepType.FIRST, ts.StepType.MID), ended & ~cut
    row = np.searchsorted(ends, np.arange(num_steps))
    return Trajectories(
        trajectory.Trajectory(
            step_type=rows(now.astype(np.int32), ts.StepType.MID),  # pyright: ignore[reportArgumentType]
            observation=rows(
                experience.observation[worker], experience.next_observation[worker, ends]
            ),
            action=rows(experience.action[worker]),
            policy_info=(),
            next_step_type=rows(
                np.where(then, ts.StepType.LAST, ts.StepType.MID).astype(np.int32),
                ts.StepType.MID,  # pyright: ignore[reportArgumentType]
            ),
            reward=rows(experience.reward[worker].astype(np.float32)),
            discount=rows(np.where(terminated, 0.0, 1.0).astype(np.float32)),
        ),
        np.stack([row, num_steps - 1 - ends[row] + np.arange(num_steps)], axis=1),
    )
