"""The normalisation of RL²'s inputs and rewards, by moments over all its trials so far."""

from __future__ import annotations

import dataclasses

import numpy as np

from epg_tf.agent.arrays import Arrays, named, record
from epg_tf.agent.normaliser import RunningStatistics

_CLIP = 10.0
_KINDS = ("observations", "rewards", "discounted")


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """Statistics that are constant within an epoch.

    Attributes:
        observations: The statistics of observations, [1, S].
        rewards: The statistics of rewards, which normalise rewards as inputs, [1, 1].
        discounted: The statistics of discounted sums of rewards, [1, 1]. Their standard deviation
            scales rewards for PPO.
    """

    observations: RunningStatistics
    rewards: RunningStatistics
    discounted: RunningStatistics

    @classmethod
    def start(cls, observation_size: int) -> Normalisation:
        """Returns the normalisation of a new run."""
        return cls(*(RunningStatistics.start(1, size) for size in (observation_size, 1, 1)))

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Normalisation:
        """Restores the result of `as_arrays` from a state."""
        return cls(*(record(RunningStatistics, arrays, f"{kind}_") for kind in _KINDS))

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns arrays by name for a state."""
        return named(**vars(self))

    def observation(self, samples: np.ndarray) -> np.ndarray:
        """Normalises observations [W, S] for the network."""
        return np.clip(self.observations.normalise(samples[np.newaxis])[0], -_CLIP, _CLIP)

    def reward(self, samples: np.ndarray) -> np.ndarray:
        """Normalises rewards [W] for the network."""
        return np.clip(self.rewards.normalise(samples[np.newaxis, :, np.newaxis]), -_CLIP, _CLIP)[
            0, :, 0
        ]

    def scaled(self, rewards: np.ndarray) -> np.ndarray:
        """Scales rewards [T, W] for PPO: they are divided, but not centred."""
        return np.clip(rewards / self.discounted.std[0, 0], -_CLIP, _CLIP)

    def updated(
        self, observations: np.ndarray, rewards: np.ndarray, discount: float
    ) -> Normalisation:
        """Returns statistics with an epoch's observations [T, W, S] and rewards [T, W] added."""
        sums, running = np.empty_like(rewards), np.zeros(rewards.shape[1])
        for t, reward in enumerate(rewards):
            running = sums[t] = discount * running + reward
        return Normalisation(
            self.observations.updated(observations.reshape(1, -1, observations.shape[-1])),
            self.rewards.updated(rewards.reshape(1, -1, 1)),
            self.discounted.updated(sums.reshape(1, -1, 1)),
        )
