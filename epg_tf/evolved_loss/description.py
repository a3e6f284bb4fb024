"""The content of `loss.json`: an evolved loss and its use, described as data.

It specifies how agents must act, normalise and learn, so that the loss gets the inputs that it was
evolved for. Numbers are numbers; keys that end in `rule` hold text.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from epg_tf.agent import networks
from epg_tf.agent.adam import BETA_1, BETA_2
from epg_tf.agent.normaliser import STD_FLOOR, RunningStatistics
from epg_tf.evolved_loss.folder import ARRAYS_FILE
from epg_tf.files import crc32_of
from epg_tf.inner_loop.inputs import MEANINGS, given_shapes, policy_outputs
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import PER_STEP_INPUTS
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.tasks.family import Description, TaskFamily

_FORMAT = 1


def describe(settings: InnerLoop, family: TaskFamily, phi: np.ndarray) -> dict[str, Any]:
    """Returns the description of a loss.

    Args:
        settings: The inner loop that it was evolved in.
        family: The tasks that it was evolved on.
        phi: The parameters, [P].

    Returns:
        The content of `loss.json`, ready for JSON.
    """
    return {
        "format": _FORMAT,
        "family": _family(family),
        "num_parameters": len(phi),
        "phi_crc32": crc32_of(phi),
        "buffer_size": settings.buffer_size,
        "steps_per_update": settings.steps_per_update,
        "functions": {
            "loss": "mean over the steps_per_update newest steps of the buffer",
            "per_step_loss": "one number for each of the buffer_size steps, oldest first",
        },
        "inputs": _inputs(settings, family),
        "network": _network(settings.learned_loss),
        "sees_reward": settings.learned_loss.sees_reward,
        "not_seen": _not_seen(settings, family),
        "normalisation": _normalisation(settings),
        "policy": _policy(settings, family),
        "memory": _memory(settings),
        "inner_update": _inner_update(settings),
    }


def _family(family: TaskFamily) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(family) if dataclasses.is_dataclass(family) else ():
        value = getattr(family, field.name)
        values[field.name] = _family(value) if isinstance(value, TaskFamily) else _finite(value)
    return {
        "name": type(family).__name__,
        "module": type(family).__module__,
        "about": _about(family.describe()),
        "settings": values,
        "observation_size": family.observation_size,
        "action_size": family.action_size,
        "num_actions": family.num_actions,
        "frame_skip": family.frame_skip,
        "time_limit": family.time_limit,
    }


def _finite(value: Any) -> Any:
    """Returns a setting with infinite numbers as strings, because JSON has none."""
    if isinstance(value, tuple | list):
        return tuple(map(_finite, value))
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _about(description: Description) -> dict[str, Any]:
    return description._asdict() | {"drawn": [one._asdict() for one in description.drawn]}


def _inputs(settings: InnerLoop, family: TaskFamily) -> list[dict[str, Any]]:
    discrete = {} if family.num_actions is None else {"action": "the action's number, one-hot"}
    meanings = MEANINGS | discrete
    normalised = _normalised(settings)
    trained = {*policy_outputs(family), *(["memory"] if settings.train_memory else [])}
    return [
        {
            "name": name,
            "shape": list(shape),
            "dtype": "float32",
            "normalised": name in normalised,
            "trained": name in trained,
            "meaning": meanings[name],
        }
        for name, shape in given_shapes(settings, family).items()
    ]


def _not_seen(settings: InnerLoop, family: TaskFamily) -> list[str]:
    """Returns the names of a step's quantities that the loss does not get."""
    shown = {*settings.learned_loss.inputs, *given_shapes(settings, family), "gated_observation"}
    return [name for name in PER_STEP_INPUTS if name not in shown]


def _network(loss: LearnedLoss) -> dict[str, Any]:
    return dataclasses.asdict(loss) | {
        "rule": "A layer maps x to activation(x @ kernel + bias). Inputs are put side by side "
        "in the order of `inputs`, what has length 1 repeated in time; gated_observation is the "
        "observation with a 1 behind it, times that correlation of reward and one of the "
        "observation's numbers over the newest steps_per_update steps which is largest, with "
        "its sign; leaky_relu has the slope leaky_slope below 0, silu is x * sigmoid(x). With a "
        "context_size the inputs, times the mask, go through the convolutions (width, stride, "
        "channels; no padding), each with its activation, and what comes out, flattened "
        "position by position or averaged over them (pooling), through the dense layer context, "
        "which has no activation; no gradient flows through the memory there. The dense layers "
        "hidden (of hidden_size units, with its activation) and loss (one unit, without) make "
        "of each step's inputs, and the context after them, its loss. Where bilinear is true the "
        "inner product of the policy's mean (of its log-probabilities) with the dense layer "
        "bilinear of the other inputs, the memory apart, is added to it. So is the confinement: "
        "mean_penalty / 2 times the sum of squares of the policy's mean (of the "
        "log-probabilities minus their average, where actions are a finite set), and "
        "log_std_penalty times the sum of the log standard deviations. "
        f"`{ARRAYS_FILE}` has NAME.kernel and NAME.bias of the layers convolution_1, "
        "convolution_2 and so on, context, hidden, loss and bilinear.",
    }


