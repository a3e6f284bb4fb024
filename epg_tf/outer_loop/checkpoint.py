"""Checkpoints: the state of the search, the best loss so far, and the config of the run."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from epg_tf.outer_loop.checkpoint_files import CheckpointFiles, read_arrays
from epg_tf.outer_loop.strategy import EvolutionState

_ARRAYS = ("phi", "first_moment", "second_moment")  # of the state
_TEACHING = "teaching_"  # in front of the names of its arrays
_BEST = (
    "best_phi",
    "best_return",
    "best_guidance",
    "best_epoch",
    "best_env_steps",
    "best_made",
)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Everything that a run needs to resume.

    Attributes:
        state: The state of the search.
        best_phi: The best loss so far, [P].
        best_return: Its return; NaN before there is one.
        best_guidance: The guidance of the agents that got this return.
        env_steps: Environment steps so far, of all ranks.
        config: The settings that determine the run's numbers, flat: name -> value.
        teaching: The state of teaching as arrays by name; after teaching the teacher's networks
            alone; empty without a teacher.
        made: The origin of phi: "evolved", "taught" or "taught, then evolved".
        best_epoch: The epochs that led to the best loss; None before there is one.
        best_env_steps: The environment steps that led to the best loss, likewise.
        best_made: The origin of the best loss, likewise.
    """

    state: EvolutionState
    best_phi: np.ndarray
    best_return: float
    best_guidance: float
    env_steps: int
    config: dict[str, Any]
    teaching: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    made: str = "evolved"
    best_epoch: int | None = None
    best_env_steps: int | None = None
    best_made: str | None = None

    def followed_by(
        self,
        state: EvolutionState,
        num_steps: int,
        returns: np.ndarray,
        guidance: float,
        taught: bool,
        validation_return: float | None = None,
        teaching: Mapping[str, np.ndarray] | None = None,
    ) -> Checkpoint:
        """Returns the checkpoint after one more epoch, and decides which loss is the best.

        With validation, the best loss has the highest validation return. Without, it is the loss
        before the epoch with the highest mean of finite returns. Such an epoch counts if at least
        half of its returns are finite. Lower guidance always wins, since returns compare only at
        equal guidance.

        Args:
            state: The state after the epoch.
            num_steps: Environment steps of the epoch, of all ranks.
            returns: R_i, [n].
            guidance: alpha in Eq. 6.
            taught: True if phi was taught in the epoch, False if it evolved.
            validation_return: The validation return of phi after the epoch; NaN in an epoch without
                validation, None in a run without.
            teaching: The state of teaching as arrays by name.
        """
        env_steps, made = self.env_steps + num_steps, made_after(self.made, taught)
        if validation_return is not None:  # of phi as it is now, without guidance
            value, alpha = validation_return, 0.0
            found = (state.phi, value, alpha, state.epoch, env_steps, made)
        else:
            value, alpha, before = _mean_return(returns), guidance, self.state
            found = (before.phi, value, alpha, before.epoch, self.env_steps, self.made)
        best = {}
        if math.isfinite(value) and (-alpha, value) > (-self.best_guidance, self.best_return):
            best = dict(zip(_BEST, found, strict=True))
        return dataclasses.replace(
            self, state=state, env_steps=env_steps, made=made, teaching=teaching or {}, **best
        )


def _mean_return(returns: np.ndarray) -> float:
    """Returns the mean of the finite returns; NaN if fewer than half are finite."""
    finite = returns[np.isfinite(returns)]
    return float(np.mean(finite)) if 2 * len(finite) >= len(returns) else math.nan


def made_after(made: str, taught: bool) -> str:
    """Returns the origin of a loss after one more epoch.

    Args:
        made: Its origin before; "" for a fresh loss.
        taught: True if it was taught in that epoch, False if it evolved.
    """
    last = "taught" if taught else "evolved"
    return made if made.endswith(last) else f"{made}, then {last}".removeprefix(", then ")


class CheckpointFolder(CheckpointFiles[Checkpoint]):
    """A folder that keeps the last few checkpoints."""

    def __init__(self, path: pathlib.Path, num_kept: int = 3):
        super().__init__(path, load_checkpoint, num_kept)

    def save(self, checkpoint: Checkpoint) -> pathlib.Path:
        """Writes a checkpoint and removes the oldest ones."""
        best = {name: getattr(checkpoint, name) for name in _BEST}
        arrays = {
            **vars(checkpoint.state),
            "env_steps": checkpoint.env_steps,
            "config": json.dumps(checkpoint.config),
            "made": checkpoint.made,
            **{name: value for name, value in best.items() if value is not None},
            **{_TEACHING + name: value for name, value in checkpoint.teaching.items()},
        }
        return self.write(checkpoint.state.epoch, arrays)


def load_checkpoint(path: pathlib.Path) -> Checkpoint:
    """Reads a checkpoint file after verifying the checksums of its members.

    Raises:
        ValueError: If the file is not a checkpoint, or damaged.
    """
    try:
        data = read_arrays(path)
        state = EvolutionState(
            int(data["epoch"]),
            *(np.array(data[name]) for name in _ARRAYS),
            start_epoch=int(data["start_epoch"]),
        )
        teaching = {
            name.removeprefix(_TEACHING): np.array(value)
            for name, value in data.items()
            if name.startswith(_TEACHING)
        }
        return Checkpoint(
            state,
            np.array(data["best_phi"]),
            float(data["best_return"]),
            float(data["best_guidance"]),
            int(data["env_steps"]),
            json.loads(str(data["config"])),
            teaching,
            str(data["made"]),
            int(data["best_epoch"]) if "best_epoch" in data else None,
            int(data["best_env_steps"]) if "best_env_steps" in data else None,
            str(data["best_made"]) if "best_made" in data else None,
        )
    except Exception as error:  # zipfile and NumPy raise many types on corrupt files
        raise ValueError(f"`checkpoint` (={path}) must be a readable checkpoint file.") from error
