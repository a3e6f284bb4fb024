"""The state of W lifetimes between two updates, and its arrays, from which a process can resume.

Everything else in a lifetime follows from its seeds, its phi and the settings.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

import numpy as np

from epg_tf.agent.arrays import Arrays, below
from epg_tf.agent.driver import LifetimeDriver
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.inner_loop.learning import Learning, restore_states, states_of


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
        learning: The agents and what they learn from.
        driver: The tasks and the policies that act.
        episodes: The returns so far.
        diverged: True for workers with a gradient that was not finite, [W].
        k: The number of updates so far.
        update_seconds: The time that this process spent in updates.
    """

    learning: Learning
    driver: LifetimeDriver
    episodes: EpisodeReturns
    diverged: np.ndarray
    k: int = 0
    update_seconds: float = 0.0

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns the state as arrays by name."""
        driver = {f"driver_{name}": array for name, array in self.driver.state().items()}
        episodes = {f"episodes_{name}": of for name, of in self.episodes.as_arrays().items()}
        return {
            **self.learning.as_arrays(),
            **driver,
            **episodes,
            "actions": states_of(self.driver.policy.generators),
            "resets": states_of(self.driver.env.simulator.rngs),
            "diverged": self.diverged,
            "k": np.array(self.k),
        }

    def restore(self, arrays: Arrays) -> None:
        """Restores a state that `as_arrays` returned for the same seeds and settings.

        Does nothing for a state with other arrays. Machines without native code make such states,
        since the two drivers draw initial states at different times.
        """
        if arrays.keys() != self.as_arrays().keys():
            return
        self.learning.restore(arrays)
        self.driver.restore(below(arrays, "driver_"))
        self.episodes = EpisodeReturns.from_arrays(below(arrays, "episodes_"))
        restore_states(self.driver.policy.generators, arrays["actions"])
        restore_states(self.driver.env.simulator.rngs, arrays["resets"])
        self.diverged = arrays["diverged"]
        self.k = int(arrays["k"])
