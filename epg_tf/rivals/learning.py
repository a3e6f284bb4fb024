"""The returns of agents that learn, of whatever opponent they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.episodes import EpisodeReturns


def forever(driver: LifetimeDriver) -> Iterator[Experience]:
    """Yields the rollouts of agents that do not learn."""
    while True:
        yield driver.run()


def returns_of(
    rollouts: Iterable[Experience],
    num_agents: int,
    num_updates: int,
    steps_per_update: int,
    on_update: Callable[[int], object] | None = None,
) -> EpisodeReturns:
    """Returns the returns of all episodes of W agents that live for K times M steps.

    Args:
        rollouts: The steps of the agents, a divisor of M at a time. The agents may learn from them.
        num_agents: W.
        num_updates: K.
        steps_per_update: M.
        on_update: Called with k after every M steps.
    """
    episodes, num_steps = EpisodeReturns(num_agents), 0
    for rollout in rollouts:
        episodes.add(rollout)
        num_steps += rollout.length
        if on_update is not None and num_steps % steps_per_update == 0:
            on_update(num_steps // steps_per_update)
        if num_steps >= num_updates * steps_per_update:
            break
    return episodes
