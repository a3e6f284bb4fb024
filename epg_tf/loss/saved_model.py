"""The evolved loss as a SavedModel: plain TensorFlow, no epg_tf needed to use it.

The functions take what a `LossInputs` holds, for any number of agents, and are differentiable after
loading: the gradient with respect to the policy's output and the memory is what trains an agent.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportCallIssue=false

from __future__ import annotations

import os
import pathlib
import shutil
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from epg_tf.loss.inputs import LossInputs
from epg_tf.tasks.family import TaskFamily

if TYPE_CHECKING:
    from epg_tf.inner_loop import InnerLoop


class ExportedLoss(tf.Module):
    """One learned loss with its parameters fixed in it.

    `loss` gives L_phi, the mean over the M newest steps, [agents]; `per_step_loss` gives L_t of all
    N steps of the buffer, [agents, N]. Both take, by name and for a full buffer of N steps:
    `observation` [agents, N, S] and `action` [agents, N, A], normalised; `termination`
    [agents, N, 1]; `memory` [agents, 1, 32]; the policy's output, `policy_mean` [agents, N, A] and
    `policy_log_std` [agents, 1, A], or `policy_log_probabilities` [agents, N, number of actions];
    and `reward` [agents, N, 1] only where the loss was evolved to see it.
    """

    def __init__(self, settings: InnerLoop, family: TaskFamily, phi: np.ndarray):
        """Fixes phi [P] in a network of the settings' architecture."""
        super().__init__()
        network = settings.learned_loss.build(1)
        length, num_newest = settings.buffer_size, settings.steps_per_update
        actions = family.action_features
        sizes = {
            "observation": (length, family.observation_size),
            "action": (length, actions),
            "termination": (length, 1),
            "memory": (1, settings.memory_size),
        }
        if settings.learned_loss.sees_reward:
            sizes["reward"] = (length, 1)
        policy = (
            {"policy_mean": (length, actions), "policy_log_std": (1, actions)}
            if family.num_actions is None
            else {"policy_log_probabilities": (length, actions)}
        )
        sizes.update(policy)

        def inputs_of(tensors: dict[str, tf.Tensor]) -> LossInputs:
            parts = tuple(tensors[name] for name in policy)
            named = {name: tensors[name] for name in sizes if name not in policy}
            mask = None
            if length > num_newest:  # as in training, where the buffer is full
                mask = tf.ones_like(tensors["termination"])
            return LossInputs(policy=parts, mask=mask, **named)

        network(inputs_of({n: tf.zeros((1, *size)) for n, size in sizes.items()}), num_newest)
        network.assign(phi[np.newaxis])
        self.phi = network.phi_variables

        specs = {
            name: tf.TensorSpec((None, *size), tf.float32, name) for name, size in sizes.items()
        }

        def loss(**tensors):
            return network(inputs_of(tensors), num_newest)

        def per_step_loss(**tensors):
            return network.per_step(inputs_of(tensors))

        self.loss = tf.function(loss).get_concrete_function(**specs)
        self.per_step_loss = tf.function(per_step_loss).get_concrete_function(**specs)


def export_loss(
    settings: InnerLoop, family: TaskFamily, phi: np.ndarray, path: pathlib.Path
) -> None:
    """Writes a SavedModel, and then puts it in the place of an older one.

    Args:
        settings: The inner loop's.
        family: For the sizes of observations and actions.
        phi: The parameters, [P].
        path: The SavedModel's folder.
    """
    aside = path.with_name(path.name + f".partial_{os.getpid()}")
    module = ExportedLoss(settings, family, phi)
    signatures = {"loss": module.loss, "per_step_loss": module.per_step_loss}
    tf.saved_model.save(module, str(aside), signatures=signatures)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(aside, path)
