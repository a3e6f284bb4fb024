"""The state of W agents that learn: everything that an update reads and changes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import numpy as np

from epg_tf.agent.agents import Agents, AgentState
from epg_tf.agent.arrays import Arrays, named, record
from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.batch import (
    Statistics,
    UpdateBatch,
    make_update_batch,
    refreshed_statistics,
    start_statistics,
)
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed, Stream
from epg_tf.tasks.family import Spaces


@dataclasses.dataclass
class Learning:
    """The state of W agents between two updates.

    Attributes:
        agents: The agents and their Adam.
        minibatches: The workers' generators for the order of minibatches.
        statistics: The statistics that normalise observations of acting.
        buffer: The N newest steps.
    """

    agents: AgentState
    minibatches: Sequence[np.random.Generator]
    statistics: Statistics
    buffer: Experience

    @classmethod
    def begin(
        cls, settings: InnerLoop, spaces: Spaces, agents: Agents, seeds: Sequence[LifetimeSeed]
    ) -> Learning:
        """Returns the state of fresh agents, one per seed."""
        return cls(
            agents.draw([seed.generator(Stream.AGENT) for seed in seeds]),
            [seed.generator(Stream.MINIBATCHES) for seed in seeds],
            start_statistics(settings, spaces, len(seeds)),
            Experience.empty(),
        )

    def take_in(
        self, settings: InnerLoop, newest: Experience, num_actions: int | None, guided: bool
    ) -> tuple[UpdateBatch, Statistics]:
        """Adds the M newest steps to the buffer.

        Args:
            settings: The settings of the lifetimes.
            newest: The steps.
            num_actions: The size of a finite action space, None for a box.
            guided: Whether rewards are needed for guidance.

        Returns:
            The batch of the update, and the statistics that are to replace `statistics` after it.
        """
        self.buffer = self.buffer.followed_by(newest, settings.buffer_size)
        refreshed = refreshed_statistics(settings, self.statistics, newest, num_actions)
        early = settings.refresh_statistics == "before_update"
        shown = refreshed if early else self.statistics
        given = self.buffer, shown, self.minibatches
        return make_update_batch(settings, *given, num_actions, guided), refreshed

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns the state as arrays by name."""
        sums = {f"statistics_{name}": running for name, running in self.statistics.items()}
        found = named(agents=self.agents, buffer=self.buffer, **sums)
        return {**found, "minibatches": states_of(self.minibatches)}

    def restore(self, arrays: Arrays) -> None:
        """Restores a state that `as_arrays` returned; ignores other arrays."""
        self.agents = record(AgentState, arrays, "agents_")
        self.buffer = record(Experience, arrays, "buffer_")
        self.statistics = {
            name: record(RunningStatistics, arrays, f"statistics_{name}_")
            for name in self.statistics
        }
        restore_states(self.minibatches, arrays["minibatches"])


def states_of(generators: Sequence[np.random.Generator]) -> np.ndarray:
    """Returns the generators' states as JSON, [W] strings."""
    return np.array([json.dumps(generator.bit_generator.state) for generator in generators])


def restore_states(generators: Sequence[np.random.Generator], states: np.ndarray) -> None:
    """Restores the result of `states_of`."""
    for generator, state in zip(generators, states, strict=True):
        generator.bit_generator.state = json.loads(str(state))
