"""The records of a run, read from its folder without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

from epg_tf.files import CONFIG_FILE, METRICS_FILE, SETTINGS_FILE, crc32_of, read_json, read_text
from epg_tf.loss.inputs import REWARD_INPUTS
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder

# The columns of metrics.jsonl that reports use.
_METRICS = (
    "epoch",
    "env_steps",
    "seconds",
    "return_mean",
    "return_median",
    "return_std",
    "return_min",
    "return_max",
    "guidance",
    "validation_return",
    "phi_norm",
    "diverged_workers",
    "env_steps_per_second",
)


@dataclasses.dataclass(frozen=True)
class RunRecords:
    """The records of a run so far.

    Attributes:
        root: The folder.
        config_text: The complete config, as gin.
        config: The same as values by name; nested records go by class (see `files.flatten`).
        metrics: Arrays [epochs] by the names in `metrics.jsonl`; NaN if a number was not finite.
        checkpoint: The latest checkpoint; None before the first.
        held_out: The comparison at the end of the run (`held_out.json`); None without one.
    """

    root: pathlib.Path
    config_text: str
    config: Mapping[str, Any]
    metrics: Mapping[str, np.ndarray]
    checkpoint: Checkpoint | None
    held_out: Mapping[str, Any] | None

    @property
    def num_epochs(self) -> int:
        """The number of completed epochs."""
        return int(self.metrics["epoch"][-1])

    @property
    def hours(self) -> float:
        """The hours that all completed epochs took."""
        return float(np.nansum(self.metrics["seconds"])) / 3600.0

    @property
    def best(self) -> int | None:
        """The position in `metrics` of the epoch whose return made `export/best` the best, or None.

        In a run with validation, this epoch ended with that loss. Otherwise it began with that
        loss.
        """
        epoch = self.checkpoint.best_epoch if self.checkpoint is not None else None
        if epoch is None:
            return None
        shown = epoch if self.setting("validate_every") else epoch + 1
        places = np.flatnonzero(self.metrics["epoch"] == shown)
        return int(places[0]) if len(places) else None

    @property
    def sees_reward(self) -> bool:
        """True if the loss takes rewards as input."""
        seen = self.setting("inner_loop.learned_loss.inputs") or ()
        return not set(REWARD_INPUTS).isdisjoint(seen)

    def losses(self) -> dict[int, str]:
        """Returns the run's best and latest loss in words, by the crc32 of their parameters."""
        if self.checkpoint is None:
            return {}
        latest = f"the loss of epoch {self.checkpoint.state.epoch}, the latest"
        return {
            crc32_of(self.checkpoint.best_phi): "the best loss so far",
            crc32_of(self.checkpoint.state.phi): latest,
        }

    def setting(self, path: str) -> Any:
        """Returns a value by its path from the root, such as "inner_loop.learned_loss.inputs".

        None if the config has no such value.
        """
        value: Any = "meta_train"
        for name in path.split("."):
            value = self.config.get(f"{value}.{name}")
        return value

    def settings_of(self, record: Any) -> dict[str, Any]:
        """Returns names and values of the settings of a record such as "RandomReacher"."""
        prefix = f"{record}."
        return {name: value for name, value in self.config.items() if name.startswith(prefix)}


def family_of(records: RunRecords) -> str:
    """Returns the name of a run's task family."""
    return records.setting("family") or "unknown tasks"


def read_run(root: pathlib.Path) -> RunRecords:
    """Reads the folder of a run, which may be in progress.

    Args:
        root: The folder.

    Returns:
        The records.

    Raises:
        ValueError: If the folder is not a run's, if it has no complete epoch, or if its latest
            checkpoint is damaged; the message is one sentence.
    """
    if not root.is_dir():
        raise ValueError(f"`--root_dir` (={root}) must be an existing folder.")
    try:
        config_text = read_text(root / CONFIG_FILE)
        lines = read_text(root / METRICS_FILE).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"`--root_dir` (={root}) must be the folder of a run of epg_tf.train, with "
            f"`{CONFIG_FILE}` and `{METRICS_FILE}` in it."
        ) from error
    metrics = _read_metrics(lines)
    if not len(metrics["epoch"]):
        raise ValueError(f"`--root_dir` (={root}) must hold a run with at least one whole epoch.")
    held_out = read_json(root / "held_out.json")
    if held_out is not None and not {"epoch", "first", "last"} <= held_out.keys():
        held_out = None
    checkpoint = CheckpointFolder(root / "checkpoints").latest()
    config = read_json(root / SETTINGS_FILE) or {}
    return RunRecords(root, config_text, config, metrics, checkpoint, held_out)


def _read_metrics(lines: list[str]) -> dict[str, np.ndarray]:
    rows = []
    for number, line in enumerate(lines, 1):
        # A line is incomplete if the run was killed or is just writing it.
        try:
            metrics = json.loads(line)
            rows.append([_number(metrics, name) for name in _METRICS])
        except (ValueError, TypeError, KeyError):
            logging.warning("Line %d of %s is damaged, and left out.", number, METRICS_FILE)
    table = np.array(rows, dtype=np.float64).reshape(-1, len(_METRICS))
    return dict(zip(_METRICS, table.T, strict=True))


def _number(metrics: Mapping[str, Any], name: str) -> float:
    # Metrics without validation are accepted too.
    value = metrics.get(name) if name == "validation_return" else metrics[name]
    return np.nan if value is None else float(value)
