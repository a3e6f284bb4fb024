"""What the agents lived through: M steps at a time, and the buffer of N (section 3.3)."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Experience:
    """T consecutive steps of W workers, oldest first, as they came from the simulator.

    Attributes:
        observation: What was acted on, [W, T, S].
        action: As the policy gave it, [W, T, A] or [W, T] action numbers.
        reward: [W, T].
        terminated: 1 where an episode ended by itself, so that nothing follows, [W, T].
        ended: 1 where an episode ended, by itself or by the time limit, [W, T].
        next_observation: Where the step arrived, before any reset, [W, T, S].
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray
    next_observation: np.ndarray

    @classmethod
    def empty(cls) -> Experience:
        """Nothing yet, to be followed by something."""
        return cls(*[np.empty((0, 0))] * len(dataclasses.fields(cls)))

    def followed_by(self, newer: Experience, size: int) -> Experience:
        """The newest `size` steps of this experience and `newer` (fewer while there are fewer)."""
        if not self.length:
            return newer
        return Experience(
            *(
                np.concatenate([old, new], axis=1)[:, -size:]
                for old, new in zip(_fields(self), _fields(newer), strict=True)
            )
        )

    @property
    def length(self) -> int:
        """T."""
        return self.reward.shape[1]


def _fields(experience: Experience) -> list[np.ndarray]:
    return [getattr(experience, field.name) for field in dataclasses.fields(experience)]
