"""The loss's teacher itself: an expert or a critic's actor, which no longer learns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.agent.driver import LifetimeDriver
from epg_tf.inner_loop import collection
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.taught_epochs import TrainedTeacher
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily
from epg_tf.teaching.transitions import task_numbers


def make_driver(
    teacher: TrainedTeacher,
    settings: InnerLoop,
    family: TaskFamily,
    seeds: Sequence[LifetimeSeed],
    explores: bool = False,
) -> LifetimeDriver:
    """Starts an episode for one copy of the teacher per seed, without noise unless `explores`.

    If `ExpertTeacher.family` has k times the `frame_skip`, the expert holds each action for k
    steps, as in its training. Rewards and episodes are the same as for agents.
    """
    taught_by = teacher.settings
    learned_on = getattr(taught_by, "family", None) or teacher.run.family
    steps = settings.steps_per_update
    driver = collection.make_driver(family, seeds, taught_by.policy_type, steps)
    simulator, policy = driver.env.simulator, driver.policy
    tasks = task_numbers(simulator.parameters)
    (*weights, log_std), statistics = taught_by.actors(learned_on, teacher.state, tasks)
    log_std = log_std if explores else np.full_like(log_std, -np.inf)
    policy.load([*weights, log_std], statistics)
    policy.steps, policy.hold = simulator.steps, max(1, learned_on.frame_skip // family.frame_skip)
    return driver
