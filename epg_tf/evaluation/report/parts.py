"""The parts of a report that other commands make, as tables; and the commands for those not made.

Each command leaves a folder of its own in the run's, and writes what the folder is complete with
last. What is in there is read as data: it may be of another version, or half written.
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
    """What one command has, or has not, added to a run.

    Attributes:
        name: Of its folder in the run's.
        state: `COMPLETE`, `BEGUN`, `ABSENT` or `UNREADABLE`.
        line: The command line that makes it.
        folder: Where it is.
        of: Which loss it is about, in words; empty if that is not known.
        content: What it says; nothing unless it is complete.
        record: The object in the file that it is complete with.
    """

    name: str
    state: str
    line: str
    folder: pathlib.Path
    of: str
    content: Content
    record: Mapping[str, Any]


def read_parts(records: RunRecords) -> dict[str, Part]:
    """The parts of a run's report, by name."""
    return {name: _read_part(records, name) for name in _PARTS}


def _read_part(records: RunRecords, name: str) -> Part:
    module, complete_with, read = _PARTS[name]
    folder = records.root / name
    # What a loss's folder was made of is in it; the other commands keep their settings beside.
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
        flags["--give_reward"] = True  # which it wants to be asked for
    line = _line(records.root, folder, module, flags)
    return Part(name, state, line, folder, of, content, record or {})


def _line(root: pathlib.Path, folder: pathlib.Path, module: str, flags: Mapping[str, Any]) -> str:
    """The command line that makes a part."""
    given = {"--checkpoint": root, "--out": folder}
    if module != "export":
        given = {"--loss": root, "--root_dir": folder}
    words = ["python", "-m", f"epg_tf.{module}"]
    for flag, value in {**given, **flags}.items():
        words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words)


def _flags(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The flags among the settings that a results folder remembers, but for those not given."""
    flags = {name: value for name, value in settings.items() if name.startswith("--")}
    return {
        name: ",".join(map(str, value)) if isinstance(value, list) else value
        for name, value in flags.items()
        if value is not False
    }


_Read = Callable[[Mapping[str, Any]], Content]
# folder -> the command that fills it, the file that it is complete with, and how to read that
_PARTS: dict[str, tuple[str, str, _Read]] = {
    "evaluation": ("evaluate", "summary.json", read_evaluation),
    "analysis": ("analyze", "summary.json", read_analysis),
    "videos": ("render", "summary.json", read_videos),
    "loss": ("export", "loss.json", read_loss),
}
