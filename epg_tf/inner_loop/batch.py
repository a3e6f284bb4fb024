"""Update batches: the replay buffer, normalised by each worker's own statistics (section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import gated_observation
from epg_tf.tasks.family import Spaces

Statistics = dict[str, RunningStatistics]


class UpdateBatch(NamedTuple):
    """The buffer of N steps, oldest first, with more on the M newest; float32 unless stated.

    Attributes:
        observation: Normalised, [W, N, S].
        action: Normalised features, [W, N, A].
        termination: 1 where an episode ended, else 0, [W, N, 1].
        reward: As the learned loss sees it, [W, N, 1]; None where it does not.
        gated_observation: [W, N, S + 1]; None where the learned loss does not see it.
        mask: 0 where the buffer is padded, [W, N, 1]; None where it can only be full.
        newest_action: The actions as taken, [W, M, A], or [W, M] action numbers.
        newest_reward: The rewards as given, [W, M]; None where there is no guidance.
        newest_terminated: 1 where nothing follows, [W, M]; None where there is no guidance.
        newest_next_observation: Normalised, [W, M, S]; None where there is no guidance.
        permutation: For each pass, the order of the M newest steps, [W, passes, M] int32.
    """

    observation: np.ndarray
    action: np.ndarray
    termination: np.ndarray
    reward: np.ndarray | None
    gated_observation: np.ndarray | None
    mask: np.ndarray | None
    newest_action: np.ndarray
    newest_reward: np.ndarray | None
    newest_terminated: np.ndarray | None
    newest_next_observation: np.ndarray | None
    permutation: np.ndarray


def start_statistics(settings: InnerLoop, spaces: Spaces, num_workers: int) -> Statistics:
    """Returns the initial statistics of everything that `InnerLoop` normalises."""
    sizes = {"observation": spaces.observation_size}
    if "action" in settings.learned_loss.normalised:
        sizes["action"] = spaces.action_features
    if settings.learned_loss.sees_reward and "reward" in settings.learned_loss.normalised:
        sizes["reward"] = 1
    start = {name: RunningStatistics.start(num_workers, size) for name, size in sizes.items()}
    if settings.observation_statistics is not None:
        mean, std = settings.observation_statistics
        start["observation"] = RunningStatistics.of(mean, std, num_workers)
    return start


def refreshed_statistics(
    settings: InnerLoop, statistics: Statistics, experience: Experience, num_actions: int | None
) -> Statistics:
    """Returns the statistics updated with the newest steps; given statistics stay fixed."""
    samples = _features(experience, num_actions)
    refreshed = {name: running.updated(samples[name]) for name, running in statistics.items()}
    if settings.observation_statistics is not None:
        refreshed["observation"] = statistics["observation"]
    return refreshed


def make_update_batch(
    settings: InnerLoop,
    buffer: Experience,
    statistics: Statistics,
    minibatch_generators: Sequence[np.random.Generator],
    num_actions: int | None,
    guided: bool,
) -> UpdateBatch:
    """Builds the batch of an update.

    Args:
        settings: The settings of the lifetimes.
        buffer: At least M and at most N steps.
        statistics: The statistics to normalise by.
        minibatch_generators: One per worker, for the order of its steps.
        num_actions: The size of a finite action space, None for a box.
        guided: Whether rewards are needed for guidance.

    Returns:
        The batch, padded on the left with zeros to N steps.
    """
    num_steps, size = settings.steps_per_update, settings.buffer_size
    features = {
        name: statistics[name].normalise(values) if name in statistics else values
        for name, values in _features(buffer, num_actions).items()
    }
    mask = None
    if size > num_steps:
        mask = _padded(np.ones((*buffer.reward.shape, 1), np.float32), size)
    newest = slice(buffer.length - num_steps, None)
    next_observation = buffer.next_observation[:, newest]
    gated = None
    if "gated_observation" in settings.learned_loss.inputs:
        with np.errstate(invalid="ignore", over="ignore"):  # values of a diverged worker
            gated = gated_observation(np, features["observation"], features["reward"], num_steps)
            gated = _padded(gated, size)
    return UpdateBatch(
        observation=_padded(features["observation"], size),
        action=_padded(features["action"], size),
        termination=_padded(buffer.ended[..., np.newaxis], size),
        reward=_padded(features["reward"], size) if settings.learned_loss.sees_reward else None,
        gated_observation=gated,
        mask=mask,
        newest_action=buffer.action[:, newest],
        newest_reward=buffer.reward[:, newest].astype(np.float32) if guided else None,
        newest_terminated=buffer.terminated[:, newest].astype(np.float32) if guided else None,
        newest_next_observation=(
            statistics["observation"].normalise(next_observation) if guided else None
        ),
        permutation=_permutations(settings, minibatch_generators),
    )


def _permutations(settings: InnerLoop, generators: Sequence[np.random.Generator]) -> np.ndarray:
    steps = np.arange(settings.steps_per_update, dtype=np.int32)
    shape = (len(generators), settings.num_passes, len(steps))
    if settings.num_minibatches == 1:  # the step takes all rows: their order is irrelevant
        return np.broadcast_to(steps, shape)
    orders = [g.permuted(np.broadcast_to(steps, shape[1:]), axis=1) for g in generators]
    return np.stack(orders)


def _features(experience: Experience, num_actions: int | None) -> dict[str, np.ndarray]:
    """Returns everything that may be normalised, [W, T, size]; finite actions are one-hot."""
    action = experience.action
    return {
        "observation": experience.observation,
        "action": action if num_actions is None else np.eye(num_actions)[action],
        "reward": experience.reward[..., np.newaxis],
    }


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    """Puts zeros before [W, T, D] so that it becomes [W, size, D] float32."""
    missing = size - values.shape[1]
    return np.pad(values.astype(np.float32, copy=False), ((0, 0), (missing, 0), (0, 0)))
