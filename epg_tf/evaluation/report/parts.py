"""The parts of a report that other commands make, and the commands that make missing parts.

Each command fills one folder inside the run's. It writes the file that completes the folder last.
The files are read as data, since they may be half written or of another version.
"""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from epg_tf.evaluation.report.contents import (
    Content,
    read_analysis,
    read_evaluation,
    read_loss,
    read_videos,
)
from epg_tf.files import read_json
from epg_tf.run.records import RunRecords

COMPLETE, BEGUN, ABSENT, UNREADABLE = "complete", "begun", "absent", "unreadable"


class Part(NamedTuple):
    """The results of one command on a run, or their absence.

    Attributes:
        name: The name of its folder inside the run's.
        state: `COMPLETE`, `BEGUN`, `ABSENT` or `UNREADABLE`.
        line: The command line that makes it.
        folder: The path of its folder.
        of: The loss that it is about, in words; empty if unknown.
        content: The sentences and tables; empty unless it is complete.
        record: The object in the file that completes the folder.
    """

    name: str
    state: str
    line: str
    folder: pathlib.Path
    of: str
    content: Content
    record: Mapping[str, Any]


def read_parts(records: RunRecords) -> dict[str, Part]:
    """Reads the parts of a run's report, by name."""
    return {name: _read_part(records, name) for name in _PARTS}


def _read_part(records: RunRecords, name: str) -> Part:
    module, complete_with, read = _PARTS[name]
    folder = records.root / name
    # An exported loss has no settings file: its checksum is in its record.
    settings = read_json(folder / f"{module}.json") or {}
    record = read_json(folder / complete_with)
    state, content = ABSENT, Content([], {})
    if record is not None:
        state = COMPLETE
        try:
            content = read(record)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            state = UNREADABLE
    elif (folder / complete_with).exists():
        state = UNREADABLE
    elif settings:
        state = BEGUN
    crc32 = settings.get("crc32 of phi", (record or {}).get("phi_crc32"))
    known = {None: "", **records.losses()}
    of = known.get(crc32, "a loss that the run has meanwhile gone on from, or another run's")
    flags = _flags(settings) if state == BEGUN else {}
    if module == "evaluate" and records.sees_reward:
        flags["--give_reward"] = True  # required for such a loss
    line = _line(records.root, folder, module, flags)
    return Part(name, state, line, folder, of, content, record or {})


def _line(root: pathlib.Path, folder: pathlib.Path, module: str, flags: Mapping[str, Any]) -> str:
    """Returns the command line that makes a part."""
    given = {"--checkpoint": root, "--out": folder}
    if module != "export":
        given = {"--loss": root, "--root_dir": folder}
    words = ["python", "-m", f"epg_tf.{module}"]
    for flag, value in {**given, **flags}.items():
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def _flags(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the flags among the recorded settings, except for those that are False."""
    flags = {name: value for name, value in settings.items() if name.startswith("--")}
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in flags.items()
        if value is not False
    }


_Read = Callable[[Mapping[str, Any]], Content]
# folder -> the command that fills it, the file that completes it, and the reader of that file
_PARTS: dict[str, tuple[str, str, _Read]] = {
    "evaluation": ("evaluate", "summary.json", read_evaluation),
    "analysis": ("analyze", "summary.json", read_analysis),
    "videos": ("render", "summary.json", read_videos),
    "loss": ("export", "loss.json", read_loss),
}
