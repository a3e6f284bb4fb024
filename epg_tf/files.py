"""Files that are whole or not there, what a run's are called, and how settings are told apart."""

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

CONFIG_FILE = "operative_config.gin"
SETTINGS_FILE = "config.json"
COMMANDS_FILE = "commands.txt"
METRICS_FILE = "metrics.jsonl"

# Where presets, losses and examples lie: in the package where it was installed, else beside it.
_PACKAGE = pathlib.Path(__file__).resolve().parent
SHIPPED = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent

# What may differ between a run and its continuation, because no number depends on it (on the
# backend by rounding alone).
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
    """Where to write what is to take the place of a file or a folder once it is whole.

    Whoever is killed meanwhile leaves the old one or the new one, never half of one.

    Args:
        path: The file or the folder, which need not be there yet.
    """
    aside = aside_of(path)
    remove(aside)  # of somebody who was killed
    try:
        yield aside
        if aside.is_dir():
            remove(path)
        os.replace(aside, path)
    finally:
        remove(aside)


def aside_of(path: pathlib.Path) -> pathlib.Path:
    """Where a file is written before it is whole; its suffix still says what it is."""
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def remove(path: pathlib.Path) -> None:
    """Removes a file, or a folder with all that is in it, if there is one."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file whole, and waits until it is on the disk."""
    with replacing(path) as aside, open(aside, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: pathlib.Path, text: str) -> None:
    """Writes a text file whole, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: pathlib.Path, value: Any, allow_nan: bool = False) -> None:
    """Writes a JSON file whole; that a number in it is not finite is an error, or allowed."""
    text = json.dumps(value, indent=1, allow_nan=allow_nan, ensure_ascii=False, default=repr)
    write_text(path, text + "\n")


def write_npz(path: pathlib.Path, arrays: Mapping[str, Any]) -> None:
    """Writes arrays by name, compressed, to a file that is whole."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def write_csv(path: pathlib.Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows below the names of their columns to a file that is whole."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def read_json(path: pathlib.Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def crc32_of(phi: np.ndarray) -> int:
    """The checksum by which a loss of parameters phi [P] is told from others, as float32."""
    return zlib.crc32(phi.astype("<f4").tobytes())


def flatten(settings: Any, free: bool = False, root: str = "meta_train") -> dict[str, Any]:
    """The settings of a run as names and values, named like gin's.

    Those of nested records are named by their class; of a second record of the same class by where
    it is, such as `ExpertTeacher.family.frame_skip`.

    Args:
        settings: The settings of the run.
        free: Whether those are among them that no number depends on.
        root: What gin calls the settings themselves.
    """
    return dict(_flattened(settings, root, free, set()))


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from JSON."""
    return json.loads(json.dumps(values, default=_as_json))


def differs_from_run(settings: Any, config: Mapping[str, Any], root: str = "meta_train") -> str:
    """Says by name in what settings differ from the config of a run; `root` as for `flatten`.

    A setting that is younger than the run counts as its default there.
    """
    there = {**plain(_defaults(settings, root, set())), **config}
    return differences(there, plain(flatten(settings, root=root)))


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Says by name what differs between two sets of settings; one of None may be absent."""
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
    """What the settings of a nested record are called: by its class, if that is not taken yet."""
    kind = type(record).__name__
    prefix = name if kind in taken else kind
    taken.add(kind)
    return prefix


def _defaults(settings: Any, prefix: str, taken: set[str]) -> dict[str, Any]:
    """What `flatten` would give if every setting that has a default had it."""
    values: dict[str, Any] = {}
    for name, default, value in _fields(settings, prefix, free=False):
        if _is_record(value):
            values.update(_defaults(value, _prefix(name, value, taken), taken))
        elif default is not dataclasses.MISSING:
            values[name] = default
    return values


def _fields(settings: Any, prefix: str, free: bool) -> Iterator[tuple[str, Any, Any]]:
    """The name, default and value of each setting of a record."""
    for field in dataclasses.fields(settings):
        if free or f"{prefix}.{field.name}" not in _FREE_SETTINGS:
            yield f"{prefix}.{field.name}", field.default, getattr(settings, field.name)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not callable(value)


def _as_json(value: Any) -> Any:
    """What JSON makes of an array, or of an object that a family of the user's own may hold."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return {"class": type(value).__name__, **getattr(value, "__dict__", {"value": str(value)})}
