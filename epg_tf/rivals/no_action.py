"""The opponent that never acts: the return of a passive body, such as a still arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily


def learn(
    settings: InnerLoop,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    num_threads: int = 0,
    on_update: Callable[[int], object] | None = None,
) -> EpisodeReturns:
    """Takes K times M steps with zero actions, and learns nothing.

    Args:
        settings: The inner loop's settings; only K and M matter.
        family: The distribution of tasks; its actions are a box.
        seeds: One per agent; a seed fixes task and resets for every method.
        num_threads: Threads of the simulator; 0 for the caller's alone.
        on_update: Called with k after every M steps.

    Returns:
        The returns of all episodes.
    """
    driver = make_driver(family, seeds, _NoAction, settings.steps_per_update, num_threads)
    return act_without_learning(driver, settings.num_updates, on_update)


def act_without_learning(
    driver: LifetimeDriver, num_updates: int, on_update: Callable[[int], object] | None
) -> EpisodeReturns:
    """Runs a driver K times; see `learn`."""
    episodes = EpisodeReturns(driver.env.simulator.num_workers)
    for k in range(1, num_updates + 1):
        episodes.add(driver.run())
        if on_update is not None:
            on_update(k)
    return episodes


class _NoAction(ActingPolicy):
    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Returns zeros [W, A]."""
        del observation
        return np.zeros_like(noise)
