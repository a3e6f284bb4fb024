"""Names, shapes and meanings of the inputs of a loss."""

from __future__ import annotations

import tensorflow as tf

from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.tasks.family import Spaces

MEANINGS = {
    "observation": "what was acted on",
    "action": "as the policy gave it, not clipped",
    "reward": "of the step",
    "termination": "1 where an episode ended, by itself or by its time limit, else 0",
    "memory": "what the agent's memory gives",
    "policy_mean": "the policy's mean at each observation",
    "policy_log_std": "the policy's log standard deviation",
    "policy_log_probabilities": "the policy's log-probabilities at each observation",
    "mask": "1 where the buffer holds a step, 0 where it is padded",
}


def policy_outputs(spaces: Spaces) -> tuple[str, ...]:
    """Returns the names of the parts of a policy's output, in their order."""
    if spaces.num_actions is None:
        return ("policy_mean", "policy_log_std")
    return ("policy_log_probabilities",)


def input_shapes(settings: InnerLoop, spaces: Spaces) -> dict[str, tuple[int, int]]:
    """Returns the shapes of a loss's inputs by name, in the order of concatenation."""
    length, actions = settings.buffer_size, spaces.action_features
    sizes = {
        "observation": (length, spaces.observation_size),
        "action": (length, actions),
        "reward": (length, 1),
        "gated_observation": (length, spaces.observation_size + 1),
        "termination": (length, 1),
        "memory": (1, settings.memory_size),
        "policy_mean": (length, actions),
        "policy_log_std": (1, actions),
        "policy_log_probabilities": (length, actions),
        "mask": (length, 1),
    }
    names: list[str] = []
    for name in settings.learned_loss.inputs:
        names.extend(policy_outputs(spaces) if name == "policy" else [name])
    if length > settings.steps_per_update:  # else every update has a full buffer
        names.append("mask")
    return {name: sizes[name] for name in names}


def given_shapes(settings: InnerLoop, spaces: Spaces) -> dict[str, tuple[int, int]]:
    """Returns the shapes of the arrays to pass in; gated observations are computed from them."""
    shapes = input_shapes(settings, spaces)
    if shapes.pop("gated_observation", None):
        length = settings.buffer_size
        shapes |= {"observation": (length, spaces.observation_size), "reward": (length, 1)}
    return shapes


def zeros(settings: InnerLoop, spaces: Spaces, num_workers: int) -> LossInputs:
    """Returns the loss's inputs of W workers as zeros; None for inputs that it does not have."""
    shapes = input_shapes(settings, spaces) | {"memory": (1, settings.memory_size)}
    found = {name: tf.zeros([num_workers, *shape]) for name, shape in shapes.items()}
    policy = tuple(found.pop(name) for name in policy_outputs(spaces))
    return LossInputs(**{**dict.fromkeys(LossInputs._fields), **found, "policy": policy})
