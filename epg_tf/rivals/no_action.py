"""The opponent that never acts: the return of a passive body, such as a still arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.rivals.learning import forever
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily


def rollouts(
    settings: InnerLoop, family: TaskFamily, seeds: Sequence[LifetimeSeed], num_threads: int = 0
) -> Iterator[Experience]:
    """Yields the steps of agents that never act; see `tf_agents_ppo.rollouts`.

    Their actions, which must be a box, are zero.
    """
    driver = make_driver(family, seeds, _NoAction, settings.steps_per_update, num_threads)
    return forever(driver)


class _NoAction(ActingPolicy):
    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Returns zeros [W, A]."""
        del observation
        return np.zeros_like(noise)
