"""Progress bars: redrawn in place on a terminal, a line every 15 seconds elsewhere."""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO

import tqdm

_SECONDS = 0.5  # between two refreshes of a bar
_SECONDS_IN_FILES = 15.0


class _Lines(io.TextIOBase):
    """A stream that writes each refresh of a bar as one line, without repeats.

    Files cannot redraw a bar in place, nor can horovodrun's output, which prefixes each line with
    the rank.
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
    """Returns a bar on stderr.

    Args:
        total: The amount of work.
        bar_format: See `tqdm.tqdm`.
        **options: Other options of `tqdm.tqdm`.
    """
    is_terminal = sys.stderr.isatty()
    return tqdm.tqdm(
        total=total,
        bar_format=bar_format,
        mininterval=_SECONDS if is_terminal else _SECONDS_IN_FILES,
        file=sys.stderr if is_terminal else _Lines(sys.stderr),
        **options,
    )
