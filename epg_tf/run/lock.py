"""A lock that lets one run at a time write to a folder."""

from __future__ import annotations

import fcntl
import os
import pathlib

from absl import logging


class FolderLock:
    """A lock on a folder, held from `take` until `release` or the deletion of this object."""

    def __init__(self, root: pathlib.Path):
        self._root = root
        self._file: int | None = None

    def take(self) -> str | None:
        """Creates the folder if missing and locks it; returns a sentence if something is wrong."""
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
        lock = self._root / ".lock"
        if theirs := _read_only(lock):
            return self._holds(theirs)
        self._file = os.open(lock, os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return f"`--root_dir` (={self._root}) must not be in use by another run."
        except OSError as error:  # NFS and Lustre may have no locks
            logging.warning(
                "`--root_dir` (=%s) cannot be locked there (%s): let no other run write to it.",
                *(self._root, error.strerror),
            )
        theirs = _read_only(*self._root.rglob("*"))
        return self._holds(theirs) if theirs else None

    def _holds(self, path: pathlib.Path) -> str:
        return f"`--root_dir` (={self._root}) must hold files one can write to, unlike {path}."

    def release(self) -> None:
        """Releases the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __del__(self) -> None:
        """Releases the lock if `release` was never called."""
        self.release()


def _read_only(*paths: pathlib.Path) -> pathlib.Path | None:
    """Returns the first of the paths that exists and that this user cannot write to."""
    return next((path for path in paths if path.exists() and not os.access(path, os.W_OK)), None)
