"""Meta-trained rivals, loaded for a comparison."""

from __future__ import annotations

import dataclasses
import pathlib
import zlib
from collections.abc import Sequence

from epg_tf.agent.arrays import Arrays
from epg_tf.files import CONFIG_FILE
from epg_tf.rivals import presets
from epg_tf.rivals.meta_training.checkpoint import RivalCheckpointFolder
from epg_tf.rivals.meta_training.settings import RivalTraining
from epg_tf.tasks.family import TaskFamily


@dataclasses.dataclass(frozen=True)
class TrainedRival:
    """The best state of a run of `epg_tf.train_rival`.

    Attributes:
        path: The folder of the run.
        settings: The settings of the run.
        state: The best state so far; the latest one if the run has no validation.
        epoch: The epochs up to that state.
        env_steps: The environment steps up to that state.
    """

    path: pathlib.Path
    settings: RivalTraining
    state: Arrays
    epoch: int
    env_steps: int

    @property
    def method(self) -> str:
        """The name of its method."""
        return self.settings.rival.method

    @property
    def crc32(self) -> int:
        """A checksum that identifies its state."""
        checksum = 0
        for name in sorted(self.state):
            checksum = zlib.crc32(self.state[name].tobytes(), checksum)
        return checksum

    def check(self, family: TaskFamily) -> None:
        """Checks that it can learn a family's tasks.

        Raises:
            ValueError: If the kind of family, observations or actions differ from its training.
        """
        there, here = (
            (type(of).__name__, of.observation_size, of.action_size, of.num_actions)
            for of in (self.settings.family, family)
        )
        if there != here:
            raise ValueError(
                f"`--rivals` (={self.path}) must have been trained on {here[0]}, with observations "
                f"of {here[1]} and actions of {here[3] or here[2]}: it was on {there[0]}, with "
                f"{there[1]} and {there[3] or there[2]}."
            )


def load_rivals(paths: Sequence[str]) -> dict[str, TrainedRival]:
    """Loads rivals; returns them by method. Their configs replace the one that gin holds.

    Args:
        paths: Folders of runs of `epg_tf.train_rival`.

    Raises:
        ValueError: If a folder is not a rival's, or two are of one method; in one sentence.
    """
    found: dict[str, TrainedRival] = {}
    for path in paths:
        rival = _load(pathlib.Path(path))
        if rival.method in found:
            raise ValueError(
                f"`--rivals` (={','.join(paths)}) must be of one method each: {path} and "
                f"{found[rival.method].path} are both of {rival.method!r}."
            )
        found[rival.method] = rival
    return found


def _load(path: pathlib.Path) -> TrainedRival:
    try:
        checkpoint = RivalCheckpointFolder(path / "checkpoints").latest()
    except ValueError as error:
        raise ValueError(f"`--rivals` (={path}) must be the folder of a rival: {error}") from error
    if checkpoint is None or not (path / CONFIG_FILE).is_file():
        raise ValueError(
            f"`--rivals` (={path}) must be the folder of a run of epg_tf.train_rival, with "
            f"`checkpoints` and {CONFIG_FILE} in it."
        )
    settings = presets.read([str(path / CONFIG_FILE)], [])
    return TrainedRival(
        path, settings, checkpoint.best_state, checkpoint.best_epoch, checkpoint.best_env_steps
    )
