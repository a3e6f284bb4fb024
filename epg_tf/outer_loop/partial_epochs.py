"""Snapshots of lifetimes in progress, from which an interrupted epoch resumes.

Each group of workers has a separate file. It is written every minute, and once when the run is
asked to stop. An epoch may take an hour, and `horovodrun` ends its ranks five seconds after Ctrl-C.
A snapshot serves a run with the same number of ranks and threads only.
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
    """A folder of snapshots; it exists only while an epoch takes long."""

    def __init__(
        self, path: pathlib.Path, stop_requested: Callable[[], bool], interval: float = 60.0
    ):
        """Writes nothing yet.

        Args:
            path: The folder; made when there is something to write.
            stop_requested: Returns True once the run has been asked to stop.
            interval: Seconds between two snapshots.
        """
        self._path = path
        self._stop_requested = stop_requested
        self._interval = interval

    def of(self, epoch: int, first: int, last: int, phi: np.ndarray) -> PartialEpoch:
        """Returns the snapshotter of a span of workers in an epoch.

        Args:
            epoch: The epoch, from 1.
            first: The number of the first worker.
            last: The number of the last worker.
            phi: The loss before the epoch, [P].
        """
        path = self._path / f"epoch_{epoch:06d}_workers_{first}_{last}.npz"
        return PartialEpoch(path, crc32_of(phi), self._stop_requested, self._interval)

    def remove_until(self, epoch: int) -> None:
        """Removes the snapshots of a finished epoch and of those before it."""
        if not self._path.is_dir():
            return
        for path in list(self._path.iterdir()):
            name = _NAME.fullmatch(path.name)
            if name and int(name[1]) <= epoch:
                remove(path)
        if not any(self._path.iterdir()):
            self._path.rmdir()


class PartialEpoch:
    """The snapshot file of some workers; see `Snapshotter`."""

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
        self._is_last = False  # True after the snapshot that a request to stop caused

    def load(self) -> dict[str, np.ndarray] | None:
        """Returns the snapshot; None if there is no valid file."""
        if not self._path.is_file():
            return None
        try:
            arrays = read_arrays(self._path)
            is_of_this_run = int(arrays.pop(_PHI)) == self._checksum
        except Exception as error:  # zipfile and NumPy raise many types on corrupt files
            logging.warning("%s is damaged (%s); its epoch begins again.", self._path, error)
            return None
        return arrays if is_of_this_run else None

    def maybe_save(self, arrays: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Writes a snapshot if one is due."""
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
