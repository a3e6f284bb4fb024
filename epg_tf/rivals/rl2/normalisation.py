"""What RL² normalises its inputs and rewards by: moments of all that its trials have met."""

from __future__ import annotations

import dataclasses

import numpy as np

from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.rivals.meta_training.rival import Arrays

_CLIP = 10.0
_KINDS = ("observations", "rewards", "discounted")


@dataclasses.dataclass(frozen=True)
class Normalisation:
    """Statistics that stand still within an epoch.

    Attributes:
        observations: Of observations, [1, S].
        rewards: Of rewards, as the policy is shown them, [1, 1].
        discounted: Of discounted sums of rewards, by whose deviation those that are maximised are
            divided, [1, 1].
    """

    observations: RunningStatistics
    rewards: RunningStatistics
    discounted: RunningStatistics

    @classmethod
    def start(cls, observation_size: int) -> Normalisation:
        """That of a run that has not begun."""
        return cls(*(RunningStatistics.start(1, size) for size in (observation_size, 1, 1)))

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Normalisation:
        """That of a state."""
        return cls(
            *(
                RunningStatistics(
                    float(arrays[f"{kind}_count"]),
                    arrays[f"{kind}_total"],
                    arrays[f"{kind}_total_of_squares"],
                )
                for kind in _KINDS
            )
        )

    def as_arrays(self) -> dict[str, np.ndarray]:
        """For a state."""
        return {
            f"{kind}_{field.name}": np.asarray(getattr(getattr(self, kind), field.name))
            for kind in _KINDS
            for field in dataclasses.fields(RunningStatistics)
        }

    def observation(self, samples: np.ndarray) -> np.ndarray:
        """Observations [W, S] as the network is fed them."""
        return np.clip(self.observations.normalise(samples[np.newaxis])[0], -_CLIP, _CLIP)

    def reward(self, samples: np.ndarray) -> np.ndarray:
        """Rewards [W] as the network is fed them."""
        return np.clip(self.rewards.normalise(samples[np.newaxis, :, np.newaxis]), -_CLIP, _CLIP)[
            0, :, 0
        ]

    def scaled(self, rewards: np.ndarray) -> np.ndarray:
        """Rewards [T, W] as they are maximised: divided, but not centred."""
        return np.clip(rewards / self.discounted.std[0, 0], -_CLIP, _CLIP)

    def updated(
        self, observations: np.ndarray, rewards: np.ndarray, discount: float
    ) -> Normalisation:
        """Takes in an epoch's trials: observations [T, W, S] and rewards [T, W]."""
        sums, running = np.empty_like(rewards), np.zeros(rewards.shape[1])
        for t, reward in enumerate(rewards):
            running = sums[t] = discount * running + reward
        return Normalisation(
            self.observations.updated(observations.reshape(1, -1, observations.shape[-1])),
            self.rewards.updated(rewards.reshape(1, -1, 1)),
            self.discounted.updated(sums.reshape(1, -1, 1)),
        )
