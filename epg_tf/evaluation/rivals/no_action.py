"""The opponent that does nothing: what a body is worth that never acts, such as a still arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.inner_loop.seeds import LifetimeSeed
from epg_tf.inner_loop.settings import InnerLoop
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
    steps = settings.steps_per_update
    driver = make_driver(family, seeds, _NoAction, steps, num_threads)
    episodes = EpisodeReturns(len(seeds))
    for k in range(1, settings.num_updates + 1):
        episodes.add(driver.run())
        if on_update is not None:
            on_update(k)
    return episodes


class _NoAction(ActingPolicy):
    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Zeros [W, A]."""
        del observation
        return np.zeros_like(noise)
