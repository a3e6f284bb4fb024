"""The folder of a rival's run: checkpoints, metrics, TensorBoard's events and a progress bar."""

from __future__ import annotations

import dataclasses
import math
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from epg_tf.agent.arrays import Arrays
from epg_tf.files import (
    CONFIG_FILE,
    METRICS_FILE,
    SETTINGS_FILE,
    differs_from_run,
    flatten,
    plain,
    write_json,
    write_text,
)
from epg_tf.rivals.meta_training.checkpoint import (
    RivalCheckpoint,
    RivalCheckpointFolder,
)
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.run.lock import FolderLock
from epg_tf.run.log import append_metrics, forget_after, note_command
from epg_tf.run.progress import progress_bar

ROOT = "train_rival"  # gin's name for the settings of such a run

_BAR = "{desc} {percentage:3.0f}%|{bar:20}| epoch {n:.1f}/{total} [{elapsed}<{remaining}{postfix}]"


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
        epoch, last = checkpoint.epoch, self._settings.num_epochs
        done = epoch >= last
        self._events = (
            tf.summary.create_noop_writer()
            if done
            else tf.summary.create_file_writer(str(self._root / "events"))
        )
        if done:
            _say(
                f"Nothing to do: the run in {self._root} has reached epoch {epoch}, and "
                f"`{ROOT}.num_epochs` is {last}; raise it to go on."
            )
        else:
            self._begin(epoch)
        self._bar = progress_bar(
            last, _BAR, initial=min(epoch, last), desc=self._root.name, disable=done
        )
        return checkpoint

    def __enter__(self) -> RivalFolder:
        """Returns the folder; `open` opens the records."""
        return self

    def __exit__(self, *exception) -> None:
        """Closes the records and unlocks the folder."""
        if hasattr(self, "_bar"):
            self._bar.close()
            self._events.close()
        self._lock.release()

    def show_progress(self, share: float) -> None:
        """Advances the progress bar by a fraction of an epoch."""
        self._bar.update(share)

    def record_epoch(
        self, checkpoint: RivalCheckpoint, metrics: Mapping[str, float], stopped: bool
    ) -> None:
        """Records an epoch and its checkpoint; docs/files.md explains the metrics."""
        epoch = checkpoint.epoch
        append_metrics(self._root / METRICS_FILE, metrics)
        with self._events.as_default(step=epoch):
            for name, value in metrics.items():
                if name != "epoch" and math.isfinite(value):
                    tf.summary.scalar(name, value)
        self._events.flush()
        self._checkpoints.save(checkpoint)
        self._bar.n = epoch
        shown = {
            "return": f"{metrics['return_mean']:.4g}",
            "best": f"{checkpoint.best_return:.4g}",
            "steps/s": f"{metrics['env_steps_per_second']:,.0f}",
        }
        self._bar.set_postfix(shown, refresh=sys.stderr.isatty())
        self._bar.update(0)
        if stopped:
            _say(
                f"Stopped after epoch {epoch} of {self._settings.num_epochs}; the same command "
                "goes on from there."
            )

    def _begin(self, epoch: int) -> None:
        root, settings = self._root, self._settings
        forget_after(root / METRICS_FILE, epoch)
        write_text(root / CONFIG_FILE, self._config_text)
        text = plain(flatten(settings, free=True, root=ROOT))
        write_json(root / SETTINGS_FILE, text, allow_nan=True)
        note_command(root, 1, self._command)
        with self._events.as_default(step=epoch):
            # TensorBoard renders Markdown, in which four spaces mark code.
            lines = self._config_text.splitlines()
            tf.summary.text("config", "\n".join("    " + line for line in lines))
        _say(
            f"{'Going on from' if epoch else 'Starting at'} epoch {epoch} of "
            f"{settings.num_epochs}: {type(settings.rival).__name__} ({settings.rival.method}), "
            f"{settings.num_tasks} tasks of {type(settings.family).__name__} an epoch.\n"
            f"Watch it with: tensorboard --logdir {root}"
        )

    def _problem(self) -> str | None:
        """Reads the latest checkpoint; returns a sentence if it does not fit the settings."""
        try:
            self._latest = self._checkpoints.latest()
        except ValueError as error:
            return f"`--root_dir` (={self._root}) must not hold another kind of run: {error}"
        if self._latest is None:
            return None
        done, wanted = self._latest.epoch, self._settings.num_epochs
        if wanted < done:
            return (
                f"`{ROOT}.num_epochs` (={wanted}) must be at least the {done} epochs that the run "
                f"in {self._root} has done."
            )
        found = differs_from_run(self._settings, self._latest.config, ROOT)
        if not found:
            return None
        return f"`--root_dir` (={self._root}) must not hold a run with another config: {found}."


def _say(text: str) -> None:
    print(text, flush=True)
