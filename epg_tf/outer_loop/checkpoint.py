"""Checkpoints: the state of the search, the best loss so far, and the config that led there.

As files they are `checkpoint_files`'.
"""

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
    """All that a run needs to go on.

    Attributes:
        state: Where the search stands.
        best_phi: The best loss so far, [P].
        best_return: The return by which it is the best; NaN before there is one.
        best_guidance: The guidance of the agents that had that return.
        env_steps: Environment steps so far, of all ranks.
        config: What fixes the run's numbers, flat: name -> value.
        teaching: What teaching needs to go on, arrays by name; once it is over, the teacher's
            alone; empty if there is none.
        made: How phi came to be: "evolved", "taught" or "taught, then evolved".
        best_epoch: The epochs that led to the best loss; None before there is one.
        best_env_steps: The environment steps that led to the best loss, likewise.
        best_made: How the best loss came to be, likewise.
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
        """The checkpoint after one more epoch; here it is decided which loss is the best so far.

        Where a run looks at phi on validation tasks it is the one with the highest return there.
        Else it is the one that the epoch with the highest mean return began with: of the finite
        returns, which at least half of the workers must have. Returns compare only at equal
        guidance, and less of it is better: it is more of what the loss is for.

        Args:
            state: The state after the epoch.
            num_steps: Environment steps of the epoch, of all ranks.
            returns: R_i, [n].
            guidance: alpha in Eq. 6.
            taught: Whether phi was taught in the epoch, rather than evolved.
            validation_return: That of phi after the epoch; NaN in an epoch of a run that looks at
                others, None in a run that looks at none.
            teaching: See above.
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
    """The mean of the finite returns; NaN where fewer than half are."""
    finite = returns[np.isfinite(returns)]
    return float(np.mean(finite)) if 2 * len(finite) >= len(returns) else math.nan


def made_after(made: str, taught: bool) -> str:
    """How a loss has come to be after one more epoch.

    Args:
        made: How it had come to be before; "" for a fresh one.
        taught: Whether it was taught in that epoch, rather than evolved.
    """
    last = "taught" if taught else "evolved"
    return made if made.endswith(last) else f"{made}, then {last}".removeprefix(", then ")


class CheckpointFolder(CheckpointFiles[Checkpoint]):
    """A folder of checkpoints, of which the last few are kept."""

    def __init__(self, path: pathlib.Path, num_kept: int = 3):
        super().__init__(path, load_checkpoint, num_kept)

    def save(self, checkpoint: Checkpoint) -> pathlib.Path:
        """Writes a checkpoint and removes the oldest beyond those to keep."""
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
    """Reads a checkpoint file, once the checksums of all that is in it are found to be right.

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
    except Exception as error:  # a damaged file leads the reader of zip files anywhere
        raise ValueError(f"`checkpoint` (={path}) must be a readable checkpoint file.") from error
