"""Atomic file writes, the names of a run's files and of presets, and the comparison of settings."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import json
import os
import pathlib
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from epg_tf.text import did_you_mean

CONFIG_FILE = "operative_config.gin"
SETTINGS_FILE = "config.json"
COMMANDS_FILE = "commands.txt"
METRICS_FILE = "metrics.jsonl"

# The folder of presets, losses and examples: in an installed package, or beside it in a checkout.
_PACKAGE = pathlib.Path(__file__).resolve().parent
SHIPPED = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent

# Settings that a run may change when it resumes, because no number depends on them (on the backend
# by rounding alone).
_FREE_SETTINGS = (
    "meta_train.num_epochs",
    "meta_train.threads_per_rank",
    "meta_train.compare_at_end",
    "InnerLoop.backend",
    "train_rival.num_epochs",
    "train_rival.num_threads",
)


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields a path to write to, and then moves the result over a file or a folder.

    Links are followed. A file is replaced atomically. An old folder is moved aside before the new
    one takes its place, and removed afterwards. `recover` restores it if the process was killed in
    between.

    Args:
        path: The file or the folder, which need not exist.
    """
    path = path.resolve()
    aside, old = aside_of(path), _old_of(path)
    recover(path)
    try:
        yield aside
        if aside.is_dir() and path.exists():
            os.replace(path, old)
        os.replace(aside, path)
    finally:
        recover(path)


def recover(path: pathlib.Path) -> None:
    """Puts right what a killed process left of `replacing`: the old folder or the new one stays.

    Only the process that may write to the path may call this.
    """
    old = _old_of(path)
    if old.exists() and not path.exists():
        os.replace(old, path)
    for left in (old, aside_of(path)):
        if left.exists():
            remove(left)


def aside_of(path: pathlib.Path) -> pathlib.Path:
    """Returns the path of a file or folder that is being written; it has the same suffix."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def _old_of(path: pathlib.Path) -> pathlib.Path:
    """Returns the path of a folder that is being replaced, a name that nobody else would choose."""
    return path.with_name(f".{path.name}.replaced")


def remove(path: pathlib.Path) -> None:
    """Removes a file, or a folder with its content, if it exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file atomically, and waits until it is on the disk."""
    with replacing(path) as aside, open(aside, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_text(path: pathlib.Path) -> str:
    """Reads a text file as UTF-8, whatever the locale; other bytes survive until it is written."""
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file atomically, as UTF-8; see `read_text`."""
    write_bytes(path, text.encode(errors="surrogateescape"))


def write_json(path: pathlib.Path, value: Any, allow_nan: bool = False) -> None:
    """Writes a JSON file atomically; raises ValueError on non-finite numbers unless allowed."""
    write_text(path, json_text(value, allow_nan))


def json_text(value: Any, allow_nan: bool = False) -> str:
    """Returns JSON in lines; raises ValueError on non-finite numbers unless allowed."""
    text = json.dumps(value, indent=1, allow_nan=allow_nan, ensure_ascii=False, default=repr)
    return text + "\n"


def write_npz(path: pathlib.Path, arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name to a compressed file, atomically."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def write_csv(path: pathlib.Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes a CSV file with a head of column names, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: pathlib.Path) -> dict[str, Any] | None:
    """Reads the object in a JSON file; None if there is none."""
    try:
        found = json.loads(read_text(path))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def crc32_of(phi: np.ndarray) -> int:
    """Returns the checksum of parameters phi [P] as float32, which identifies a loss."""
    return zlib.crc32(phi.astype("<f4").tobytes())


def flatten(settings: Any, free: bool = False, root: str = "meta_train") -> dict[str, Any]:
    """Returns the settings of a run as names and values, named like gin's.

    Settings of nested records are named by class; those of a second record of the same class by
    path, such as `ExpertTeacher.family.frame_skip`.

    Args:
        settings: The settings of the run.
        free: True to include settings that no number depends on.
        root: gin's name for the settings themselves.
    """
    return dict(_flattened(settings, root, free, set()))


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns values after a round trip through JSON."""
    return json.loads(json.dumps(values, default=_as_json))


def differs_from_run(settings: Any, config: Mapping[str, Any], root: str = "meta_train") -> str:
    """Describes the differences of settings from the config of a run; `root` as for `flatten`.

    A setting that is newer than the run counts as its default there.
    """
    there = {**plain(_defaults(settings, root, set())), **config}
    return differences(there, plain(flatten(settings, root=root)))


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Describes the differences of two sets of settings by name; None equals an absent one."""
    return "; ".join(
        f"`{name}` is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    )


def _flattened(
    settings: Any, prefix: str, free: bool, taken: set[str]
) -> Iterator[tuple[str, Any]]:
    for name, _, value in _fields(settings, prefix, free):
        if _is_record(value):
            yield name, type(value).__name__
            yield from _flattened(value, _prefix(name, value, taken), free, taken)
        else:
            yield name, repr(value) if callable(value) else value


def _prefix(name: str, record: Any, taken: set[str]) -> str:
    """Returns the prefix of a nested record's settings: its class, or its path if that is taken."""
    kind = type(record).__name__
    prefix = name if kind in taken else kind
    taken.add(kind)
    return prefix


def _defaults(settings: Any, prefix: str, taken: set[str]) -> dict[str, Any]:
    """Returns the defaults of all settings that have one, named as by `flatten`."""
    values: dict[str, Any] = {}
    for name, default, value in _fields(settings, prefix, free=False):
        if _is_record(value):
            values.update(_defaults(value, _prefix(name, value, taken), taken))
        elif default is not dataclasses.MISSING:
            values[name] = default
    return values


def _fields(settings: Any, prefix: str, free: bool) -> Iterator[tuple[str, Any, Any]]:
    """Yields the name, default and value of each setting of a record."""
    for field in dataclasses.fields(settings):
        if free or f"{prefix}.{field.name}" not in _FREE_SETTINGS:
            yield f"{prefix}.{field.name}", field.default, getattr(settings, field.name)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not callable(value)


def _as_json(value: Any) -> Any:
    """Converts an array, or an object in a user's own task family, for JSON."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return {"class": type(value).__name__, **getattr(value, "__dict__", {"value": str(value)})}


def presets() -> list[str]:
    """Returns the names of the presets, top-level ones first, without the parts in gin/tasks."""
    root = SHIPPED / "gin"
    files = [*sorted(root.glob("*.gin")), *sorted(root.glob("*/*.gin"))]
    names = [file.relative_to(root).with_suffix("").as_posix() for file in files]
    return [name for name in names if not name.startswith("tasks/")]


def find_preset(path: str) -> str:
    """Finds a shipped preset (gin/reacher.gin, or reacher for short) unless the path is a file.

    Raises:
        ValueError: If there is no such file or preset; in one sentence.
    """
    places = [pathlib.Path(path), SHIPPED / path, SHIPPED / f"gin/{path}.gin"]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ValueError(
            f"`--gin_file` (={path}) must be an existing file, or the name of a preset"
            f"{did_you_mean(path, presets())}: {', '.join(presets())}."
        )
    return str(found)
