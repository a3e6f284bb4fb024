"""A run as an artefact: what rank 0 writes to the root folder and shows on the terminal."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from epg_tf.evolution.checkpoint import Checkpoint, CheckpointFolder
from epg_tf.evolution.ranks import Ranks
from epg_tf.evolution.strategy import EvolutionState
from epg_tf.loss.saved_model import export_loss
from epg_tf.reporting import Reporter, replace_text

if TYPE_CHECKING:
    from epg_tf.inner_loop import Update
    from epg_tf.outer_loop import MetaTraining

_EPOCHS_PER_EXPORT = 10

# What may differ between a run and its continuation, because no number depends on it.
_FREE_SETTINGS = ("num_epochs", "simulator_threads", "compare_at_end")


class RunFolder:
    """The folder of one run: metrics, TensorBoard events, config, checkpoints, exported losses.

    On ranks other than the first all of it does nothing.
    """

    def __init__(
        self,
        root_dir: str,
        settings: MetaTraining,
        ranks: Ranks,
        config_text: Callable[[], str] = str,
    ):
        """Checks that the run can live in the folder.

        Args:
            root_dir: The folder; made where it is missing.
            settings: The run's.
            ranks: The processes that share it.
            config_text: The complete config, for the records.

        Raises:
            ValueError: On all ranks alike, if the folder cannot be written to or holds a run with
                another config.
        """
        if not root_dir:
            raise ValueError("`--root_dir` (='') must name a folder.")
        self._ranks = ranks
        self._settings = settings
        self._root = pathlib.Path(root_dir)
        self._lock: int | None = None
        self._checkpoints = CheckpointFolder(self._root / "checkpoints")
        self._config = _plain(flatten(settings))
        problem = ranks.broadcast(self._problem() if ranks.is_first else None)
        if problem:
            raise ValueError(problem)
        self._config_text = config_text
        self._reporter: Reporter | None = None

    def open(self, start: EvolutionState, start_made: str | None = None) -> Checkpoint | None:
        """Opens the records where the run stands.

        Args:
            start: The state of a run that has not begun.
            start_made: How the loss came to be that it starts from; None for a fresh one.

        Returns:
            The latest checkpoint, or one of the start; None on ranks other than the first.
        """
        if not self._ranks.is_first:
            return None
        self._take_lock()
        checkpoint = self._checkpoints.latest() or Checkpoint(
            start, start.phi, math.nan, math.inf, 0, self._config, made=start_made or ""
        )
        checkpoint = dataclasses.replace(checkpoint, config=self._config)  # the run's may be older
        self._reporter = Reporter(
            self._root, self._settings, self._ranks.size, checkpoint, self._config_text()
        )
        if checkpoint.state.epoch and not self._is_exported():
            self._export(checkpoint)
        return checkpoint

    def __enter__(self) -> RunFolder:
        """Nothing more; `open` opens the records."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the records."""
        if self._reporter is not None:
            self._reporter.close()
        self._release_lock()

    def show_update(self, update: Update) -> None:
        """Moves the progress bar on."""
        del update
        if self._reporter is not None:
            self._reporter.show_update()

    def record_epoch(
        self,
        last: Checkpoint,
        state: EvolutionState,
        gathered: dict[str, np.ndarray],
        logs: dict[str, float],
        teaching: Mapping[str, np.ndarray] | None = None,
    ) -> Checkpoint:
        """Writes down an epoch.

        Args:
            last: The checkpoint before it.
            state: The state after it.
            gathered: What was gathered of all workers, [n] each.
            logs: `guidance`, `seconds`, what `tell` or teaching reported, and `validation_return`
                where phi was looked at.
            teaching: What teaching needs to go on; None where it is over.

        Returns:
            The new checkpoint.
        """
        settings, guidance = self._settings, logs["guidance"]
        num_updates = settings.num_updates_in(state.epoch)
        steps = settings.num_workers * num_updates * settings.inner_loop.steps_per_update
        validation_return = None
        if settings.validate_every:
            validation_return = logs.get("validation_return", math.nan)
        checkpoint = last.followed_by(
            state,
            steps,
            gathered["returns"],
            guidance,
            settings.is_taught(state.epoch),
            validation_return,
            teaching,
        )
        if self._reporter is not None:
            self._reporter.record_epoch(checkpoint, gathered, logs, steps)
            self._checkpoints.save(checkpoint)
            stopped = bool(gathered["stop"].any()) and state.epoch < self._settings.num_epochs
            ends = stopped or state.epoch >= self._settings.num_epochs
            if ends or state.epoch % _EPOCHS_PER_EXPORT == 1:
                self._export(checkpoint)
            if stopped:
                self._reporter.say(
                    f"Stopped after epoch {state.epoch} of {self._settings.num_epochs}; the same "
                    "command goes on from there."
                )
        return checkpoint

    def record_comparison(
        self, checkpoint: Checkpoint, compare: Callable[[], dict[str, list[float]]]
    ) -> None:
        """Writes down, and says, what the first and the last loss teach on held-out tasks.

        Args:
            checkpoint: Where the last loss comes from.
            compare: Trains the agents; called unless the folder has the answer already.
        """
        path, epoch = self._root / "held_out.json", checkpoint.state.epoch
        known = None
        if self._reporter is not None and path.is_file():
            known = json.loads(path.read_text())
            known = known if known["epoch"] == epoch else None
        known = self._ranks.broadcast(known)
        result = known or {"epoch": epoch, **compare()}
        if self._reporter is not None:
            replace_text(path, json.dumps(result) + "\n")
            self._reporter.say_comparison(result)

    def _take_lock(self) -> None:
        """Keeps other runs out of the folder, until this process ends at the latest."""
        self._lock = os.open(self._root / ".lock", os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _is_exported(self) -> bool:
        """Whether the exported losses are those of the latest checkpoint, not killed before it."""
        exports = [self._root / "export" / name for name in ("latest", "best")]
        saved = self._checkpoints.time_of_latest()
        return all(path.is_dir() and path.stat().st_mtime >= saved for path in exports)

    def _export(self, checkpoint: Checkpoint) -> None:
        for name, phi in (("latest", checkpoint.state.phi), ("best", checkpoint.best_phi)):
            export_loss(
                self._settings.inner_loop, self._settings.family, phi, self._root / "export" / name
            )

    def _problem(self) -> str | None:
        """What keeps the run from living here, as a sentence."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            probe = self._root / f".writable_{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            return (
                f"`--root_dir` (={self._root}) must be a folder one can write to "
                f"({error.strerror})."
            )
        try:
            self._take_lock()
            self._release_lock()
        except BlockingIOError:
            return f"`--root_dir` (={self._root}) must not be in use by another run."
        try:
            latest = self._checkpoints.latest()
        except ValueError as error:
            return str(error)
        found = differs_from_run(self._settings, latest.config) if latest is not None else ""
        if not found:
            return None
        return f"`--root_dir` (={self._root}) must not hold a run with another config: {found}."


def differs_from_run(settings: Any, config: Mapping[str, Any]) -> str:
    """Says by name in what settings differ from the config of a run.

    A setting that is younger than the run counts as its default there.
    """
    return differences({**_plain(_defaults(settings)), **config}, _plain(flatten(settings)))


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Says by name what differs between two sets of settings; one of None may be absent."""
    return "; ".join(
        f"`{name}` is {there.get(name, 'absent')} there and {here.get(name, 'absent')} here"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    )


def flatten(settings: Any, prefix: str = "meta_train") -> dict[str, Any]:
    """Settings as names and values, like gin's: nested records by their class."""
    values: dict[str, Any] = {}
    for name, _, value in _fields(settings, prefix):
        if _is_record(value):
            values[name] = type(value).__name__
            values.update(flatten(value, type(value).__name__))
        else:
            values[name] = repr(value) if callable(value) else value
    return values


def _defaults(settings: Any, prefix: str = "meta_train") -> dict[str, Any]:
    """What `flatten` would give if every setting that has a default had it."""
    values: dict[str, Any] = {}
    for name, default, value in _fields(settings, prefix):
        if _is_record(value):
            values.update(_defaults(value, type(value).__name__))
        elif default is not dataclasses.MISSING:
            values[name] = default
    return values


def _fields(settings: Any, prefix: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, default and value of each setting that a run's numbers depend on."""
    for field in dataclasses.fields(settings):
        if prefix != "meta_train" or field.name not in _FREE_SETTINGS:
            yield f"{prefix}.{field.name}", field.default, getattr(settings, field.name)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not callable(value)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON."""
    return json.loads(json.dumps(values, default=_as_json))


def _as_json(value: Any) -> Any:
    """What JSON makes of an array, or of an object that a family of the user's own may hold."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return {"class": type(value).__name__, **getattr(value, "__dict__", {"value": str(value)})}
