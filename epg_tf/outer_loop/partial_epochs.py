"""Epochs that are under way: files from which lifetimes go on that were cut off in their middle.

Each group of workers has a file of its own, which is written every minute and, once, as soon as the
run is asked to stop: `horovodrun` gives its ranks five seconds after Ctrl-C, an epoch may take an
hour. Only the same share of workers, that is as many ranks and threads as before, finds it again.
"""

from __future__ import annotations

import io
import pathlib
import re
import time
from collections.abc import Callable, Mapping

import numpy as np
from absl import logging

from epg_tf.files import crc32_of, remove, write_bytes
from epg_tf.outer_loop.checkpoint_files import read_arrays

_NAME = re.compile(r"epoch_(\d+)_workers_\d+_\d+(\.partial)?\.npz")
_PHI = "checksum"  # of the phi that the epoch began with


class PartialEpochs:
    """A folder of epochs that are under way, which is empty while none is long."""

    def __init__(
        self, path: pathlib.Path, stop_requested: Callable[[], bool], interval: float = 60.0
    ):
        """Writes nothing yet.

        Args:
            path: The folder; made when there is something to write.
            stop_requested: Whether the run has been asked to stop.
            interval: Seconds between two times at which a file is written, if the run is not.
        """
        self._path = path
        self._stop_requested = stop_requested
        self._interval = interval

    def of(self, epoch: int, first: int, last: int, phi: np.ndarray) -> PartialEpoch:
        """Some workers of an epoch.

        Args:
            epoch: From 1.
            first: The number of the first of them.
            last: That of the last.
            phi: What the epoch began with, [P].
        """
        path = self._path / f"epoch_{epoch:06d}_workers_{first}_{last}.npz"
        return PartialEpoch(path, crc32_of(phi), self._stop_requested, self._interval)

    def remove_until(self, epoch: int) -> None:
        """Removes what is left of an epoch that is over, and of those before it."""
        if not self._path.is_dir():
            return
        for path in list(self._path.iterdir()):
            name = _NAME.fullmatch(path.name)
            if name and int(name[1]) <= epoch:
                remove(path)
        if not any(self._path.iterdir()):
            self._path.rmdir()


class PartialEpoch:
    """What keeps the lifetimes of some workers; see `Keeper`."""

    def __init__(
        self,
        path: pathlib.Path,
        checksum: int,
        stop_requested: Callable[[], bool],
        interval: float,
    ):
        self._path = path
        self._checksum = checksum
        self._stop_requested = stop_requested
        self._interval = interval
        self._written = time.monotonic()
        self._is_last = False  # the file that was written because the run is to stop

    def kept(self) -> dict[str, np.ndarray] | None:
        """Where the lifetimes stood when they were cut off; None where no file knows it."""
        if not self._path.is_file():
            return None
        try:
            arrays = read_arrays(self._path)
            is_of_this_run = int(arrays.pop(_PHI)) == self._checksum
        except Exception as error:  # a damaged file leads the reader of zip files anywhere
            logging.warning("%s is damaged (%s); its epoch begins again.", self._path, error)
            return None
        return arrays if is_of_this_run else None

    def offer(self, arrays: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Writes down where the lifetimes stand, if it is time to."""
        stops, now = self._stop_requested(), time.monotonic()
        if self._is_last or not stops and now - self._written < self._interval:
            return
        self._is_last, self._written = stops, now
        content = io.BytesIO()
        np.savez(content, **{_PHI: np.array(self._checksum)}, **arrays())  # pyright: ignore[reportArgumentType]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self._path, content.getvalue())
        except OSError as error:  # a run can do without
            logging.warning("%s could not be written: %s.", self._path, error.strerror)
