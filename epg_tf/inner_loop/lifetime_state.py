"""The state of W lifetimes between two updates, and its arrays, from which a process can resume.

Everything else in a lifetime follows from its seeds, its phi and the settings.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from epg_tf.agent.agents import AgentState
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.agent.experience import Experience
from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.inner_loop.batch import Statistics
from epg_tf.inner_loop.episodes import EpisodeReturns

Arrays = Mapping[str, np.ndarray]


class Snapshotter(Protocol):
    """Saves lifetimes in progress so that an interrupted epoch can resume."""

    def load(self) -> Arrays | None:
        """Returns the saved state, or None if there is none."""
        ...

    def maybe_save(self, arrays: Callable[[], Arrays]) -> None:
        """Saves `arrays()`, the state after an update, if a snapshot is due."""
        ...


@dataclasses.dataclass
class LifetimeState:
    """The state of W lifetimes between two updates.

    Attributes:
        agents: The agents and their Adam.
        driver: The tasks and the policies that act.
        minibatches: The workers' generators for the order of minibatches.
        statistics: The statistics that normalise observations of acting.
        buffer: The N newest steps.
        episodes: The returns so far.
        diverged: True for workers with a gradient that was not finite, [W].
        k: The number of updates so far.
        update_seconds: The time that this process spent in updates.
    """

    agents: AgentState
    driver: LifetimeDriver
    minibatches: Sequence[np.random.Generator]
    statistics: Statistics
    buffer: Experience
    episodes: EpisodeReturns
    diverged: np.ndarray
    k: int = 0
    update_seconds: float = 0.0

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns the state as arrays by name."""
        parts: dict[str, Arrays] = {
            "agents": {name: array.copy() for name, array in vars(self.agents).items()},
            "driver": self.driver.state(),
            "buffer": vars(self.buffer),
            "episodes": self.episodes.as_arrays(),
            "lifetime": {
                "minibatches": _states_of(self.minibatches),
                "actions": _states_of(self.driver.policy.generators),
                "resets": _states_of(self.driver.env.simulator.rngs),
                "diverged": self.diverged,
                "k": np.array(self.k),
            },
        }
        for name, running in self.statistics.items():
            sums = dataclasses.asdict(running)
            parts[f"statistics_{name}"] = {key: np.asarray(value) for key, value in sums.items()}
        return {
            f"{part}/{name}": value
            for part, named in parts.items()
            for name, value in named.items()
        }

    def restore(self, arrays: Arrays) -> None:
        """Restores a state that `as_arrays` returned for the same seeds and settings.

        Does nothing for a state with other arrays. Machines without native code make such states,
        since the two drivers draw initial states at different times.
        """
        if arrays.keys() != self.as_arrays().keys():
            return
        parts: dict[str, dict[str, np.ndarray]] = {}
        for key, value in arrays.items():
            part, name = key.split("/", 1)
            parts.setdefault(part, {})[name] = value
        self.driver.restore(parts["driver"])
        self.agents = AgentState(**parts["agents"])
        self.statistics = {
            name: RunningStatistics(
                float(parts[f"statistics_{name}"]["count"]),
                parts[f"statistics_{name}"]["total"],
                parts[f"statistics_{name}"]["total_of_squares"],
            )
            for name in self.statistics
        }
        self.buffer = Experience(**parts["buffer"])
        self.episodes = EpisodeReturns.from_arrays(parts["episodes"])
        lifetime = parts["lifetime"]
        _restore_states(self.minibatches, lifetime["minibatches"])
        _restore_states(self.driver.policy.generators, lifetime["actions"])
        _restore_states(self.driver.env.simulator.rngs, lifetime["resets"])
        self.diverged = lifetime["diverged"]
        self.k = int(lifetime["k"])


def _states_of(generators: Sequence[np.random.Generator]) -> np.ndarray:
    """Returns the generators' states as JSON, [W] strings."""
    return np.array([json.dumps(generator.bit_generator.state) for generator in generators])


def _restore_states(generators: Sequence[np.random.Generator], states: np.ndarray) -> None:
    for generator, state in zip(generators, states, strict=True):
        generator.bit_generator.state = json.loads(str(state))
