"""Loading an evolved loss from a run, a checkpoint or an export, as --loss names it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf import config
from epg_tf.evolved_loss.arrays import read_phi
from epg_tf.evolved_loss.folder import (
    ARRAYS_FILE,
    SAVED_MODEL_FILES,
    find_loss,
    not_a_loss,
    read_description,
)
from epg_tf.files import CONFIG_FILE, crc32_of, flatten
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.outer_loop.checkpoint import CheckpointFolder, load_checkpoint
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.taught_epochs import TrainedTeacher, teacher_arrays


@dataclasses.dataclass(frozen=True)
class EvolvedLoss:
    """A loss, and the config that it was evolved with.

    Attributes:
        path: The folder or the checkpoint file that it was read from.
        phi: The parameters, [P] float32.
        settings: The settings of the run that evolved it, with the user's changes.
        config_text: The same, as gin.
        epoch: The epochs that led to it; None if an export does not record them.
        env_steps: The environment steps that led to it; None if an export does not record them.
        made: The origin: "evolved", "taught" or "taught, then evolved".
        teacher: The trained teacher; None unless read from a checkpoint with its networks.
    """

    path: pathlib.Path
    phi: np.ndarray
    settings: MetaTraining
    config_text: str
    epoch: int | None = None
    env_steps: int | None = None
    made: str = "evolved"
    teacher: TrainedTeacher | None = None

    @property
    def phi_crc32(self) -> int:
        """The checksum of the parameters, which identifies this loss."""
        return crc32_of(self.phi)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """The settings that determine all results about the loss, by the names that users know."""
        path, crc32 = str(self.path), self.phi_crc32
        return {"--loss": path, "crc32 of phi": crc32, **flatten(self.settings)}

    @property
    def inner_loop(self) -> InnerLoop:
        """The settings of a lifetime."""
        return self.settings.inner_loop

    @property
    def sees_reward(self) -> bool:
        """True if the loss takes rewards as input."""
        return self.settings.inner_loop.learned_loss.sees_reward

    @property
    def guidance(self) -> float:
        """The alpha of Eq. 6 for its agents: the run's last if the loss sees rewards, else 0."""
        return self.settings.guidance_in_use

    @property
    def reward_words(self) -> str:
        """The agents' access to the reward, in words for labels."""
        if not self.sees_reward:
            return "no reward"
        return "sees reward" + (f" + PPO with α = {self.guidance:g}" if self.guidance else "")


def load(
    path: str,
    gin_files: Sequence[str] = (),
    bindings: Sequence[str] = (),
    flag: str = "--loss",
) -> EvolvedLoss:
    """Reads a loss.

    Args:
        path: The folder of a run (its latest checkpoint counts), a checkpoint of a run, the
            folder of an exported loss, or the name of a shipped one.
        gin_files: Presets to read after the loss's config.
        bindings: Bindings to read after those.
        flag: The flag that gave the path, for errors.

    Returns:
        The loss and its config.

    Raises:
        ValueError: If there is no loss, or it does not fit the config's sizes; in one sentence.
    """
    folder = find_loss(path)
    run = run_of(folder)
    if folder.suffix == ".npz":
        checkpoint = load_checkpoint(folder)
    else:
        checkpoint = CheckpointFolder(folder / "checkpoints").latest()
    if checkpoint is not None:
        phi, made = checkpoint.state.phi, checkpoint.made
        epoch, env_steps = checkpoint.state.epoch, checkpoint.env_steps
    elif any((folder / name).is_file() for name in (ARRAYS_FILE, SAVED_MODEL_FILES[0])):
        phi = _exported_phi(folder, flag)
        known = read_description(folder).get("provenance") or _known_to_run(run, phi)
        epoch, env_steps = known.get("epoch"), known.get("env_steps")
        made = known.get("made") or "evolved"
    else:
        raise not_a_loss(path, flag)
    configs = [folder, run] if run is not None else [folder]
    found = [str(place / CONFIG_FILE) for place in configs if (place / CONFIG_FILE).is_file()]
    if not found:
        raise ValueError(f"`{flag}` (={path}) must have its {CONFIG_FILE} beside it.")
    networks = teacher_arrays(checkpoint.teaching) if checkpoint else {}
    teacher = TrainedTeacher(config.read(found[:1], []), networks) if networks else None
    settings = config.read([*found[:1], *gin_files], bindings)
    family = settings.family
    needed = build_loss(settings.inner_loop, family).size
    if len(phi) != needed:
        raise ValueError(
            f"`{flag}` (={path}) must fit the config: it has {len(phi):,} parameters, and a loss "
            f"for {type(family).__name__} (observations of {family.observation_size}, actions of "
            f"{family.action_features}) has {needed:,}."
        )
    origin = (config.complete_config(), epoch, env_steps, made, teacher)
    return EvolvedLoss(folder, phi.astype(np.float32), settings, *origin)


