"""The flag of every command line that can write its result as JSON."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags

from epg_tf import command_line
from epg_tf.files import aside_of, json_text, write_text

JSON = flags.DEFINE(
    command_line.PathParser(),
    "json",
    None,
    "A file, device or pipe to write the result to as well, as JSON; - for stdout.",
)


def require() -> None:
    """Ends the process, before any work, if --json names a file that cannot be written."""
    path = _target()
    if JSON.value == "-":
        sys.stdout = sys.stderr  # where everything else is printed then
    if path is None:
        return
    try:
        if _is_written_in_place(path):
            if not os.access(path, os.W_OK):
                raise PermissionError(13, os.strerror(13))
        elif path.is_dir():
            raise IsADirectoryError(21, os.strerror(21))
        else:  # as at the end: beside the file, which is then replaced
            aside_of(path).touch()
            aside_of(path).unlink()
    except OSError as error:
        _refuse(error)


def write_result(result: Mapping[str, Any]) -> None:
    """Writes the result of the command if --json asks for it."""
    text = json_text(result, allow_nan=True)
    path = _target()
    try:
        if JSON.value == "-":
            print(text, end="", file=sys.__stdout__, flush=True)
        elif path is not None and _is_written_in_place(path):
            path.write_text(text)
        elif path is not None:
            write_text(path, text)
    except OSError as error:
        _refuse(error)


def _target() -> pathlib.Path | None:
    """Returns the file itself where --json names a link to it; None where it names no file."""
    return None if JSON.value in (None, "-") else pathlib.Path(JSON.value).resolve()


def _is_written_in_place(path: pathlib.Path) -> bool:
    """Returns whether a path is a device or a pipe, which must not be replaced by a file."""
    return path.exists() and not (path.is_file() or path.is_dir())


def _refuse(error: OSError) -> None:
    command_line.fail(f"`--json` (={JSON.value}) must be a file one can write ({error.strerror}).")
