"""Results folders of evaluations, analyses and films: one folder per command."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from epg_tf.files import differences, write_json


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
            there, here = json.loads(self._record.read_text()), self._normalised()
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
    def _record(self) -> pathlib.Path:
        return self.path / f"{self.command}.json"

    def _normalised(self) -> dict[str, Any]:
        return json.loads(json.dumps(self.settings))
