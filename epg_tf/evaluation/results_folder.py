"""Results folders of evaluations, analyses and films: one folder per command."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from epg_tf.evaluation import plot_style
from epg_tf.evaluation.plot_style import Figure
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.files import (
    CONFIG_FILE,
    differences,
    flatten,
    read_json,
    write_bytes,
    write_csv,
    write_json,
    write_npz,
    write_text,
)
from epg_tf.inner_loop.settings import InnerLoop


class Results(NamedTuple):
    """The content of a results folder.

    Attributes:
        summary: The content of the summary file.
        config_text: The config of the loss, as gin; None for no such file.
        arrays: The arrays by name in each NAME.npz.
        tables: The column names and the rows of each NAME.csv.
        pictures: The figure of each NAME.png.
        curves: TensorBoard's steps and values by run and tag; a run per method overlays them.
        notes: TensorBoard's texts by tag, in Markdown.
        tag_prefix: The prefix of TensorBoard's tags; without one there are no events.
        last_step: TensorBoard's step for pictures and texts.
        summary_file: The name of the summary file, which is written last.
    """

    summary: Mapping[str, Any]
    config_text: str | None = None
    arrays: Mapping[str, Mapping[str, Any]] = {}
    tables: Mapping[str, tuple[Sequence[str], Iterable[Sequence[Any]]]] = {}
    pictures: Mapping[str, Figure] = {}
    curves: Mapping[str, Mapping[str, tuple[Iterable[int], Iterable[float]]]] = {}
    notes: Mapping[str, str] = {}
    tag_prefix: str = ""
    last_step: int = 0
    summary_file: str = "summary.json"


@dataclasses.dataclass(frozen=True)
class ResultsFolder:
    """A folder for the results of one command with one set of settings.

    Attributes:
        path: The folder.
        command: "evaluate", "analyze" or "render".
        settings: The settings that determine the results, fit for JSON.

    Raises:
        ValueError: If the path is no folder, or holds other files or other settings' results.
    """

    path: pathlib.Path
    command: str
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        rule = None
        if self.path.exists() and not self.path.is_dir():
            rule = "be a folder"
        elif self._record.is_file():
            there, here = read_json(self._record), self._normalised()
            if there is None:
                raise ValueError(f"{self._record} is damaged: remove it, or take a new folder.")
            if there.get("crc32 of phi") == here.get("crc32 of phi"):
                there["--loss"] = here.get("--loss")  # the same loss, wherever it lies by now
            found = differences(there, here)
            if found:
                rule = f"not hold another result of {self.command}: {found}"
        elif self.path.is_dir() and any(path.name != ".lock" for path in self.path.iterdir()):
            rule = f"be a new or an empty folder, or one that {self.command} has written"
        if rule:
            raise ValueError(f"`--root_dir` (={self.path}) must {rule}.")

    def open(self) -> None:
        """Makes the folder and records the settings in it.

        Raises:
            ValueError: If the folder is not writable.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_json(self._record, self._normalised(), allow_nan=True)
        except OSError as error:
            raise ValueError(
                f"`--root_dir` (={self.path}) must be a folder one can write to ({error.strerror})."
            ) from error

    @property
    def summary(self) -> dict[str, Any] | None:
        """The content of `summary.json`; None until all files are written."""
        return read_json(self.path / "summary.json")

    def write(self, results: Results) -> None:
        """Writes all files, the summary last."""
        if results.config_text is not None:
            write_text(self.path / CONFIG_FILE, results.config_text)
        for name, arrays in results.arrays.items():
            write_npz(self.path / f"{name}.npz", arrays)
        for name, (columns, rows) in results.tables.items():
            write_csv(self.path / f"{name}.csv", columns, rows)
        pictures = {name: plot_style.png(figure) for name, figure in results.pictures.items()}
        for name, picture in pictures.items():
            write_bytes(self.path / f"{name}.png", picture)
        if results.tag_prefix:
            self._write_events(results, pictures)
        write_json(self.path / results.summary_file, results.summary)

    def _write_events(self, results: Results, pictures: Mapping[str, bytes]) -> None:
        events, prefix = self.path / "events", results.tag_prefix
        shutil.rmtree(events, ignore_errors=True)  # events of an earlier or interrupted write
        for run, curves in results.curves.items():
            writer = tf.summary.create_file_writer(str(events / run))
            with writer.as_default():
                for tag, points in curves.items():
                    for step, value in zip(*points, strict=True):
                        if np.isfinite(value):
                            tf.summary.scalar(f"{prefix}/{tag}", value, step=step)
            writer.close()
        writer = tf.summary.create_file_writer(str(events))
        with writer.as_default(step=results.last_step):
            for name, picture in pictures.items():
                decoded = tf.io.decode_png(picture, channels=3)
                tf.summary.image(f"{prefix}/{name}", decoded[tf.newaxis])
            for name, text in results.notes.items():
                tf.summary.text(f"{prefix}/{name}", text)
        writer.close()

    @property
    def _record(self) -> pathlib.Path:
        return self.path / f"{self.command}.json"

    def _normalised(self) -> dict[str, Any]:
        return json.loads(json.dumps(self.settings))


def as_code(text: str) -> str:
    """Returns a text as a block of code in Markdown, whose lines begin with four spaces."""
    return "\n".join("    " + line for line in text.splitlines())


def rows_of(values: Mapping[str, np.ndarray], *labels: Sequence[Any]) -> Iterator[tuple]:
    """Yields a row per number of arrays by method: the method, the axes' labels, the number."""
    for method, array in values.items():
        for place, value in np.ndenumerate(array):
            # A float prints as the shortest digits that read back as the same number.
            yield method, *(axis[i] for axis, i in zip(labels, place, strict=True)), float(value)


def finite_or_none(values: Mapping[str, Any]) -> dict[str, float | None]:
    """Returns numbers by name, with None for those that are not finite; JSON has no NaN."""
    return {name: float(value) if np.isfinite(value) else None for name, value in values.items()}


def provenance_of(
    loss: EvolvedLoss, inner_loop: InnerLoop, labels: Mapping[str, str], command: Sequence[str]
) -> dict[str, Any]:
    """Returns the facts that a summary records about a loss and the agents that learn with it.

    Args:
        loss: The loss.
        inner_loop: The settings of the agents' lifetimes.
        labels: The labels by method.
        command: The command line.
    """
    return {
        "command": " ".join(command),
        "loss": str(loss.path),
        "phi_crc32": loss.phi_crc32,
        "evolved_epochs": loss.epoch,
        "evolved_env_steps": loss.env_steps,
        "family": type(loss.settings.family).__name__,
        "num_updates": inner_loop.num_updates,
        "steps_per_update": inner_loop.steps_per_update,
        "sees_reward": loss.sees_reward,
        "guidance": loss.guidance,
        "labels": labels,
        "config": flatten(loss.settings),
    }
