"""Checkpoints: the state of the search, the best loss so far, and the config that led there.

A checkpoint is written aside and then renamed, so that there is never half of one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from epg_tf.evolution.strategy import EvolutionState

_NAME = re.compile(r"epoch_(\d+)\.npz")
_ARRAYS = ("phi", "first_moment", "second_moment")  # of the state
_TEACHING = "teaching_"  # in front of the names of its arrays


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on.

    Attributes:
        state: Where the search stands.
        best_phi: The loss of the best epoch so far, [P].
        best_return: Its mean return; NaN before the first epoch.
        best_guidance: The guidance of that epoch.
        env_steps: Environment steps so far, of all ranks.
        config: What fixes the run's numbers, flat: name -> value.
        teaching: What teaching needs to go on, arrays by name; empty where it is over, or there is
            none.
        made: How phi came to be: "evolved", "taught" or "taught, then evolved".
    """

    state: EvolutionState
    best_phi: np.ndarray
    best_return: float
    best_guidance: float
    env_steps: int
    config: dict[str, Any]
    teaching: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    made: str = "evolved"


def made_after(made: str, taught: bool) -> str:
    """How a loss has come to be after one more epoch.

    Args:
        made: How it had come to be before; "" for a fresh one.
        taught: Whether it was taught in that epoch, rather than evolved.
    """
    last = "taught" if taught else "evolved"
    return made if made.endswith(last) else f"{made}, then {last}".removeprefix(", then ")


class CheckpointFolder:
    """A folder of checkpoints, of which the last few are kept."""

    def __init__(self, path: pathlib.Path, num_kept: int = 3):
        self.path = path
        self._num_kept = num_kept

    def save(self, checkpoint: Checkpoint) -> pathlib.Path:
        """Writes a checkpoint and removes the oldest beyond those to keep."""
        self.path.mkdir(parents=True, exist_ok=True)
        path = self.path / f"epoch_{checkpoint.state.epoch:06d}.npz"
        aside = path.with_suffix(".partial")
        with open(aside, "wb") as file:
            np.savez(
                file,
                **vars(checkpoint.state),
                best_phi=checkpoint.best_phi,
                best_return=checkpoint.best_return,
                best_guidance=checkpoint.best_guidance,
                env_steps=checkpoint.env_steps,
                config=json.dumps(checkpoint.config),
                made=checkpoint.made,
                **{_TEACHING + name: value for name, value in checkpoint.teaching.items()},
            )
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        for old in self._paths()[: -self._num_kept]:
            old.unlink()
        return path

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint, or None where there is none."""
        paths = self._paths()
        return load_checkpoint(paths[-1]) if paths else None

    def time_of_latest(self) -> float:
        """When the newest checkpoint was written, in seconds since 1970; there must be one."""
        return self._paths()[-1].stat().st_mtime

    def _paths(self) -> list[pathlib.Path]:
        if not self.path.is_dir():
            return []
        names = [match for path in self.path.iterdir() if (match := _NAME.fullmatch(path.name))]
        return [self.path / name[0] for name in sorted(names, key=lambda name: int(name[1]))]


def load_checkpoint(path: pathlib.Path) -> Checkpoint:
    """Reads a checkpoint file.

    Raises:
        ValueError: If the file is not a checkpoint.
    """
    try:
        with open(path, "rb") as file, np.load(file) as data:
            # Runs from before there was teaching know no start and no maker.
            known = {"start_epoch": 0, "made": "evolved"} | dict(data)
            state = EvolutionState(
                int(data["epoch"]),
                *(np.array(data[name]) for name in _ARRAYS),
                start_epoch=int(known["start_epoch"]),
            )
            return Checkpoint(
                state,
                np.array(data["best_phi"]),
                float(data["best_return"]),
                float(data["best_guidance"]),
                int(data["env_steps"]),
                json.loads(str(data["config"])),
                {
                    name.removeprefix(_TEACHING): np.array(value)
                    for name, value in data.items()
                    if name.startswith(_TEACHING)
                },
                str(known["made"]),
            )
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"`checkpoint` (={path}) must be a readable checkpoint file.") from error
