"""The evolved loss as a SavedModel, whose use needs plain TensorFlow and no epg_tf.

Its two functions take the buffer of one agent or of several, and are differentiable after loading.
Agents learn from the gradient with respect to the policy's output and the memory. `loss.json`
beside the SavedModel, made by `description`, explains the rest.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from epg_tf.evolved_loss.arrays import named_arrays
from epg_tf.evolved_loss.description import describe
from epg_tf.evolved_loss.folder import ARRAYS_FILE, DESCRIPTION_FILE
from epg_tf.files import replacing, write_json, write_npz, write_text
from epg_tf.inner_loop.inputs import given_shapes
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs, gated_observation
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.family import TaskFamily

Tensors = dict[str, tf.Tensor]


class ExportedLoss(tf.Module):
    """One learned loss with fixed parameters.

    `loss` returns L_phi, the mean over the M newest steps: a number for one agent, [agents] for
    several. `per_step_loss` returns L_t of all N steps, oldest first, [N] or [agents, N]. The loss
    of a minibatch is the mean over its steps. Both take the inputs in `given_shapes` by name, with
    or without a leading axis of agents. `loss.json` says which of them to normalise.

    * `observation` [N, S]; `action` [N, A] (one-hot if finite); `reward` [N, 1];
    * `termination` [N, 1]; `memory` [1, units];
    * the policy's output: `policy_mean` [N, A] and `policy_log_std` [1, A], or
      `policy_log_probabilities` [N, number of actions];
    * `mask` [N, 1] if N > M: 1 for a step, 0 before the first step, where any numbers will do.
    """

    def __init__(
        self,
        architecture: LearnedLoss,
        num_newest: int,
        shapes: Mapping[str, tuple[int, int]],
        phi: np.ndarray,
    ):
        """Builds a network with fixed parameters.

        Args:
            architecture: The architecture of the network.
            num_newest: M.
            shapes: The shapes of one agent's inputs by name, from `given_shapes`.
            phi: The parameters, [P].

        Raises:
            ValueError: If the network has more or fewer parameters.
        """
        super().__init__()
        network = architecture.build(1)
        policy = [name for name in shapes if name.startswith("policy_")]
        length = shapes[policy[0]][0]

        def inputs_of(tensors: Tensors) -> LossInputs:
            outputs = tuple(tensors[name] for name in policy)
            num_agents = tf.shape(outputs[0])[0]
            # `LossInputs` requires these; the network does not read what the loss does not see.
            unseen = tf.zeros([num_agents, length, 1])
            named = dict.fromkeys(("observation", "action", "termination", "memory"), unseen)
            named |= {name: tensors[name] for name in shapes if name not in policy}
            if "gated_observation" in architecture.inputs:
                parts = tensors["observation"], tensors["reward"]
                named["gated_observation"] = gated_observation(
                    tf.experimental.numpy, *parts, num_newest
                )
            return LossInputs(policy=outputs, **named)

        network(inputs_of({n: tf.zeros((1, *shape)) for n, shape in shapes.items()}), num_newest)  # pyright: ignore[reportCallIssue]
        if len(phi) != network.size:
            raise ValueError(
                f"`phi` (of {len(phi):,} numbers) must have the {network.size:,} of its network."
            )
        network.assign(phi[np.newaxis])
        self.phi = network.phi_variables
        self.arrays = functools.partial(named_arrays, network)  # hides the Keras model from saving
        self.loss = _for_one_or_several(
            lambda **tensors: network(inputs_of(tensors), num_newest),  # pyright: ignore[reportCallIssue]
            shapes,
        )
        self.per_step_loss = _for_one_or_several(
            lambda **tensors: network.per_step(inputs_of(tensors)), shapes
        )
        self._shapes = shapes

    def of_several(self) -> dict[str, Any]:
        """Returns both functions for several agents, as signatures for TensorFlow Serving."""
        specs = _specs(self._shapes, None)
        return {
            "loss": self.loss.get_concrete_function(**specs),
            "per_step_loss": self.per_step_loss.get_concrete_function(**specs),
        }


def export_loss(
    settings: InnerLoop,
    family: TaskFamily,
    phi: np.ndarray,
    path: pathlib.Path,
    more: Mapping[str, Any] | None = None,
    texts: Mapping[str, str] | None = None,
) -> None:
    """Writes a SavedModel, its arrays and its description; replaces an older export.

    Args:
        settings: The settings of the lifetimes that the loss is for.
        family: The tasks that the loss is for.
        phi: The parameters, [P].
        path: The SavedModel's folder.
        more: Further entries of the description.
        texts: Further files, name to content.

    Raises:
        OSError: If the folder cannot be written; no part of the new one remains.
    """
    description = describe(settings, family, phi) | dict(more or {})
    shapes = given_shapes(settings, family)
    module = ExportedLoss(settings.learned_loss, settings.steps_per_update, shapes, phi)
    with replacing(path) as aside:
        aside.mkdir(parents=True)
        tf.saved_model.save(module, str(aside), signatures=module.of_several())
        write_npz(aside / ARRAYS_FILE, module.arrays())
        write_json(aside / DESCRIPTION_FILE, description)
        for name, text in (texts or {}).items():
            write_text(aside / name, text)


def _for_one_or_several(
    function: Callable[..., tf.Tensor], shapes: Mapping[str, tuple[int, int]]
) -> Any:
    """Returns a function for several agents that also takes a single one, traced for both."""
    # Saving traces functions again, which is cheap if they call one that is already concrete.
    of_several = tf.function(function, autograph=False).get_concrete_function(
        **_specs(shapes, None)
    )

    def either(**tensors: tf.Tensor) -> tf.Tensor:
        if all(tensor.shape.rank == 3 for tensor in tensors.values()):
            return of_several(**tensors)
        return of_several(**{name: tensor[tf.newaxis] for name, tensor in tensors.items()})[0]

    traced = tf.function(either, autograph=False)
    traced.get_concrete_function(**_specs(shapes))
    traced.get_concrete_function(**_specs(shapes, None))
    return traced


def _specs(shapes: Mapping[str, tuple[int, int]], *leading: None) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec((*leading, *s), tf.float32, name) for name, s in shapes.items()}
