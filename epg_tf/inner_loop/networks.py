"""The networks of a lifetime as its settings describe them: agents, and learned losses."""

from __future__ import annotations

from epg_tf.agent.agents import Agents
from epg_tf.inner_loop.inputs import zeros
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LossNetwork
from epg_tf.tasks.family import Spaces


def build_agents(settings: InnerLoop, spaces: Spaces, num_workers: int = 1) -> Agents:
    """Returns theta of W agents; `Agents.draw` needs only one, whose sizes are those of all."""
    return Agents(
        num_workers,
        spaces.observation_size,
        spaces.action_size,
        spaces.num_actions,
        hidden_sizes=settings.hidden_sizes,
        memory_size=settings.memory_size,
        initial_log_std=settings.initial_log_std,
        mean_activation=settings.mean_activation,
        log_std_bounds=settings.log_std_bounds,
    )


def build_loss(settings: InnerLoop, spaces: Spaces, num_workers: int = 1) -> LossNetwork:
    """Returns W learned losses with the variables of phi, after a call on a buffer of zeros."""
    loss = settings.learned_loss.build(num_workers)
    loss.per_step(zeros(settings, spaces, num_workers))
    return loss
