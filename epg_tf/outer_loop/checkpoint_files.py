"""A folder of checkpoint files, of which the last few are kept: arrays by name, one file an epoch.

There is never half of one (`files.replacing`), and a damaged one gives way to one before it.
"""

from __future__ import annotations

import io
import pathlib
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
from absl import logging

from epg_tf.files import write_bytes

_NAME = re.compile(r"epoch_(\d+)\.npz")

T = TypeVar("T")


class CheckpointFiles(Generic[T]):
    """A folder of checkpoints, of which the last few are kept."""

    def __init__(self, path: pathlib.Path, read: Callable[[pathlib.Path], T], num_kept: int = 3):
        """Writes nothing yet.

        Args:
            path: The folder; made where it is missing.
            read: Makes a checkpoint of a file; raises ValueError where that is damaged.
            num_kept: How many are kept.
        """
        self.path = path
        self._read = read
        self._num_kept = num_kept

    def write(self, epoch: int, arrays: Mapping[str, Any]) -> pathlib.Path:
        """Writes a checkpoint and removes the oldest beyond those to keep."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"epoch_{epoch:06d}.npz"
        content = io.BytesIO()
        np.savez(content, **arrays)
        write_bytes(path, content.getvalue())
        for old in self._paths()[: -self._num_kept]:
            old.unlink()
        return path

    def latest(self) -> T | None:
        """The newest sound checkpoint, or None where there is none at all.

        Damaged ones that are newer are named in a warning.

        Raises:
            ValueError: If there are checkpoints, and all of them are damaged.
        """
        damaged: list[pathlib.Path] = []
        for path in reversed(self._paths()):
            try:
                checkpoint = self._read(path)
            except ValueError:
                damaged.append(path)
                continue
            for other in damaged:
                logging.warning("%s is damaged; %s takes its place.", other, path.name)
            return checkpoint
        if not damaged:
            return None
        raise ValueError(
            f"`checkpoint` (={damaged[0]}) must be a readable checkpoint file, and neither it nor "
            "any older one beside it is: they are damaged."
            if len(damaged) > 1
            else f"`checkpoint` (={damaged[0]}) must be a readable checkpoint file; it is damaged."
        )

    def time_of_latest(self) -> float:
        """When the newest checkpoint was written, in seconds since 1970; there must be one."""
        return self._paths()[-1].stat().st_mtime

    def _paths(self) -> list[pathlib.Path]:
        if not self.path.is_dir():
            return []
        names = [match for path in self.path.iterdir() if (match := _NAME.fullmatch(path.name))]
        return [self.path / name[0] for name in sorted(names, key=lambda name: int(name[1]))]


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint file, once the checksums of all of them are found to be right.

    Raises:
        ValueError: If one is not.
        Exception: Of many kinds, as a damaged file leads the reader of zip files anywhere.
    """
    content = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(content) as archive:
        if archive.testzip() is not None:
            raise ValueError("a checksum is wrong")
    content.seek(0)
    with np.load(content) as data:
        return dict(data)
