"""Progress: a bar where a terminal is, and where none is a line now and then."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO

import tqdm

_SECONDS = 0.5  # between two looks of a bar
_SECONDS_IN_FILES = 15.0


class _Lines(io.TextIOBase):
    """Writes each look of a bar as a line of its own, once.

    A file or horovodrun's output, which puts the rank in front of whatever it is given, has no use
    for a bar that is drawn over and over in the same place.
    """

    def __init__(self, file: TextIO):
        self._file, self._last = file, ""

    def write(self, text: str) -> int:
        line = text.strip()
        if line and line != self._last:
            self._last = line
            self._file.write(line + "\n")
        return len(text)

    def flush(self) -> None:
        self._file.flush()


def progress_bar(total: float, bar_format: str, **options: Any) -> tqdm.tqdm:
    """A bar on stderr.

    Args:
        total: How much there is to do.
        bar_format: See `tqdm.tqdm`.
        **options: Others of `tqdm.tqdm`'s.
    """
    is_terminal = sys.stderr.isatty()
    return tqdm.tqdm(
        total=total,
        bar_format=bar_format,
        mininterval=_SECONDS if is_terminal else _SECONDS_IN_FILES,
        file=sys.stderr if is_terminal else _Lines(sys.stderr),
        **options,
    )
