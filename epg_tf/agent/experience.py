"""The agents' experience: M steps at a time, and the buffer of N steps (section 3.3)."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Experience:
    """T consecutive steps of W workers, oldest first, without normalisation.

    Attributes:
        observation: The observation before the step, [W, T, S].
        action: The policy's action, [W, T, A], or [W, T] action numbers.
        reward: [W, T].
        terminated: 1 where the task itself ended an episode, so that nothing follows, [W, T].
        ended: 1 where the task or the time limit ended an episode, [W, T].
        next_observation: The observation after the step, before any reset, [W, T, S].
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray
    next_observation: np.ndarray

    @classmethod
    def empty(cls) -> Experience:
        """Returns an experience of no steps, to be extended by `followed_by`."""
        return cls(*[np.empty((0, 0))] * len(dataclasses.fields(cls)))

    def followed_by(self, newer: Experience, size: int) -> Experience:
        """Returns the newest `size` steps of this experience and `newer`, or all if fewer."""
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
        """The number of steps, T."""
        return self.reward.shape[1]


def _fields(experience: Experience) -> list[np.ndarray]:
    return [getattr(experience, field.name) for field in dataclasses.fields(experience)]
