"""Pictures in memory that two processes share; one draws there, the other reads when told.

A socket's buffer holds about one picture. Pictures sent through it would make the processes wait
for each other once per picture.
"""

from __future__ import annotations

import math
import mmap
import os

import numpy as np


class SharedFrames:
    """One process's mapping of the memory; the other process maps the same file."""

    def __init__(self, file_descriptor: int):
        """Maps no memory; `view` does.

        Args:
            file_descriptor: The descriptor of a file that both have open; it grows as needed.
        """
        self._file_descriptor = file_descriptor
        self._memory: mmap.mmap | None = None

    def view(self, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the memory's first bytes as an array of uint8, valid until the next call."""
        size = max(1, math.prod(shape))
        if self._memory is None or len(self._memory) < size:
            if os.fstat(self._file_descriptor).st_size < size:
                os.ftruncate(self._file_descriptor, size)
            self._memory = mmap.mmap(self._file_descriptor, size)
        return np.frombuffer(self._memory, np.uint8, math.prod(shape)).reshape(shape)
