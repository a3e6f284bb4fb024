"""The folder of a run, to which rank 0 writes checkpoints, records and exported losses."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable, Sequence

from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.files import flatten, plain, read_json, recover, write_json
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder
from epg_tf.outer_loop.meta_train import EpochRecord
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.ranks import Ranks
from epg_tf.run.epoch_records import misfit
from epg_tf.run.lock import FolderLock
from epg_tf.run.reporter import Reporter

_EPOCHS_PER_EXPORT = 10


class RunFolder:
    """The folder of a run. Only rank 0 writes to it.

    A lock keeps other runs out from construction until the `with` statement ends.

    Attributes:
        partial_epochs: The folder of all ranks' snapshots of an unfinished epoch.
    """

    def __init__(
        self,
        root_dir: str,
        settings: MetaTraining,
        ranks: Ranks,
        config_text: Callable[[], str] = str,
        command: Sequence[str] = (),
    ):
        """Checks that the run can use the folder, and reads its latest checkpoint.

        Args:
            root_dir: The folder; created if missing.
            settings: The settings of the run.
            ranks: The processes that share the run.
            config_text: Returns the complete config, for the records.
            command: The command line, for the records.

        Raises:
            ValueError: On all ranks alike, if the folder is not writable, is in use, or holds a
                run with another config.
        """
        if not root_dir:
            raise ValueError("`--root_dir` (='') must name a folder.")
        self._ranks = ranks
        self._settings = settings
        self._config_text = config_text
        self._command = command
        self._root = pathlib.Path(root_dir)
        self._lock = FolderLock(self._root)
        self._config = plain(flatten(settings))
        self._checkpoints = CheckpointFolder(self._root / "checkpoints")
        self.partial_epochs = self._root / "partial_epochs"
        self._latest: Checkpoint | None = None
        self._reporter: Reporter | None = None
        problem = ranks.broadcast(self._problem() if ranks.is_first else None)
        if problem:
            self._lock.release()
            raise ValueError(problem)

    def open(self, start: EvolutionState, start_made: str | None = None) -> Checkpoint | None:
        """Opens the records at the latest checkpoint, and exports its losses if they are outdated.

        Args:
            start: The initial state of a new run.
            start_made: The origin of the loss that a new run starts from; None for a fresh loss.

        Returns:
            The latest checkpoint, or an initial one; None on ranks other than the first.
        """
        if not self._ranks.is_first:
            return None
        checkpoint = self._latest or Checkpoint(
            start, start.phi, math.nan, math.inf, 0, self._config, made=start_made or ""
        )
        checkpoint = dataclasses.replace(checkpoint, config=self._config)  # may lack new settings
        self._reporter = Reporter(
            self._root,
            self._settings,
            self._ranks.size,
            checkpoint,
            self._config_text(),
            self._command,
        )
        if checkpoint.state.epoch and not self._is_exported():
            self._export(checkpoint)
        return checkpoint

    def __enter__(self) -> RunFolder:
        """Returns the folder; `open` opens the records."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the records and releases the lock."""
        if self._reporter is not None:
            self._reporter.records.close()
        self._lock.release()

    def show_steps(self, num_steps: int) -> None:
        """Advances the progress bar by environment steps."""
        if self._reporter is not None:
            self._reporter.show_steps(num_steps)

    def record_epoch(self, record: EpochRecord) -> None:
        """Records an epoch and its checkpoint; exports losses every ten epochs and at the end."""
        if self._reporter is None:
            return
        checkpoint, epoch = record.checkpoint, record.checkpoint.state.epoch
        self._reporter.record_epoch(record)
        self._checkpoints.save(checkpoint)
        ends = record.stopped or epoch >= self._settings.num_epochs
        if ends or epoch % _EPOCHS_PER_EXPORT == 1:
            self._export(checkpoint)
        if record.stopped:
            self._reporter.records.say_stopped(epoch)

    def record_comparison(
        self, checkpoint: Checkpoint, compare: Callable[[], dict[str, list[float]]]
    ) -> None:
        """Compares the first and the last loss on held-out tasks; writes and prints the result.

        Args:
            checkpoint: The checkpoint of the last loss.
            compare: Trains the agents; called only if the folder lacks the result of this epoch.
        """
        path, epoch = self._root / "held_out.json", checkpoint.state.epoch
        known = read_json(path) if self._reporter is not None else None
        known = self._ranks.broadcast(known if known and known.get("epoch") == epoch else None)
        result = known or {"epoch": epoch, **compare()}
        if self._reporter is not None:
            write_json(path, result, allow_nan=True)
            self._reporter.say_comparison(result)

    def _is_exported(self) -> bool:
        """Returns True if the exported losses are as new as the latest checkpoint."""
        exports = [self._root / "export" / name for name in ("latest", "best")]
        for path in exports:
            recover(path)
        saved = self._checkpoints.time_of_latest()
        return all(path.is_dir() and path.stat().st_mtime >= saved for path in exports)

    def _export(self, checkpoint: Checkpoint) -> None:
        for name, phi in (("latest", checkpoint.state.phi), ("best", checkpoint.best_phi)):
            export_loss(
                self._settings.inner_loop, self._settings.family, phi, self._root / "export" / name
            )

    def _problem(self) -> str | None:
        """Locks the folder and reads its checkpoint; returns a sentence if something is wrong."""
        problem = self._lock.take()
        if problem is not None:
            return problem
        try:
            self._latest = self._checkpoints.latest()
        except ValueError as error:
            return str(error)
        if self._latest is None:
            return None
        done = self._latest.state.epoch, self._latest.config
        return misfit(self._root, self._settings, "meta_train", *done)