def _normalised(settings: InnerLoop) -> tuple[str, ...]:
    loss = settings.learned_loss
    shown = {*loss.inputs, *(["reward"] if loss.sees_reward else [])}
    seen = [name for name in loss.normalised if name in shown]
    return ("observation", *seen)


def _normalisation(settings: InnerLoop) -> dict[str, Any]:
    start = RunningStatistics.start(1, 1)
    when = {
        "after_update": "The newest steps_per_update steps count from after the update that learns "
        "from them, so that acting and learning see the same numbers.",
        "before_update": "The newest steps_per_update steps count in the update that learns from "
        "them already, but not while they are acted.",
    }[settings.refresh_statistics]
    fixed = settings.observation_statistics
    lives = "all that the agent has met in its life"
    if fixed is not None:
        lives += " (for observations the two of `observation`, throughout)"
    return {
        "of": list(_normalised(settings)),
        "observation": fixed,
        "prior_count": start.count,
        "prior_mean": 0.0,
        "prior_std": 1.0,
        "std_floor": STD_FLOOR,
        "refresh": settings.refresh_statistics,
        "rule": "x becomes (x - mean) / max(std, std_floor), number by number. mean and std (that "
        f"of the population) are those of {lives}, with prior_count samples of prior_mean and "
        f"prior_std before them. {when} The whole buffer is normalised anew at every update.",
    }


def _policy(settings: InnerLoop, family: TaskFamily) -> dict[str, Any]:
    network = {
        "hidden_sizes": list(settings.hidden_sizes),
        "activation": "tanh",
        "output_gain": networks.OUTPUT_GAIN,
        "initialisation_rule": "Kernels are drawn from a normal distribution, and each column (one "
        "per unit) is scaled to norm 1, in the output layer to norm output_gain. Biases start at "
        "0.",
    }
    if family.num_actions is not None:
        rule = (
            "The action is drawn from the softmax of what an MLP, tanh between its layers, makes "
            "of the normalised observation."
        )
        return {
            "distribution": "categorical",
            "num_actions": family.num_actions,
            "rule": rule,
            **network,
        }
    rule = (
        "The action is mean(x) + exp(log_std) * noise, where x is the normalised observation, mean "
        "an MLP with tanh between its layers and mean_activation after the last, log_std one "
        "trained number per action that does not depend on x, and noise standard normal. With "
        "log_std_bounds, log_std is put back between them after every gradient step. The action is "
        "not clipped, neither for the simulator, which does that itself, nor for the loss."
    )
    return {
        "distribution": "gaussian",
        "action_size": family.action_size,
        "initial_log_std": settings.initial_log_std,
        "log_std_bounds": settings.log_std_bounds and list(settings.log_std_bounds),
        "mean_activation": settings.mean_activation,
        "rule": rule,
        **network,
    }


def _memory(settings: InnerLoop) -> dict[str, Any]:
    kernel = networks.Memory(1, settings.memory_size).layer.kernel
    return {
        "size": settings.memory_size,
        "constant_size": int(kernel.shape[1]),
        "activation": "tanh",
        "trained": settings.train_memory and "memory" in settings.learned_loss.inputs,
        "rule": "A dense layer of size tanh units fed with constant_size ones, which starts as the "
        "policy's hidden layers do. The loss alone sees it; the policy does not.",
    }


def _inner_update(settings: InnerLoop) -> dict[str, Any]:
    return {
        "num_updates": settings.num_updates,
        "num_minibatches": settings.num_minibatches,
        "num_passes": settings.num_passes,
        "optimizer": "adam",
        "learning_rate": settings.learning_rate,
        "beta_1": BETA_1,
        "beta_2": BETA_2,
        "epsilon": settings.adam_epsilon,
        "rule": "After every steps_per_update steps, num_passes times: put those steps in a random "
        "order, divide them into num_minibatches equal parts, and for each part take a step of "
        "Adam along the gradient of the mean of per_step_loss over it, with the policy's output "
        "computed anew on the whole buffer. Where a gradient is not finite the agent stays as it "
        "is.",
        "optimizer_rule": "tf.keras.optimizers.Adam, new for every lifetime: gradient step t is "
        "learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon), with "
        "epsilon outside of the bias correction.",
    }
