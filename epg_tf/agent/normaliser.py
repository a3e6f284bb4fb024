"""Running mean and standard deviation of a worker's samples in its lifetime (section 4.1).

Statistics are immutable records with one row of sums per worker. The inner loop decides when to
refresh them; they are constant while M steps are collected.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np

STD_FLOOR = 0.1

# The sums start with a hundredth of a sample of mean 0 and variance 1, as in the 2018 release.
# Without data the normaliser is the identity; a few samples outweigh this prior.
_PRIOR_COUNT = 0.01


@dataclasses.dataclass(frozen=True)
class RunningStatistics:
    """Sums over the samples of each of W workers.

    Attributes:
        count: The number of samples per worker, a scalar.
        total: The sum of samples, [W, D] float64.
        total_of_squares: The sum of squared samples, [W, D] float64.
    """

    count: float
    total: np.ndarray
    total_of_squares: np.ndarray

    @classmethod
    def start(cls, num_workers: int, size: int) -> RunningStatistics:
        """Returns statistics before any data: mean 0, standard deviation 1."""
        shape = (num_workers, size)
        return cls(_PRIOR_COUNT, np.zeros(shape), np.full(shape, _PRIOR_COUNT))

    @classmethod
    def of(cls, mean: Sequence[float], std: Sequence[float], num_workers: int) -> RunningStatistics:
        """Returns statistics with a mean and a standard deviation [D] that all workers share."""
        total, squares = np.array(mean, np.float64), np.square(mean) + np.square(std)
        shape = (num_workers, len(total))
        return cls(1.0, np.broadcast_to(total, shape), np.broadcast_to(squares, shape))

    @classmethod
    def side_by_side(cls, parts: Sequence[RunningStatistics]) -> RunningStatistics:
        """Concatenates the statistics of groups of workers that have seen equally many samples."""
        return cls(
            parts[0].count,
            np.concatenate([part.total for part in parts]),
            np.concatenate([part.total_of_squares for part in parts]),
        )

    def updated(self, samples: np.ndarray) -> RunningStatistics:
        """Returns the statistics with samples [W, T, D] added."""
        samples = np.asarray(samples, np.float64)
        return RunningStatistics(
            self.count + samples.shape[1],
            self.total + samples.sum(axis=1),
            self.total_of_squares + np.square(samples).sum(axis=1),
        )

    @functools.cached_property
    def mean(self) -> np.ndarray:
        """The running mean, [W, D]."""
        return self.total / self.count

    @functools.cached_property
    def std(self) -> np.ndarray:
        """The running (population) standard deviation, floored at 0.1, [W, D]."""
        variance = self.total_of_squares / self.count - np.square(self.mean)
        return np.sqrt(np.maximum(variance, STD_FLOOR**2))

    def normalise(self, samples: np.ndarray) -> np.ndarray:
        """Maps samples [W, T, D] to (samples - mean) / std, float32."""
        return ((samples - self.mean[:, None]) / self.std[:, None]).astype(np.float32)
