"""The flag of every command line that can write its result as JSON."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from absl import flags

from epg_tf import command_line

JSON = flags.DEFINE_string("json", None, "A file to write the result to as well, as JSON.")


def require_json_file() -> None:
    """Ends the process, before any work, if --json names a file that cannot be written."""
    if JSON.value is None:
        return
    try:
        with open(JSON.value, "a"):
            pass
    except OSError as error:
        _refuse(error)


def write_result(result: Mapping[str, Any]) -> None:
    """Writes the result of the command if --json asks for it."""
    if JSON.value is None:
        return
    from epg_tf.files import write_json

    try:
        write_json(pathlib.Path(JSON.value), result, allow_nan=True)
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> None:
    command_line.fail(f"`--json` (={JSON.value}) must be a file one can write ({error.strerror}).")
