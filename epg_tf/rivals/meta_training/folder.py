"""The folder of a rival's run: checkpoints, metrics, TensorBoard's events and a progress bar."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from epg_tf.agent.arrays import Arrays
from epg_tf.files import flatten, plain
from epg_tf.rivals.meta_training.checkpoint import (
    RivalCheckpoint,
    RivalCheckpointFolder,
)
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.run.epoch_records import EpochRecords, misfit
from epg_tf.run.lock import FolderLock

ROOT = "train_rival"  # gin's name for the settings of such a run


class RivalFolder:
    """The folder of a rival's run.

    It is locked against other runs from its construction to the end of the `with` statement.
    """

    def __init__(
        self,
        root_dir: str,
        settings: RivalTraining,
        config_text: str = "",
        command: Sequence[str] = (),
    ):
        """Checks that the folder fits the run, and reads its latest checkpoint.

        Args:
            root_dir: The folder; created if missing.
            settings: The settings of the run.
            config_text: The complete config, for the records.
            command: The command line, for the records.

        Raises:
            ValueError: If the folder is not writable, is in use, or does not fit the run.
        """
        if not root_dir:
            raise ValueError("`--root_dir` (='') must name a folder.")
        self._root = pathlib.Path(root_dir)
        self._settings = settings
        self._config_text, self._command = config_text, command
        self._config = plain(flatten(settings, root=ROOT))
        self._checkpoints = RivalCheckpointFolder(self._root / "checkpoints")
        self._lock = FolderLock(self._root)
        problem = self._lock.take() or self._problem()
        if problem:
            self._lock.release()
            raise ValueError(problem)

    def open(self, first_state: Callable[[], Arrays]) -> RivalCheckpoint:
        """Opens the records at the latest checkpoint.

        Args:
            first_state: Makes the state of a new run.

        Returns:
            The latest checkpoint, or that of a new run.
        """
        checkpoint = self._latest or RivalCheckpoint.first(first_state(), self._config)
        checkpoint = dataclasses.replace(checkpoint, config=self._config)  # its config may be older
        settings, lines = self._settings, self._config_text.splitlines()
        about = (
            f"{type(settings.rival).__name__} ({settings.rival.method}), "
            f"{settings.num_tasks} tasks of {type(settings.family).__name__} an epoch"
        )
        # TensorBoard renders Markdown, in which four spaces mark code.
        text = "\n".join("    " + line for line in lines)
        self._records = EpochRecords(
            self._root,
            settings,
            ROOT,
            checkpoint.epoch,
            about,
            self._config_text,
            self._command,
            lambda: tf.summary.text("config", text),
        )
        return checkpoint

    def __enter__(self) -> RivalFolder:
        """Returns the folder; `open` opens the records."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the records and unlocks the folder."""
        if hasattr(self, "_records"):
            self._records.close()
        self._lock.release()

    def show_progress(self, share: float) -> None:
        """Advances the progress bar by a fraction of an epoch."""
        self._records.advance(share)

    def record_epoch(
        self, checkpoint: RivalCheckpoint, metrics: Mapping[str, float], stopped: bool
    ) -> None:
        """Records an epoch and its checkpoint; docs/files.md explains the metrics."""

        def write_events() -> None:
            for name, value in metrics.items():
                if name != "epoch" and math.isfinite(value):
                    tf.summary.scalar(name, value)

        self._records.add(metrics, checkpoint.best_return, write_events)
        self._checkpoints.save(checkpoint)
        if stopped:
            self._records.say_stopped(checkpoint.epoch)

    def _problem(self) -> str | None:
        """Reads the latest checkpoint; returns a sentence if it does not fit the settings."""
        try:
            self._latest = self._checkpoints.latest()
        except ValueError as error:
            return f"`--root_dir` (={self._root}) must not hold another kind of run: {error}"
        if self._latest is None:
            return None
        return misfit(self._root, self._settings, ROOT, self._latest.epoch, self._latest.config)
