"""Transitions and states, which teachers learn from or label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.experience import Experience


class Transitions(NamedTuple):
    """M steps of each of L updates, float32, with returns of n steps (Sutton 1988).

    Attributes:
        observation: The task's observation, [L, M, S].
        action: The policy's action, [L, M, A].
        partial_return: The discounted sum of up to n rewards from this step on, until the end of
            the episode or of the M steps, [L, M].
        discount: The factor on the value of `later_observation`; 0 after termination, [L, M].
        later_observation: The observation after these rewards, before any reset, [L, M, S].
        task: The parameters of the task, see `task_numbers`, [L, M, T].
    """

    observation: np.ndarray
    action: np.ndarray
    partial_return: np.ndarray
    discount: np.ndarray
    later_observation: np.ndarray
    task: np.ndarray


class States(NamedTuple):
    """M states of each of L updates, float32.

    Attributes:
        observation: The task's observation, [L, M, S].
        task: The parameters of the task, see `task_numbers`, [L, M, T].
    """

    observation: np.ndarray
    task: np.ndarray


def states_of(experience: Experience, parameters: Mapping[str, np.ndarray]) -> States:
    """Returns the states of W workers' M steps; arguments as for `transitions`."""
    steps = experience.observation.shape[1]
    task = np.repeat(task_numbers(parameters)[:, np.newaxis], steps, axis=1)
    return States(experience.observation.astype(np.float32), task.astype(np.float32))


def transitions(
    experience: Experience, parameters: Mapping[str, np.ndarray], discount: float, num_steps: int
) -> Transitions:
    """Returns the transitions of W workers' M steps.

    Args:
        experience: The steps.
        parameters: The parameters of the workers' tasks by name, [W, ...] each.
        discount: gamma.
        num_steps: n, at most.
    """
    shape = experience.reward.shape
    partial_return, discounts = np.zeros(shape), np.zeros(shape)
    later = np.array(experience.next_observation)
    goes_on = np.ones(shape, bool)
    for i in range(min(num_steps, shape[1])):
        # Adds the reward i steps ahead to every step that is still in the same episode.
        begun, here = (slice(None), slice(shape[1] - i)), (slice(None), slice(i, None))
        live = goes_on[begun]
        partial_return[begun] += np.where(live, discount**i * experience.reward[here], 0.0)
        follows = discount ** (i + 1) * ~experience.terminated[here].astype(bool)
        discounts[begun] = np.where(live, follows, discounts[begun])
        arrived = experience.next_observation[here]
        later[begun] = np.where(live[..., np.newaxis], arrived, later[begun])
        goes_on[begun] &= ~experience.ended[here].astype(bool)
    task = np.repeat(task_numbers(parameters)[:, np.newaxis], shape[1], axis=1)
    parts = (experience.observation, experience.action, partial_return, discounts, later, task)
    return Transitions(*(part.astype(np.float32) for part in parts))


def task_numbers(parameters: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns the public parameters of W tasks, a row each, [W, T]."""
    return np.concatenate(list(_known(parameters).values()), axis=1)


def task_columns(parameters: Mapping[str, np.ndarray], names: Sequence[str]) -> list[int]:
    """Returns the columns of `task_numbers` that have some names.

    Raises:
        KeyError: If no parameter has one of the names.
    """
    known, columns, start = _known(parameters), {}, 0
    for name, values in known.items():
        columns[name] = range(start, start := start + values.shape[1])
    return [column for name in names for column in columns[name]]


def _known(parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name: np.reshape(values, (len(values), -1))
        for name, values in sorted(parameters.items())
        if not name.startswith("_")
    }
