"""M steps of an agent as trajectories that TF-Agents' PPO learns from as it should.

Two things are not as TF-Agents' own drivers would leave them.

There are no boundary steps, which drivers put between episodes. PPO masks them out of its loss, but
counts them in the loss's mean, in the moments of the advantages and in the normalisers. Advantages
and returns are the same without them: where an episode ended (`next_step_type` LAST) both are cut.

After an end PPO expects nothing, even where the time limit cut the episode, and so learns little
where episodes are short. Where a trajectory ends but its episode does not, it expects what it
expected of the last step. So an episode that was cut is the end of a trajectory: of a row of its
own, and not LAST. PPO computes backwards from a row's end, so the steps before the episode may stay
in the row; nobody reads what becomes of them there.
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
        rows: R trajectories that end with one of the steps each, and one step more, whose
            observation is where it arrived: arrays [R, M + 1, ...] without policy info.
        places: For every step the row and the column to read it from, [M, 2].
    """

    rows: trajectory.Trajectory
    places: np.ndarray


def trajectories(experience: Experience, worker: int, time_limit: int | None) -> Trajectories:
    """An agent's M newest steps, cut where the time limit cut its episodes.

    Args:
        experience: M steps of all agents.
        worker: The agent, by its place among all.
        time_limit: Steps after which episodes are cut; None if that is to be an end like any other.

    Returns:
        The trajectories; how many there are depends on M and the time limit alone.
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
