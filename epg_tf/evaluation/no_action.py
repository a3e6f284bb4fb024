"""The opponent that does nothing: what a body is worth that never acts, such as a still arm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.episodes import EpisodeReturns
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop import InnerLoop, LifetimeSeed, Stream
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import TaskFamily
from epg_tf.tasks.simulator import BatchSimulator


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
    simulator = BatchSimulator(
        family,
        [family.sample(seed.task_seed) for seed in seeds],
        [seed.generator(Stream.RESETS) for seed in seeds],
        num_threads,
    )
    environment = BatchedEnvironment(simulator)
    policy = _NoAction(
        environment.time_step_spec(),
        environment.action_spec(),
        [seed.generator(Stream.ACTIONS) for seed in seeds],
    )
    newest: list[Experience] = []
    driver = LifetimeDriver(
        environment,
        policy,
        [lambda transition: newest.append(Experience.from_transition(transition))],
        settings.steps_per_update,
    )
    episodes = EpisodeReturns(len(seeds))
    for k in range(1, settings.num_updates + 1):
        driver.run()
        episodes.add(newest.pop())
        if on_update is not None:
            on_update(k)
    return episodes


class _NoAction(ActingPolicy):
    def act(self, observation: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Zeros [W, A]."""
        del observation
        return np.zeros_like(noise)
