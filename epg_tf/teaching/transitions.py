"""What teachers are asked about: single steps, and what came of them within the n that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.experience import Experience


class Transitions(NamedTuple):
    """M steps of each of L updates, float32, with returns of n steps (Sutton 1988).

    Attributes:
        observation: What was acted on, as the task gave it, [L, M, S].
        action: As the policy gave it, [L, M, A].
        partial_return: The discounted rewards of this step and of those after it, n in all or
            fewer: up to the end of the episode or of the M steps, [L, M].
        discount: What the worth of where they lead is multiplied by, 0 where nothing follows,
            [L, M].
        later_observation: Where they lead, before any reset, [L, M, S].
        task: What was drawn for the task, see `task_numbers`, [L, M, T].
    """

    observation: np.ndarray
    action: np.ndarray
    partial_return: np.ndarray
    discount: np.ndarray
    later_observation: np.ndarray
    task: np.ndarray


class Situations(NamedTuple):
    """M steps of each of L updates as somebody else would meet them, float32.

    Attributes:
        observation: What was acted on, as the task gave it, [L, M, S].
        task: What was drawn for the task, see `task_numbers`, [L, M, T].
    """

    observation: np.ndarray
    task: np.ndarray


def situations(experience: Experience, parameters: Mapping[str, np.ndarray]) -> Situations:
    """The situations of W workers' M steps; arguments as for `transitions`."""
    steps = experience.observation.shape[1]
    task = np.repeat(task_numbers(parameters)[:, np.newaxis], steps, axis=1)
    return Situations(experience.observation.astype(np.float32), task.astype(np.float32))


def transitions(
    experience: Experience, parameters: Mapping[str, np.ndarray], discount: float, num_steps: int
) -> Transitions:
    """The transitions of W workers' M steps.

    Args:
        experience: The steps.
        parameters: What was drawn for the workers' tasks, by name, [W, ...] each.
        discount: gamma.
        num_steps: n, at most.
    """
    shape = experience.reward.shape
    partial_return, discounts = np.zeros(shape), np.zeros(shape)
    later = np.array(experience.next_observation)
    goes_on = np.ones(shape, bool)
    for i in range(min(num_steps, shape[1])):
        # Of all steps at once what came i steps later, where that belongs to the same episode.
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
    """What was drawn for W tasks, and is for people to know, in a row each, [W, T]."""
    return np.concatenate(list(_known(parameters).values()), axis=1)


def task_columns(parameters: Mapping[str, np.ndarray], names: Sequence[str]) -> list[int]:
    """Which of `task_numbers` are what was drawn under some names.

    Raises:
        KeyError: If nothing was drawn under one of them.
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