def loss_to_start_from(settings: MetaTraining) -> EvolvedLoss | None:
    """Returns the loss that a run starts from; None for a fresh one.

    Reads that loss's config, which replaces gin's present content.

    Raises:
        ValueError: If there is no such loss, or it does not fit the run; in one sentence.
    """
    if settings.start_from is None:
        return None
    name = "meta_train.start_from"
    start = load(settings.start_from, flag=name)
    for part in ("learned_loss", "buffer_size", "memory_size"):
        there, here = (getattr(of.inner_loop, part) for of in (start.settings, settings))
        if there != here:
            raise ValueError(
                f"`{name}` (={settings.start_from}) must be built like the run's own loss: "
                f"{_differences(part, there, here)}."
            )
    there, here = (
        (type(of.family).__name__, of.family.observation_size, of.family.action_features)
        for of in (start.settings, settings)
    )
    if there[1:] != here[1:]:
        raise ValueError(
            f"`{name}` (={settings.start_from}) must be for the run's observations and actions: it "
            f"is for {there[0]}, of {there[1]} and {there[2]}, and the run is on {here[0]}, of "
            f"{here[1]} and {here[2]}."
        )
    return start


def _differences(name: str, there: Any, here: Any) -> str:
    """Describes the fields in which two records differ, or the two values of a plain setting."""
    if not dataclasses.is_dataclass(here):
        return f"`InnerLoop.{name}` is {there} there and {here} here"
    fields = [field.name for field in dataclasses.fields(here)]
    pairs = [(field, getattr(there, field), getattr(here, field)) for field in fields]
    return "; ".join(
        f"`{type(here).__name__}.{field}` is {theirs} there and {ours} here"
        for field, theirs, ours in pairs
        if theirs != ours
    )


def run_of(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the folder of the run that holds a loss; None if the loss lies elsewhere.

    Args:
        path: The run's folder, a checkpoint in it (RUN/checkpoints/epoch_000001.npz) or a loss
            that it exported (RUN/export/best).
    """
    for folder in (path, path.absolute().parent.parent):
        if (folder / "checkpoints").is_dir():
            return folder
    return None


def _known_to_run(run: pathlib.Path | None, phi: np.ndarray) -> dict[str, Any]:
    """Returns `epoch`, `env_steps` and `made` of a loss that a run exported.

    The result is empty if the run's latest checkpoint does not have this loss.
    """
    checkpoint = None if run is None else CheckpointFolder(run / "checkpoints").latest()
    if checkpoint is None:
        return {}
    of_best = (checkpoint.best_epoch, checkpoint.best_env_steps, checkpoint.best_made)
    of_latest = (checkpoint.state.epoch, checkpoint.env_steps, checkpoint.made)
    for theirs, how in ((checkpoint.state.phi, of_latest), (checkpoint.best_phi, of_best)):
        if np.array_equal(phi, theirs.astype(np.float32)):
            return dict(zip(("epoch", "env_steps", "made"), how, strict=True))
    return {}


def _exported_phi(folder: pathlib.Path, flag: str) -> np.ndarray:
    """Reads the parameters from arrays, or from the SavedModel of an older loss without arrays."""
    if (folder / ARRAYS_FILE).is_file():
        return read_phi(folder, read_description(folder).get("phi_crc32"))
    try:
        variables = tf.saved_model.load(str(folder)).phi
    except Exception as error:  # TensorFlow raises many types on bad files
        raise ValueError(
            f"`{flag}` (={folder}) must be a SavedModel that epg_tf exported; it is damaged, or of "
            "something else."
        ) from error
    return np.concatenate([variable.numpy().ravel() for variable in variables])
