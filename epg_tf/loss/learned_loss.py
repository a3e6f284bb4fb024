"""L_phi: the learned loss (Fig. 2 and section 4.1).

Temporal convolutions over the buffer of N steps give a context. A small dense network maps each of
the newest steps, with that context, to a number; the agent descends the mean of these numbers. A
bilinear term may be added to the network's output (ours). phi is the weights of all these parts.
The confinement (ours), two fixed terms, is not part of phi.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportReturnType=false, reportOperatorIssue=false, reportOptionalCall=false
# pyright: reportOptionalOperand=false, reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import tensorflow as tf

from epg_tf.agent.layers import (
    WorkerBilinear,
    WorkerConv1D,
    WorkerDense,
    WorkerLayer,
    lecun_normal,
)
from epg_tf.checks import NonNegativeInt, NonNegativeNumber, PositiveInt, Settings
from epg_tf.loss.inputs import PER_STEP_INPUTS, REWARD_INPUTS, LossInputs


@dataclasses.dataclass(frozen=True)
class LearnedLoss(Settings):
    """The architecture of the learned loss: settings, from which `build` makes networks.

    Attributes:
        inputs: The names of a step's inputs to the loss, in order; `loss.inputs` explains
            "gated_observation".
        convolutions: (width, stride, channels) of each temporal convolution.
        pooling: The way from the last convolution's positions to the context: "flatten" or "mean".
        context_size: Units of the dense layer that ends in the context; 0 for no temporal context.
        hidden_size: Units of the hidden layer of the per-step network.
        activation: The activation of convolutions and hidden layer: "leaky_relu" (the paper) or
            "silu". The latter makes the loss's gradient continuous in the policy's output.
        leaky_slope: Negative slope of the leaky ReLUs.
        normalised: The inputs out of "action" and "reward" that running statistics of the worker
            normalise; observations always are.
        mean_penalty: kappa of the confinement, a fixed term beside the networks:
            `kappa / 2 |mean|^2` for a Gaussian policy, `kappa / 2 |log p - average log p|^2` for a
            categorical one. It keeps the minimum of the loss inside the box of actions. Without it
            (0, the paper) a random phi has no minimum, and the agents' means diverge.
        log_std_penalty: The weight of the sum of log standard deviations, the second term of the
            confinement. It makes agents reduce their noise under a phi of zeros.
        bilinear: True to add the inner product of the policy's mean (or log-probabilities) with a
            linear function of the step's other inputs except the memory. Its weights start at
            zero. They move the minimum of a confined loss in proportion, which makes them easy to
            search.

    Raises:
        ValueError: If a name is unknown or repeated, or a size is not positive.
    """

    inputs: tuple[str, ...] = ("observation", "action", "termination", "memory", "policy")
    convolutions: tuple[tuple[PositiveInt, PositiveInt, PositiveInt], ...] = ((8, 7, 8), (4, 2, 8))
    pooling: Literal["flatten", "mean"] = "flatten"
    context_size: NonNegativeInt = 32
    hidden_size: PositiveInt = 16
    activation: Literal["leaky_relu", "silu"] = "leaky_relu"
    leaky_slope: NonNegativeNumber = 0.2
    normalised: tuple[Literal["action", "reward"], ...] = ("action", "reward")
    mean_penalty: NonNegativeNumber = 0.0
    log_std_penalty: NonNegativeNumber = 0.0
    bilinear: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        known = set(self.inputs) <= set(PER_STEP_INPUTS)
        are_distinct = len(set(self.inputs)) == len(self.inputs) > 0
        self._require(
            "inputs", known and are_distinct, f"be distinct names out of {PER_STEP_INPUTS}"
        )
        rule = "contain 'policy', through which alone the gradient reaches the agent"
        self._require("inputs", "policy" in self.inputs, rule)
        rule = "have more than the policy and the memory where `LearnedLoss.bilinear` is True"
        self._require("inputs", bool(self.bilinear_inputs) or not self.bilinear, rule)
        rule = "not be empty unless `LearnedLoss.context_size` is 0"
        self._require("convolutions", bool(self.convolutions) or not self.context_size, rule)

    @property
    def sees_reward(self) -> bool:
        """True if the loss takes rewards as input."""
        return not set(REWARD_INPUTS).isdisjoint(self.inputs)

    @property
    def bilinear_inputs(self) -> tuple[str, ...]:
        """The names of the inputs that multiply the policy's mean in the bilinear term."""
        return tuple(name for name in self.inputs if name not in ("policy", "memory"))

    @property
    def confines(self) -> bool:
        """True if the loss has a confinement beside its networks."""
        return self.mean_penalty > 0.0 or self.log_std_penalty > 0.0

    @property
    def shortest_buffer(self) -> int:
        """The number of steps that give the convolutions one output; 1 without a context."""
        length = 1
        for width, stride, _ in reversed(self.convolutions):
            length = (length - 1) * stride + width
        return length if self.context_size else 1

    def build(self, num_workers: int) -> LossNetwork:
        """Returns a network with W sets of weights."""
        return LossNetwork(self, num_workers)


