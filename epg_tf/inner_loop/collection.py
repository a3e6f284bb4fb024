"""How agents meet their tasks: the simulator, the policy and the driver of W lifetimes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from epg_tf.agent import driver
from epg_tf.agent.acting import ActingPolicy
from epg_tf.inner_loop.seeds import LifetimeSeed, Stream
from epg_tf.tasks.environment import BatchedEnvironment
from epg_tf.tasks.family import TaskFamily
from epg_tf.tasks.simulator import BatchSimulator


def make_driver(
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    make_policy: Callable[..., ActingPolicy],
    num_steps: int,
    num_threads: int = 0,
    resets: Stream = Stream.RESETS,
) -> driver.LifetimeDriver:
    """Starts an episode for every agent; whoever learns, the same seeds give the same tasks.

    Args:
        family: Where tasks come from.
        seeds: One per agent.
        make_policy: Makes what the agents act by, of the specs of time steps and of actions and of
            a generator per agent; it needs to be given weights before steps are collected.
        num_steps: Steps to collect at a time.
        num_threads: Simulator threads, where agents act step by step; 0 for none but the caller's.
        resets: Which random numbers episodes start with.

    Returns:
        A driver that collects the agents' next steps whenever it is run.
    """
    simulator = BatchSimulator(
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
