"""How opponents that are not ours meet the tasks: on the project's own simulator and driver.

So they get the same tasks, resets and action noise as every lifetime of the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.seeds import LifetimeSeed, Stream
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import TaskFamily
from epg_tf.tasks.simulator import BatchSimulator

P = TypeVar("P", bound=ActingPolicy)


class Collector(Generic[P]):
    """Collects the experience of W agents.

    Attributes:
        policy: What they act by; to be given weights before steps are collected.
    """

    def __init__(
        self,
        family: TaskFamily,
        seeds: Sequence[LifetimeSeed],
        policy: type[P],
        num_steps: int,
        num_threads: int,
    ):
        """Starts an episode for every agent.

        Args:
            family: Where tasks come from.
            seeds: One per agent.
            policy: The class of `policy`.
            num_steps: Steps to collect at a time.
            num_threads: Simulator threads; 0 for none but the caller's.
        """
        simulator = BatchSimulator(
            family,
            [family.sample(seed.task_seed) for seed in seeds],
            [seed.generator(Stream.RESETS) for seed in seeds],
            num_threads,
        )
        environment = BatchedEnvironment(simulator)
        self.policy = policy(
            environment.time_step_spec(),
            environment.action_spec(),
            [seed.generator(Stream.ACTIONS) for seed in seeds],
        )
        self._newest: list[Experience] = []
        self._driver = LifetimeDriver(
            environment,
            self.policy,
            [lambda transition: self._newest.append(Experience.from_transition(transition))],
            num_steps,
        )

    def collect(self) -> Experience:
        """Takes the next steps of every agent."""
        self._driver.run()
        return self._newest.pop()
