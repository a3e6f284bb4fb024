"""What an evaluation said of a loss, for the record that goes out with it."""

from __future__ import annotations

import json
import pathlib
from typing import Any

_ABOUT = ("command", "num_updates", "steps_per_update", "labels", "sees_reward", "guidance")


def read_scores(folder: pathlib.Path, phi_crc32: int) -> dict[str, Any]:
    """Reads the scores of a loss from a folder that `epg_tf.evaluate` wrote.

    Args:
        folder: The folder, with `summary.json` in it.
        phi_crc32: Whose scores they have to be.

    Returns:
        `methods`, as in `summary.json`, and what they were given: `command`, `num_updates`,
        `steps_per_update`, `labels`, `sees_reward`, `guidance`.

    Raises:
        ValueError: In one sentence, if there are none, or they are those of another loss.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text())
        about = summary.pop("provenance")
        scores = {"methods": summary, **{name: about[name] for name in _ABOUT}}
        evaluated = about["phi_crc32"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`--evaluation` (={folder}) must be a folder in which epg_tf.evaluate has finished, "
            "with a `summary.json`."
        ) from error
    if evaluated != phi_crc32:
        raise ValueError(
            f"`--evaluation` (={folder}) must be of this loss (crc32 of phi {phi_crc32}), not of "
            f"another one ({evaluated})."
        )
    return scores
