"""Makes drivers: the simulator and policy of W agents, joined to collect rollouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from epg_tf.agent import driver
from epg_tf.agent.acting import ActingPolicy
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks import simulator as simulators
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import TaskFamily


def make_driver(
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    make_policy: Callable[..., ActingPolicy],
    num_steps: int,
    num_threads: int = 0,
    resets: Stream = Stream.RESETS,
) -> driver.LifetimeDriver:
    """Starts an episode for every agent.

    The tasks depend on the seeds alone, not on the algorithm that learns.

    Args:
        family: Where tasks come from.
        seeds: One per agent.
        make_policy: Makes the policy from the specs of time steps and actions and from a generator
            per agent. The policy needs weights before the driver runs.
        num_steps: Steps to collect at a time.
        num_threads: Simulator threads, where agents act step by step; 0 for none but the caller's.
        resets: The random stream of initial states.

    Returns:
        A driver that collects the agents' next steps whenever it is run.
    """
    simulator = simulators.start(
        family,
        [family.sample(seed.task_seed) for seed in seeds],
        [seed.generator(resets) for seed in seeds],
        num_threads,
    )
    environment = BatchedEnvironment(simulator)
    policy = make_policy(
        environment.time_step_spec(),
        environment.action_spec(),
        [seed.generator(Stream.ACTIONS) for seed in seeds],
    )
    return driver.make(environment, policy, num_steps)
