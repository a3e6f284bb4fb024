"""The line-by-line records of a run: its commands and the metrics of its epochs."""

from __future__ import annotations

import json
import math
import pathlib
import shlex
from collections.abc import Mapping, Sequence

from epg_tf.files import COMMANDS_FILE, METRICS_FILE, read_text, write_text


def append_metrics(path: pathlib.Path, metrics: Mapping[str, float]) -> None:
    """Appends an epoch to metrics.jsonl; JSON has no NaN, so null stands for non-finite numbers."""
    clean = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(clean) + "\n")


def last_metrics(root: pathlib.Path) -> dict[str, float | None]:
    """Returns the metrics of the last recorded epoch; empty before the first."""
    path = root / METRICS_FILE
    lines = read_text(path).splitlines() if path.exists() else []
    return json.loads(lines[-1]) if lines else {}


def note_command(root: pathlib.Path, num_ranks: int, command: Sequence[str]) -> None:
    """Appends the command line to commands.txt unless it equals the last one."""
    path = root / COMMANDS_FILE
    starts_ranks = any(word.lstrip("-").partition("=")[0] == "np" for word in command)
    launcher = [] if num_ranks == 1 or starts_ranks else ["horovodrun", "-np", str(num_ranks)]
    known = read_text(path).splitlines() if path.exists() else []
    line = shlex.join([*launcher, *command])
    if command and known[-1:] != [line]:
        write_text(path, "\n".join([*known, line]) + "\n")


def forget_after(path: pathlib.Path, epoch: int) -> None:
    """Removes epochs after `epoch`, the last checkpoint's, from metrics.jsonl."""
    if not path.exists():
        return
    kept = []
    for line in read_text(path).splitlines():
        try:
            if json.loads(line)["epoch"] <= epoch:
                kept.append(line + "\n")
        except (ValueError, TypeError, KeyError):  # cut short when the run was killed
            continue
    write_text(path, "".join(kept))