class LossNetwork(tf.keras.Model):
    """The learned losses of W workers; its weights, flattened, are W vectors phi of P numbers."""

    def __init__(self, settings: LearnedLoss, num_workers: int):
        super().__init__()
        self.settings = settings
        self.num_workers = num_workers

        def activation(outputs: tf.Tensor) -> tf.Tensor:
            if settings.activation == "silu":
                return tf.nn.silu(outputs)
            return tf.nn.leaky_relu(outputs, settings.leaky_slope)

        self.convolutions = [
            WorkerConv1D(
                num_workers,
                channels,
                width,
                stride,
                kernel_rule=lecun_normal(),
                activation=activation,
            )
            for width, stride, channels in (settings.convolutions if settings.context_size else ())
        ]
        self.to_context = (
            WorkerDense(num_workers, settings.context_size, lecun_normal())
            if settings.context_size
            else None
        )
        self.to_hidden = WorkerDense(
            num_workers, settings.hidden_size, lecun_normal(), activation=activation
        )
        self.to_loss = WorkerDense(num_workers, 1, lecun_normal())
        self.bilinear = WorkerBilinear(num_workers) if settings.bilinear else None

    def context(self, inputs: LossInputs, hold_memory: bool = True) -> tf.Tensor:
        """Returns f_context, the convolutions' summary of the whole buffer.

        Args:
            inputs: The buffer.
            hold_memory: True to treat the memory as constant, as learning agents do: its gradient
                comes from the per-step network alone.

        Returns:
            [W, 1, context_size].
        """
        if hold_memory:
            inputs = inputs._replace(memory=tf.stop_gradient(inputs.memory))
        features = inputs.select(self.settings.inputs)
        if inputs.mask is not None:
            features = [feature * inputs.mask for feature in features]
        for convolution in self.convolutions:
            features = convolution(features)
        features = tf.convert_to_tensor(features)
        if self.settings.pooling == "mean":
            pooled = tf.reduce_mean(features, axis=1, keepdims=True)
        else:
            pooled = tf.reshape(features, [-1, 1, features.shape[1] * features.shape[2]])
        return self.to_context(pooled)

    def per_step(
        self,
        inputs: LossInputs,
        rows: tf.Tensor | None = None,
        context: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Returns L_t, the loss of single steps.

        Args:
            inputs: The buffer.
            rows: The steps' positions in the buffer, [W, B]; all steps by default.
            context: f_context, [W, 1, context_size]; by default computed from the inputs.

        Returns:
            [W, B].
        """

        def taken(step: tf.Tensor) -> tf.Tensor:
            if rows is None or step.shape[1] == 1:
                return step
            return tf.gather(step, rows, axis=1, batch_dims=1)

        steps = [taken(step) for step in inputs.select(self.settings.inputs)]
        if self.to_context is not None:
            steps.append(self.context(inputs) if context is None else context)
        losses = tf.squeeze(self.to_loss(self.to_hidden(steps)), axis=2)
        if self.bilinear is not None:
            others = inputs.select(self.settings.bilinear_inputs)
            losses += self.bilinear(list(map(taken, (inputs.policy[0], *others))))
        if self.settings.confines:
            losses += self.confinement(tuple(map(taken, inputs.policy)))
        return losses

    def confinement(self, policy: tuple[tf.Tensor, ...]) -> tf.Tensor:
        """Returns the terms of L_t that do not depend on phi; see `LearnedLoss.mean_penalty`.

        Args:
            policy: The policy's output, [W, B or 1, size] each.

        Returns:
            [W, B].
        """
        centre, *log_std = policy
        if not log_std:
            centre -= tf.reduce_mean(centre, axis=2, keepdims=True)
        penalty = self.settings.mean_penalty / 2.0 * tf.reduce_sum(tf.square(centre), axis=2)
        for part in log_std:
            penalty += self.settings.log_std_penalty * tf.reduce_sum(part, axis=2)
        return penalty

    def call(self, inputs: LossInputs, num_newest: int) -> tf.Tensor:
        """Returns L_phi, the mean of L_t over the `num_newest` = M newest steps, [W]."""
        length = inputs.policy[0].shape[1]
        rows = tf.range(length - num_newest, length)[tf.newaxis]
        rows = tf.tile(rows, [tf.shape(inputs.policy[0])[0], 1])
        return tf.reduce_mean(self.per_step(inputs, rows), axis=1)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draws a fresh phi [P]."""
        layers = self.layers_by_name.values()
        arrays = [array for layer in layers for array in layer.draw(rng)]
        return np.concatenate([array.ravel() for array in arrays])

    def assign(self, phi: np.ndarray | tf.Tensor) -> None:
        """Gives worker w the loss phi[w], from an array [W, P]."""
        for variable, part in zip(self.phi_variables, self.parts(phi), strict=True):
            variable.assign(part)

    def parts(self, phi: np.ndarray | tf.Tensor) -> list[tf.Tensor]:
        """Returns losses [W, P] in the shapes of phi's variables, float32 [W, ...] each."""
        shapes = [variable.shape[1:] for variable in self.phi_variables]
        sizes = [int(np.prod(shape)) for shape in shapes]
        flat = tf.split(tf.cast(phi, tf.float32), sizes, axis=1)
        return [tf.reshape(one, [-1, *shape]) for one, shape in zip(flat, shapes, strict=True)]

    @property
    def size(self) -> int:
        """P, the number of parameters of one loss (once the network has been called)."""
        return sum(int(np.prod(variable.shape[1:])) for variable in self.phi_variables)

    @property
    def phi_variables(self) -> list[tf.Variable]:
        """The variables that make up phi, in its order."""
        return [v for layer in self.layers_by_name.values() for v in layer.weights]

    @property
    def layers_by_name(self) -> dict[str, WorkerLayer]:
        """The layers in the order of their weights in phi: convolution_1, ..., bilinear."""
        convolutions = {f"convolution_{i}": c for i, c in enumerate(self.convolutions, 1)}
        context = {} if self.to_context is None else {"context": self.to_context}
        bilinear = {} if self.bilinear is None else {"bilinear": self.bilinear}
        dense = {"hidden": self.to_hidden, "loss": self.to_loss}
        return {**convolutions, **context, **dense, **bilinear}
