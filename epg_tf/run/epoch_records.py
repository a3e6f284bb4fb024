"""The records that all runs keep of their epochs, of losses and of rivals alike."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

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
from epg_tf.run.log import append_metrics, forget_after, note_command
from epg_tf.run.progress import progress_bar

_BAR = "{desc} {percentage:3.0f}%|{bar:20}| epoch {n:.1f}/{total} [{elapsed}<{remaining}{postfix}]"


def misfit(
    root: pathlib.Path, settings: Any, name: str, epoch: int, config: Mapping[str, Any]
) -> str | None:
    """Returns a sentence if a run cannot go on with other settings; None if it can.

    Args:
        root: The folder of the run.
        settings: The settings to go on with, of which one is `num_epochs`.
        name: Their name in presets.
        epoch: The number of epochs that the run has done.
        config: The settings of the run that determine its results, flat.
    """
    if settings.num_epochs < epoch:
        return (
            f"`{name}.num_epochs` (={settings.num_epochs}) must be at least the {epoch} epochs "
            f"that the run in {root} has done."
        )
    found = differs_from_run(settings, config, name)
    if not found:
        return None
    return f"`--root_dir` (={root}) must not hold a run with another config: {found}."


class EpochRecords:
    """A run's config, command lines, metrics.jsonl, TensorBoard's events and progress bar.

    Attributes:
        bar: The progress bar, in epochs.
        events: The writer of TensorBoard's events.
    """

    def __init__(
        self,
        root: pathlib.Path,
        settings: Any,
        name: str,
        epoch: int,
        about: str,
        config_text: str,
        command: Sequence[str],
        write_start: Callable[[], object],
        num_ranks: int = 1,
        writes_later: bool = False,
    ):
        """Opens the records after an epoch.

        Args:
            root: The folder of the run.
            settings: The settings of the run, of which one is `num_epochs`.
            name: Their name in presets.
            epoch: The number of finished epochs.
            about: The words that describe the run on the screen.
            config_text: The complete config, as gin.
            command: The command line.
            write_start: Writes the first events.
            num_ranks: The number of processes that share the run.
            writes_later: True if there are events to write even after the last epoch.
        """
        self._root, self._num_epochs = root, settings.num_epochs
        done = epoch >= settings.num_epochs
        # A run with nothing to add should not leave an empty events file.
        quiet = done and not writes_later
        self.events = (
            tf.summary.create_noop_writer()
            if quiet
            else tf.summary.create_file_writer(str(root / "events"))
        )
        if done:
            self.say(
                f"Nothing to do: the run in {root} has reached epoch {epoch}, and "
                f"`{name}.num_epochs` is {settings.num_epochs}; raise it to go on."
            )
        else:
            forget_after(root / METRICS_FILE, epoch)
            write_text(root / CONFIG_FILE, config_text)
            text = plain(flatten(settings, free=True, root=name))
            write_json(root / SETTINGS_FILE, text, allow_nan=True)
            note_command(root, num_ranks, command)
            with self.events.as_default(step=epoch):
                write_start()
            self.say(
                f"{'Going on from' if epoch else 'Starting at'} epoch {epoch} of "
                f"{settings.num_epochs}: {about}.\nWatch it with: tensorboard --logdir {root}"
            )
        self.bar = progress_bar(
            settings.num_epochs,
            _BAR,
            initial=min(epoch, settings.num_epochs),
            desc=root.name,
            disable=done,
        )

    def advance(self, share: float) -> None:
        """Advances the bar by a fraction of an epoch."""
        # Fractions may add up to slightly more than 1, of which tqdm would warn.
        self.bar.update(min(share, self.bar.total - self.bar.n))

    def add(
        self,
        metrics: Mapping[str, float],
        best_return: float,
        write_events: Callable[[], object],
        more_shown: Mapping[str, str] | None = None,
    ) -> None:
        """Adds an epoch.

        Args:
            metrics: Numbers by name, for metrics.jsonl; docs/files.md explains them.
            best_return: The return of the best state so far, for the bar.
            write_events: Writes the events of the epoch.
            more_shown: What else the bar shows.
        """
        append_metrics(self._root / METRICS_FILE, metrics)
        with self.events.as_default(step=metrics["epoch"]):
            write_events()
        self.events.flush()
        self.bar.n = metrics["epoch"]
        shown = {
            "return": f"{metrics['return_mean']:.4g}",
            "best": f"{best_return:.4g}",
            "steps/s": f"{metrics['env_steps_per_second']:,.0f}",
            **(more_shown or {}),
        }
        self.bar.set_postfix(shown, refresh=sys.stderr.isatty())
        self.bar.update(0)

    def say_stopped(self, epoch: int) -> None:
        """Prints that the run stops after an epoch, before its last one."""
        self.say(
            f"Stopped after epoch {epoch} of {self._num_epochs}; the same command "
            "goes on from there."
        )

    def say(self, text: str) -> None:
        """Prints a line."""
        print(text, flush=True)

    def close(self) -> None:
        """Ends the bar and the events file."""
        self.bar.close()
        self.events.close()
