"""Loading a loss by name or folder for use from Python, without executing its files."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf.evolved_loss.arrays import read_phi
from epg_tf.evolved_loss.folder import (
    ARRAYS_FILE,
    DESCRIPTION_FILE,
    find_loss,
    read_description,
    shipped_losses,
)
from epg_tf.evolved_loss.saved_model import ExportedLoss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.family import Spaces


@dataclasses.dataclass(frozen=True)
class LoadedLoss:
    """A loss that is ready for use.

    Attributes:
        module: The TensorFlow module, which holds the parameters.
        arrays: The parameters by name, as in `loss.npz`.
        phi: The parameters as one vector, [P] float32.
        description: The content of `loss.json`.
    """

    module: ExportedLoss
    arrays: dict[str, np.ndarray]
    phi: np.ndarray
    description: dict[str, Any]

    @property
    def settings(self) -> InnerLoop:
        """The lifetime that the description asks for."""
        policy, update = self.description["policy"], self.description["inner_update"]
        memory, normalisation = self.description["memory"], self.description["normalisation"]
        network = learned_loss_of(self.description)
        if self.spaces.num_actions is not None:  # no standard deviation to confine
            network = dataclasses.replace(network, log_std_penalty=0.0)
        return InnerLoop(
            num_updates=update["num_updates"],
            steps_per_update=self.description["steps_per_update"],
            buffer_size=self.description["buffer_size"],
            learning_rate=update["learning_rate"],
            num_minibatches=update["num_minibatches"],
            num_passes=update["num_passes"],
            learned_loss=network,
            hidden_sizes=_as_tuple(policy["hidden_sizes"]),
            memory_size=memory["size"],
            initial_log_std=policy.get("initial_log_std", 0.0),
            mean_activation=policy.get("mean_activation"),
            log_std_bounds=_as_tuple(policy.get("log_std_bounds")),
            train_memory=memory["trained"],
            observation_statistics=_as_tuple(normalisation.get("observation")),
            refresh_statistics=normalisation["refresh"],
            adam_epsilon=update["epsilon"],
            backend="numba",
        )

    @property
    def spaces(self) -> Spaces:
        """The spaces of observations and actions that the loss is for."""
        family, spaces = self.description["family"], Spaces()
        spaces.observation_size = family["observation_size"]
        spaces.action_size, spaces.num_actions = family["action_size"], family["num_actions"]
        return spaces

    def loss(self, **inputs: tf.Tensor) -> tf.Tensor:
        """Returns L_phi of tensors by name, differentiable; see `ExportedLoss`."""
        return self.module.loss(**inputs)

    def per_step_loss(self, **inputs: tf.Tensor) -> tf.Tensor:
        """Returns L_t of all N steps of the buffer, differentiable; see `ExportedLoss`."""
        return self.module.per_step_loss(**inputs)


def load_loss(name: str | pathlib.Path) -> LoadedLoss:
    """Loads a loss for use in TensorFlow; its `arrays` serve any other framework.

    It is built from the numbers in `loss.npz` and the architecture in `loss.json`. No file of the
    loss is executed.

    Args:
        name: The name of a shipped loss, such as "reacher" (`python -m epg_tf.losses` lists them),
            or a folder that epg_tf.export wrote.

    Raises:
        ValueError: If there is no such loss, or it is damaged.
    """
    folder = find_loss(str(name))
    description = read_description(folder)
    if not description or not (folder / ARRAYS_FILE).is_file() or "network" not in description:
        names = ", ".join(shipped_losses())
        raise ValueError(
            f"`name` (={name}) must be a folder that epg_tf.export wrote, with {DESCRIPTION_FILE} "
            f"and {ARRAYS_FILE} in it, or one of the losses that ship: {names}."
        )
    shapes = {one["name"]: tuple(one["shape"]) for one in description["inputs"]}
    phi = read_phi(folder, description["phi_crc32"])
    module = ExportedLoss(
        learned_loss_of(description), description["steps_per_update"], shapes, phi
    )
    return LoadedLoss(module, module.arrays(), phi, description)


def learned_loss_of(description: Mapping[str, Any]) -> LearnedLoss:
    """Returns the architecture in the content of `loss.json`."""
    network = {key: _as_tuple(value) for key, value in description["network"].items()}
    del network["rule"]
    return LearnedLoss(**network)


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
