"""The folder of an exported loss: its files, and the shipped ones by name."""

from __future__ import annotations

import pathlib
from typing import Any

from epg_tf.files import SHIPPED, read_json
from epg_tf.text import did_you_mean

ARRAYS_FILE = "loss.npz"
DESCRIPTION_FILE = "loss.json"
SAVED_MODEL_FILES = ("saved_model.pb", "fingerprint.pb", "variables", "assets")  # TensorFlow's
LOSS_FILES = (DESCRIPTION_FILE, ARRAYS_FILE, *SAVED_MODEL_FILES)

_LOSSES_LIE_IN = ("checkpoints", *LOSS_FILES[:3])
_ENDINGS = ("", "_taught", "_evolved")  # the stronger loss of a task comes first


def read_description(path: pathlib.Path) -> dict[str, Any]:
    """Reads the `loss.json` of a loss; returns an empty dictionary if there is none.

    Raises:
        ValueError: If the file is damaged or lacks a required key.
    """
    file = path / DESCRIPTION_FILE
    description = read_json(file)
    if file.exists() and not {"family", "inputs", "inner_update"} <= (description or {}).keys():
        raise ValueError(
            f"`{DESCRIPTION_FILE}` (={file}) must be as epg_tf wrote it; it is damaged."
        )
    return description or {}


def shipped_losses() -> dict[str, pathlib.Path]:
    """Returns the folders of the shipped losses by name."""
    found = sorted((SHIPPED / "losses").glob(f"*/{DESCRIPTION_FILE}"))
    return {file.parent.name: file.parent for file in found}


def find_loss(name: str) -> pathlib.Path:
    """Returns the folder of a loss.

    Args:
        name: A path, or the name of a shipped loss, such as "reacher". The name of a
            task alone means its taught loss if there is one, else its evolved loss. A folder of
            that name comes first only if a run or a loss is in it.

    Returns:
        The shipped loss of that name, else the path itself.
    """
    path = pathlib.Path(name)
    if path.is_file() or any((path / content).exists() for content in _LOSSES_LIE_IN):
        return path
    shipped = shipped_losses()
    names = (path.as_posix().removeprefix("losses/") + end for end in _ENDINGS)
    return next((shipped[known] for known in names if known in shipped), path)


def require_loss(path: str) -> None:
    """Checks that something lies where a loss should.

    Raises:
        ValueError: If not; in one sentence.
    """
    found = find_loss(path)
    if found.suffix != ".npz" and not any((found / name).exists() for name in _LOSSES_LIE_IN):
        raise not_a_loss(path)


def not_a_loss(path: str, flag: str = "--loss") -> ValueError:
    """Returns the error for a path where no loss lies, or one without a name that ships."""
    names = shipped_losses()
    return ValueError(
        f"`{flag}` (={path}) must be the folder of a run or of an exported loss, with "
        f"`checkpoints` or a `{ARRAYS_FILE}` in it, a checkpoint of a run, or the name of a "
        f"loss that ships{did_you_mean(path, names)}: {', '.join(names)}."
    )
