"""A folder that one run at a time writes to."""

from __future__ import annotations

import fcntl
import os
import pathlib


class FolderLock:
    """Keeps other runs out of a folder from `take` until `release`, or until nobody holds it."""

    def __init__(self, root: pathlib.Path):
        self._root = root
        self._file: int | None = None

    def take(self) -> str | None:
        """Takes the folder, made where it is missing; what is wrong with it, as a sentence."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            probe = self._root / f".writable_{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            return (
                f"`--root_dir` (={self._root}) must be a folder one can write to "
                f"({error.strerror})."
            )
        self._file = os.open(self._root / ".lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"`--root_dir` (={self._root}) must not be in use by another run."
        return None

    def release(self) -> None:
        """Lets other runs in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __del__(self) -> None:
        """Lets other runs in where a run was only looked at."""
        self.release()
