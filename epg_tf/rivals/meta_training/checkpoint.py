"""Checkpoints of a rival's run: its latest and its best state, as arrays in a file."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

from epg_tf.agent.arrays import Arrays, below
from epg_tf.outer_loop.checkpoint_files import CheckpointFiles, read_arrays
from epg_tf.rivals.meta_training.rival import EpochOutcome

_STATE, _BEST = "state/", "best/"  # prefixes of the names of their arrays


@dataclasses.dataclass(frozen=True)
class RivalCheckpoint:
    """All that a run needs to resume.

    Attributes:
        epoch: The number of finished epochs.
        env_steps: Environment steps so far, without those of validation.
        state: The latest state of the learner.
        best_state: The best state so far.
        best_return: The validation return of the best state; NaN if there is none.
        best_epoch: The epochs up to the best state.
        best_env_steps: The environment steps up to the best state.
        config: The settings that determine the results, flat: name -> value.
    """

    epoch: int
    env_steps: int
    state: Arrays
    best_state: Arrays
    best_return: float
    best_epoch: int
    best_env_steps: int
    config: dict[str, Any]

    @classmethod
    def first(cls, state: Arrays, config: dict[str, Any]) -> RivalCheckpoint:
        """Returns the checkpoint of a new run."""
        return cls(0, 0, state, state, math.nan, 0, 0, config)

    def followed_by(
        self, outcome: EpochOutcome, validation_return: float | None
    ) -> RivalCheckpoint:
        """Returns the checkpoint after one more epoch.

        Args:
            outcome: The result of the epoch.
            validation_return: The validation return of the state after it; None without validation.
                Before the first validation, the latest state counts as the best.
        """
        epoch, env_steps = self.epoch + 1, self.env_steps + outcome.num_steps
        found = dataclasses.replace(self, epoch=epoch, env_steps=env_steps, state=outcome.state)
        value = math.nan if validation_return is None else validation_return
        unseen = math.isnan(self.best_return)
        if unseen or value > self.best_return:
            found = dataclasses.replace(
                found,
                best_state=outcome.state,
                best_return=value,
                best_epoch=epoch,
                best_env_steps=env_steps,
            )
        return found


class RivalCheckpointFolder(CheckpointFiles[RivalCheckpoint]):
    """A folder that keeps the last few checkpoints."""

    def __init__(self, path: pathlib.Path):
        super().__init__(path, load_rival_checkpoint)

    def save(self, checkpoint: RivalCheckpoint) -> pathlib.Path:
        """Writes a checkpoint and removes those that are too old to keep."""
        arrays: dict[str, Any] = {
            field.name: getattr(checkpoint, field.name)
            for field in dataclasses.fields(checkpoint)
            if field.name not in ("state", "best_state", "config")
        }
        arrays["config"] = json.dumps(checkpoint.config)
        arrays |= {_STATE + name: value for name, value in checkpoint.state.items()}
        arrays |= {_BEST + name: value for name, value in checkpoint.best_state.items()}
        return self.write(checkpoint.epoch, arrays)


def load_rival_checkpoint(path: pathlib.Path) -> RivalCheckpoint:
    """Reads a checkpoint file.

    Raises:
        ValueError: If the file is not a checkpoint of a rival or is damaged.
    """
    try:
        data = read_arrays(path)
        return RivalCheckpoint(
            int(data["epoch"]),
            int(data["env_steps"]),
            below(data, _STATE),
            below(data, _BEST),
            float(data["best_return"]),
            int(data["best_epoch"]),
            int(data["best_env_steps"]),
            json.loads(str(data["config"])),
        )
    except Exception as error:  # damaged zip files raise many types
        raise ValueError(
            f"`checkpoint` (={path}) must be a readable checkpoint file of a rival."
        ) from error
