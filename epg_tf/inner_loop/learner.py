"""Algorithm 1, line 12: theta <- theta - delta grad L_i(pi_theta, tau), Eqs. 4 and 6.

One compiled step serves all W workers. The sum of their losses has exactly the W independent
gradients, and an element-wise optimiser on [W, ...] variables is W independent optimisers.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportOptionalOperand=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.adam import WorkerAdam, all_finite
from epg_tf.agent.agents import AgentState, pad_workers
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.networks import build_agents, build_loss
from epg_tf.inner_loop.objective import Given, Objective
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.tasks.family import Spaces

# XLA removes an axis of length 1, on some processors of length 2, and then sums in another order.
# Padding with copies gives one or two workers the same digits as many.
_FEWEST = 3
_MANY = 8  # gradient steps; with fewer, unrolling saves less than its compilation takes


class Learner:
    """Takes the gradient steps of W agents in TensorFlow, for all settings; a `backends.Backend`.

    Attributes:
        agents: Networks for theta, at least three sets of weights.
        loss: The network of phi, as many sets.
        objective: Eq. 6.
        optimizers: One Adam per network of the agents, by name.
    """

    def __init__(self, settings: InnerLoop, spaces: Spaces, num_workers: int):
        """Builds the networks; `load` gives them their losses.

        Args:
            settings: The settings of the lifetimes.
            spaces: The spaces of observations and actions.
            num_workers: W.
        """
        self._num_workers = num_workers
        self._num_minibatches = settings.num_minibatches
        width = max(_FEWEST, num_workers)
        self.agents = build_agents(settings, spaces, width)
        self.loss = build_loss(settings, spaces, width)
        self.objective = Objective(self.agents, self.loss, settings.guide)
        self.optimizers = {
            name: WorkerAdam(network.weights, settings.learning_rate, settings.adam_epsilon)
            for name, network in self.agents.networks.items()
        }
        trains_memory = settings.train_memory and "memory" in settings.learned_loss.inputs
        self._trained = tuple(n for n in self.optimizers if n != "memory" or trains_memory)

    def load(self, phi: np.ndarray) -> None:
        """Takes the losses phi [W, P]; see `backends.Backend`."""
        self.loss.assign(pad_workers(phi, self.agents.num_workers))

    def padded(self, batch: UpdateBatch) -> UpdateBatch:
        """Pads a batch of W workers to the number of agents."""
        width = self.agents.num_workers
        return UpdateBatch(*(None if a is None else pad_workers(a, width) for a in batch))

    def descend(
        self,
        state: AgentState,
        batch: UpdateBatch,
        guidance: float,
        networks: tuple[str, ...] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Takes one update's gradient steps; see `backends.Backend`.

        `networks` names the networks that take the steps; by default all that the loss reaches.
        """
        self._assign(state)
        padded, alpha = self.padded(batch), tf.constant(guidance, tf.float32)
        taken = self._update(padded, alpha, guidance < 1.0, guidance > 0.0, networks)
        self._read(state)
        return self._as_arrays(taken)

    def policy_gradient(self, state: AgentState, batch: UpdateBatch, guidance: float) -> np.ndarray:
        """Returns the first gradient of an update over all M steps, without a step.

        Args:
            state: The agents.
            batch: The batch of the update.
            guidance: alpha in Eq. 6; at 0 no reward is read, at 1 no phi.

        Returns:
            The gradient by the policies' parameters, in the order of theta, [W, number].
        """
        self.agents.assign(state.theta)
        batch, alpha = self.padded(batch), tf.constant(guidance, tf.float32)
        gradient = self._policy_gradient(batch, alpha, guidance < 1.0, guidance > 0.0)
        return self._as_arrays(gradient)

    def loss_inputs(self, state: AgentState, batch: UpdateBatch) -> LossInputs:
        """Returns the inputs of the loss before an update, [W, ...] each; None for the others."""
        self.agents.assign(state.theta)
        inputs = self._as_arrays(self._loss_inputs(self.padded(batch)))
        return LossInputs(**dict.fromkeys(LossInputs._fields, None) | inputs)

    def _assign(self, state: AgentState) -> None:
        """Copies agents and their Adam into the variables."""
        width = self.agents.num_workers
        padded = [pad_workers(view, width) for view in self._views(state)]
        self._assign_all(padded, state.counts.astype(np.float32))

    def _read(self, state: AgentState) -> None:
        """Copies agents and their Adam out of the variables."""
        values, counts = self._read_all()
        for view, value in zip(self._views(state), values, strict=True):
            view[...] = value.numpy()[: self._num_workers]
        state.counts[:] = counts

    def _views(self, state: AgentState) -> list[np.ndarray]:
        """Returns views of agents and moments in the shapes of `_variables`."""
        return [
            view
            for flat in (state.theta, state.moments[:, 0], state.moments[:, 1])
            for view in self.agents.parts(flat)
        ]

    @property
    def _variables(self) -> list[tf.Variable]:
        adams = self.optimizers.values()
        moments = [moment for of in ("m", "v") for adam in adams for moment in getattr(adam, of)]
        return [*self.agents.weights, *moments]

    @tf.function(autograph=False)
    def _assign_all(self, values: list[tf.Tensor], counts: tf.Tensor) -> None:
        """Assigns all variables in one call, since each call costs as much as an assignment."""
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
        for number, adam in enumerate(self.optimizers.values()):
            adam.count.assign(counts[number])

    @tf.function(autograph=False)
    def _read_all(self) -> tuple[list[tf.Tensor], tf.Tensor]:
        counts = tf.stack([adam.count for adam in self.optimizers.values()])
        return [variable.read_value() for variable in self._variables], counts

    @tf.function(jit_compile=True)
    def _update(
        self,
        batch: UpdateBatch,
        guidance: tf.Tensor,
        learned: bool,
        guided: bool,
        networks: tuple[str, ...] | None,
    ):
        given = self.objective.given(batch, guidance, learned, guided)
        minibatches = self._minibatches(batch)
        num_workers, num_gradient_steps, _ = minibatches.shape
        total, diverged = tf.zeros([num_workers]), tf.zeros([num_workers], tf.bool)
        # The compile time of a loop does not depend on its length. Unroll long loops by two, so
        # that XLA can vectorise one step of each pair.
        at_a_turn = 2 if num_gradient_steps % 2 == 0 and num_gradient_steps >= _MANY else 1
        for turn in tf.range(num_gradient_steps // at_a_turn):
            for step in range(at_a_turn):
                rows = minibatches[:, turn * at_a_turn + step]
                loss, finite = self._gradient_step(given, rows, networks)
                total += loss
                diverged |= ~finite
        return total / num_gradient_steps, diverged

    def _minibatches(self, batch: UpdateBatch) -> tf.Tensor:  # [W, gradient steps, B]
        num_workers, num_steps = batch.newest_action.shape[:2]
        return tf.reshape(batch.permutation, [num_workers, -1, num_steps // self._num_minibatches])

    @tf.function(jit_compile=True, autograph=False)
    def _policy_gradient(
        self, batch: UpdateBatch, guidance: tf.Tensor, learned: bool, guided: bool
    ) -> tf.Tensor:
        given = self.objective.given(batch, guidance, learned, guided)
        shape = batch.newest_action.shape[:2]
        rows = tf.broadcast_to(tf.range(shape[1]), shape)
        with tf.GradientTape() as tape:
            loss, _ = self.objective(given, rows)
        variables = self.optimizers["policy"].variables
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        return tf.concat([tf.reshape(g, [g.shape[0], -1]) for g in gradients], axis=1)

    def _as_arrays(self, tensors):
        return tf.nest.map_structure(lambda tensor: tensor.numpy()[: self._num_workers], tensors)

    @tf.function(jit_compile=True, autograph=False)
    def _loss_inputs(self, batch: UpdateBatch) -> dict:
        inputs = self.objective.inputs(batch, self.agents.policy(batch.observation))
        seen = ("policy", "memory", *self.loss.settings.inputs)
        return {
            name: value
            for name, value in inputs._asdict().items()
            if name == "mask" and value is not None or name in seen
        }

    def _gradient_step(
        self, given: Given, rows: tf.Tensor, networks: tuple[str, ...] | None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Takes an Adam step on `rows` [W, B] of the M newest; returns L_phi and success, [W]."""
        with tf.GradientTape() as tape:
            total, learned_loss = self.objective(given, rows)
        names = [
            name
            for name in networks or self._trained
            if (name != "value_function" or given.guided) and (name != "memory" or given.learned)
        ]
        return learned_loss, self._descend(tape, total, names)

    def _descend(self, tape: tf.GradientTape, loss: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
        """Takes an Adam step of the named networks; returns which workers took it, [W].

        A worker with a gradient that is not finite skips the step; others are not affected.
        """
        optimizers = [self.optimizers[name] for name in names]
        gradients = tape.gradient(
            loss, [adam.variables for adam in optimizers], unconnected_gradients="zero"
        )
        steps = [adam.steps(mine) for adam, mine in zip(optimizers, gradients, strict=True)]
        finite = all_finite(tf.nest.flatten(steps))
        for adam, mine, taken in zip(optimizers, gradients, steps, strict=True):
            adam.descend(mine, taken, finite)
        return finite
