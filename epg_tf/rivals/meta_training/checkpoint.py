"""Where a rival's run stands, and its best state so far, as arrays in a file."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

import numpy as np

from epg_tf.outer_loop.checkpoint_files import CheckpointFiles, read_arrays
from epg_tf.rivals.meta_training.rival import Arrays, EpochOutcome

_STATE, _BEST = "state/", "best/"  # in front of the names of their arrays


@dataclasses.dataclass(frozen=True)
class RivalCheckpoint:
    """All that a run needs to go on.

    Attributes:
        epoch: Epochs done.
        env_steps: Environment steps so far; those of validation are not among them.
        state: What the learner goes on from.
        best_state: The best so far.
        best_return: The validation return by which it is the best; NaN where there is none.
        best_epoch: The epochs that led to it.
        best_env_steps: The environment steps that led to it.
        config: What fixes the run's numbers, flat: name -> value.
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
        """That of a run that has not begun."""
        return cls(0, 0, state, state, math.nan, 0, 0, config)

    def followed_by(
        self, outcome: EpochOutcome, validation_return: float | None
    ) -> RivalCheckpoint:
        """The checkpoint after one more epoch.

        Args:
            outcome: What the epoch came to.
            validation_return: What the state after it is worth; None where nobody looked, and a run
                that never looked so far has its latest state for the best.
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
    """A folder of checkpoints, of which the last few are kept."""

    def __init__(self, path: pathlib.Path):
        super().__init__(path, load_rival_checkpoint)

    def save(self, checkpoint: RivalCheckpoint) -> pathlib.Path:
        """Writes a checkpoint and removes the oldest beyond those to keep."""
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
        ValueError: If the file is not a checkpoint of a rival, or damaged.
    """
    try:
        data = read_arrays(path)
        return RivalCheckpoint(
            int(data["epoch"]),
            int(data["env_steps"]),
            _named(data, _STATE),
            _named(data, _BEST),
            float(data["best_return"]),
            int(data["best_epoch"]),
            int(data["best_env_steps"]),
            json.loads(str(data["config"])),
        )
    except Exception as error:  # a damaged file leads the reader of zip files anywhere
        raise ValueError(
            f"`checkpoint` (={path}) must be a readable checkpoint file of a rival."
        ) from error


def _named(data: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): value for name, value in data.items() if name.startswith(prefix)
    }
