"""The opponent that does nothing: what a body is worth that never acts, such as a still arm."""

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
    """Lives K times M steps without an action, and learns nothing.

    Args:
        settings: For K and M.
        family: Where tasks come from; its actions are a box.
        seeds: One per agent; task and resets are those of every lifetime with that seed.
        num_threads: Simulator threads; 0 for none but the caller's.
        on_update: Called with k after each M steps.

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
        """Zeros [W, A]."""
        del observation
        return np.zeros_like(noise)
