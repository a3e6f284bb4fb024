"""Names and shapes of the inputs of a loss."""

from __future__ import annotations

from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.tasks.family import TaskFamily


def policy_outputs(family: TaskFamily) -> tuple[str, ...]:
    """Returns the names of the parts of a policy's output, in their order."""
    if family.num_actions is None:
        return ("policy_mean", "policy_log_std")
    return ("policy_log_probabilities",)


def input_shapes(settings: InnerLoop, family: TaskFamily) -> dict[str, tuple[int, int]]:
    """Returns the shapes of a loss's inputs by name, in the order of concatenation."""
    length, actions = settings.buffer_size, family.action_features
    sizes = {
        "observation": (length, family.observation_size),
        "action": (length, actions),
        "reward": (length, 1),
        "gated_observation": (length, family.observation_size + 1),
        "termination": (length, 1),
        "memory": (1, settings.memory_size),
        "policy_mean": (length, actions),
        "policy_log_std": (1, actions),
        "policy_log_probabilities": (length, actions),
        "mask": (length, 1),
    }
    names: list[str] = []
    for name in settings.learned_loss.inputs:
        names.extend(policy_outputs(family) if name == "policy" else [name])
    if length > settings.steps_per_update:  # else every update has a full buffer
        names.append("mask")
    return {name: sizes[name] for name in names}


def given_shapes(settings: InnerLoop, family: TaskFamily) -> dict[str, tuple[int, int]]:
    """Returns the shapes of the arrays to pass in; gated observations are computed from them."""
    shapes = input_shapes(settings, family)
    if shapes.pop("gated_observation", None):
        length = settings.buffer_size
        shapes |= {"observation": (length, family.observation_size), "reward": (length, 1)}
    return shapes
