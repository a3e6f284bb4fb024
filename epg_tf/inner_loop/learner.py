"""Algorithm 1, line 12: theta <- theta - delta grad L_i(pi_theta, tau), Eqs. 4 and 6.

One compiled step for all W workers. The sum over workers of their losses has exactly the W
independent gradients, and an element-wise optimiser on [W, ...] variables is W independent ones.
"""

# Pyright's TensorFlow stubs know neither static shapes nor Keras's way of being called.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false
# pyright: reportOptionalOperand=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.adam import WorkerAdam, all_finite
from epg_tf.agent.agents import Agents
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import GuideBatch, GuideTargets
from epg_tf.loss.inputs import LossInputs
from epg_tf.tasks.family import TaskFamily

_MANY = 8  # gradient steps: with fewer, two at a turn save less than they take to compile


class Learner:
    """Trains W agents, each on its own loss.

    Attributes:
        agents: theta.
        loss: phi, a network with W sets of weights.
        optimizers: One Adam per trained network of the agents, by name.
    """

    def __init__(self, settings: InnerLoop, family: TaskFamily, num_workers: int):
        """Makes a learner; `reset` begins a lifetime.

        Args:
            settings: The inner loop's.
            family: For the sizes of observations and actions.
            num_workers: W.
        """
        self._num_workers = num_workers
        self._num_minibatches = settings.num_minibatches
        self._guide = settings.guide
        # XLA simplifies an axis of length 1 away and then adds in another order. With a ghost at
        # its side a lone worker's results are the same to the bit as among many.
        width = max(2, num_workers)
        self.agents = Agents(
            width,
            family.observation_size,
            family.action_size,
            family.num_actions,
            hidden_sizes=settings.hidden_sizes,
            memory_size=settings.memory_size,
            initial_log_std=settings.initial_log_std,
            mean_activation=settings.mean_activation,
            log_std_bounds=settings.log_std_bounds,
        )
        self.loss = settings.learned_loss.build(width)
        self._build_loss(settings, family)
        networks = {"policy": self.agents.policy, "value_function": self.agents.value_function}
        if settings.train_memory and "memory" in settings.learned_loss.inputs:
            networks["memory"] = self.agents.memory
        self.optimizers = {
            name: WorkerAdam(
                network.trainable_variables, settings.learning_rate, settings.adam_epsilon
            )
            for name, network in networks.items()
        }

    def reset(self, phi: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Starts W lifetimes: fresh agents, fresh optimisers, the losses phi [W, P]."""
        self.agents.reset(generators)
        self.loss.assign(_widened(phi, self.agents.num_workers))
        for optimizer in self.optimizers.values():
            optimizer.reset()

    def policy_weights(self) -> list[np.ndarray]:
        """The policies' weights, [W, ...] each, in the order of the Keras model."""
        return [weight.numpy()[: self._num_workers] for weight in self._policy_weights()]

    def update(
        self,
        batch: UpdateBatch,
        guidance: float,
        networks: tuple[str, ...] | None = None,
        train_value: bool = False,
    ) -> dict[str, np.ndarray]:
        """Takes one update's gradient steps.

        Args:
            batch: What the agents lived through.
            guidance: alpha in Eq. 6; at 0 no reward is read, at 1 no phi.
            networks: Which of `optimizers` take them; by default all that the loss reaches.
            train_value: At a guidance of 0, whether the value function is trained beside, on the
                guide's value error. Nothing of that, nor of any reward, reaches the others.

        Returns:
            `loss`, the mean learned loss over the update's steps, and `diverged`, whether a
            gradient was not finite, so that the worker kept its parameters in that step; [W] each.
        """
        batch = UpdateBatch(*(_widened(array, self.agents.num_workers) for array in batch))
        guided = guidance > 0.0
        loss, diverged = self._update(
            batch,
            tf.constant(guidance, tf.float32),
            guidance < 1.0,
            guided,
            networks,
            train_value and not guided,
        )
        return {
            "loss": loss.numpy()[: self._num_workers],
            "diverged": diverged.numpy()[: self._num_workers],
        }

    def policy_gradient(self, batch: UpdateBatch, guidance: float) -> np.ndarray:
        """The gradient that an update begins with, over all M steps at once; nothing changes.

        Args:
            batch: What the agents lived through.
            guidance: alpha in Eq. 6; at 0 no reward is read, at 1 no phi.

        Returns:
            With respect to the policies' parameters, in the order of `policy_weights`, [W, number].
        """
        batch = UpdateBatch(*(_widened(array, self.agents.num_workers) for array in batch))
        gradient = self._policy_gradient(
            batch, tf.constant(guidance, tf.float32), guidance < 1.0, guidance > 0.0
        )
        return gradient.numpy()[: self._num_workers]

    def lesson(self, batch: UpdateBatch) -> tuple[LossInputs, tuple[np.ndarray, ...]]:
        """What an update can teach phi, before it is made; nothing changes.

        Args:
            batch: What the agents lived through, with rewards.

        Returns:
            What the loss sees, arrays [W, ...] with None for what it does not see, and the guide's
            gradient with respect to each part of the policy's output on the M newest steps, a tuple
            of [W, M, size].
        """
        batch = UpdateBatch(*(_widened(array, self.agents.num_workers) for array in batch))
        inputs, targets = tf.nest.map_structure(
            lambda tensor: tensor.numpy()[: self._num_workers], self._lesson(batch)
        )
        named = dict.fromkeys(LossInputs._fields, None) | inputs
        return LossInputs(**named), targets

    def _build_loss(self, settings: InnerLoop, family: TaskFamily) -> None:
        """Makes the variables of phi by showing the loss a buffer of zeros."""
        shape = [self.agents.num_workers, settings.buffer_size]
        observation = tf.zeros([*shape, family.observation_size])
        self.loss(
            LossInputs(
                observation=observation,
                action=tf.zeros([*shape, family.action_features]),
                termination=tf.zeros([*shape, 1]),
                policy=self.agents.policy(observation),
                memory=self.agents.memory(None),
                reward=tf.zeros([*shape, 1]),
            ),
            settings.steps_per_update,
        )

    @tf.function(jit_compile=True)
    def _update(
        self,
        batch: UpdateBatch,
        guidance: tf.Tensor,
        learned: bool,
        guided: bool,
        networks: tuple[str, ...] | None,
        value_beside: bool,
    ):
        tf.debugging.assert_shapes(
            [
                (batch.observation, ("W", "N", "S")),
                (batch.action, ("W", "N", "A")),
                (batch.termination, ("W", "N", 1)),
                (batch.permutation, ("W", "passes", "M")),
            ]
        )
        num_workers, num_steps = batch.newest_action.shape[:2]
        newest, output_before, targets = self._before(batch, guided or value_beside)
        guide_targets = targets if guided else None
        minibatches = tf.reshape(
            batch.permutation, [num_workers, -1, num_steps // self._num_minibatches]
        )
        num_gradient_steps = minibatches.shape[1]
        total = tf.zeros([num_workers])
        diverged = tf.zeros([num_workers], tf.bool)
        # A loop compiles once, however many steps there are. Where there are many, two at a turn:
        # XLA does not vectorise what writes where the loop reads, and one of the two need not.
        at_a_turn = 2 if num_gradient_steps % 2 == 0 and num_gradient_steps >= _MANY else 1
        for turn in tf.range(num_gradient_steps // at_a_turn):
            for step in range(at_a_turn):
                rows = minibatches[:, turn * at_a_turn + step]
                loss, finite = self._gradient_step(
                    batch, rows, newest, output_before, guide_targets, guidance, learned, networks
                )
                total += loss
                diverged |= ~finite
                if value_beside:
                    diverged |= ~self._value_step(batch, rows, newest, targets)
        return total / num_gradient_steps, diverged

    @tf.function(jit_compile=True, autograph=False)
    def _policy_gradient(self, batch, guidance, learned, guided):
        newest, output_before, targets = self._before(batch, guided)
        num_workers, num_steps = batch.newest_action.shape[:2]
        rows = tf.tile(tf.range(num_steps)[tf.newaxis], [num_workers, 1])
        with tf.GradientTape() as tape:
            loss, _ = self._loss(batch, rows, newest, output_before, targets, guidance, learned)
        variables = self.optimizers["policy"].variables
        gradients = tape.gradient(loss, variables, unconnected_gradients="zero")
        return tf.concat([tf.reshape(g, [g.shape[0], -1]) for g in gradients], axis=1)

    @tf.function(jit_compile=True, autograph=False)
    def _lesson(self, batch):
        newest, output, targets = self._before(batch, True)
        score = self.agents.policy.score(output, batch.newest_action)
        inputs = self.loss_inputs(batch, self.agents.policy(batch.observation))
        seen = ("policy", "memory", *self.loss.settings.inputs)
        inputs = {
            name: value
            for name, value in inputs._asdict().items()
            if name == "mask" and value is not None or name in seen
        }
        return inputs, self._guide.output_gradient(targets, score)

    def _before(self, batch, guided):
        """Where the M newest steps begin, and the policy's output and the targets on them."""
        newest = batch.observation.shape[1] - batch.newest_action.shape[1]
        output = self.agents.policy(batch.observation[:, newest:])
        return newest, output, self._guide_targets(batch, output, newest) if guided else None

    def _loss(self, batch, rows, newest, output_before, targets, guidance, learned):
        """Eq. 6 on the steps `rows` [W, B] of the M newest, and L_phi in it, [W] each."""
        # Only the temporal context needs the policy on steps outside the minibatch.
        whole = learned and self.loss.to_context is not None
        observation = batch.observation if whole else _take(batch.observation, rows + newest)
        output = self.agents.policy(observation)
        learned_loss = tf.zeros([observation.shape[0]])
        if learned:
            inputs = self.loss_inputs(batch, output, None if whole else rows + newest)
            per_step = self.loss.per_step(inputs, rows + newest if whole else None)
            learned_loss = tf.reduce_mean(per_step, axis=1)
        total = learned_loss
        if targets is not None:
            output = _take_output(output, rows + newest) if whole else output
            guide_loss = self._guide_loss(batch, rows, newest, output_before, output, targets)
            total = guidance * guide_loss
            if learned:
                total += (1.0 - guidance) * learned_loss
        return total, learned_loss

    def _gradient_step(
        self, batch, rows, newest, output_before, targets, guidance, learned, networks
    ):
        """One Adam step on the steps `rows` [W, B] of the M newest; Eqs. 4 and 6."""
        with tf.GradientTape() as tape:
            total, learned_loss = self._loss(
                batch, rows, newest, output_before, targets, guidance, learned
            )
        names = [
            name
            for name in networks or self.optimizers
            if (name != "value_function" or targets is not None) and (name != "memory" or learned)
        ]
        return learned_loss, self._descend(tape, total, names)

    def _value_step(self, batch, rows, newest, targets) -> tf.Tensor:
        """One Adam step of the value function alone on the guide's value error; where finite."""
        with tf.GradientTape() as tape:
            value = self.agents.value_function(_take(batch.observation, rows + newest))[..., 0]
            error = self._guide.value_loss(_take_all(targets, rows), value)
        return self._descend(tape, error, ["value_function"])

    def _descend(self, tape: tf.GradientTape, loss: tf.Tensor, names: Sequence[str]) -> tf.Tensor:
        """One Adam step of the named networks; returns which workers took it, [W].

        A worker whose gradient is not finite stands still; nothing of it reaches another.
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

    @tf.function(autograph=False)
    def _policy_weights(self) -> list[tf.Tensor]:
        """All in one call: to read a variable takes as long as a whole call."""
        return [variable.read_value() for variable in self.agents.policy.weights]

    def loss_inputs(self, batch, output, rows=None) -> LossInputs:
        """What the loss sees of a batch with the policy's output on it.

        Args:
            batch: An `UpdateBatch`.
            output: The policy's, of as many steps as are taken.
            rows: Which steps to take, as positions in the buffer, [W, B]; all by default.
        """

        def take(tensor):
            return tensor if tensor is None or rows is None else _take(tensor, rows)

        return LossInputs(
            observation=take(batch.observation),
            action=take(batch.action),
            termination=take(batch.termination),
            policy=output,
            memory=self.agents.memory(None),
            reward=take(batch.reward),
            mask=batch.mask,
        )

    def _guide_targets(self, batch, output_before, newest) -> GuideTargets:
        value = self.agents.value_function
        distribution = self.agents.policy.distribution(output_before)
        return self._guide.targets(
            GuideBatch(
                log_prob=distribution.log_prob(batch.newest_action),
                reward=batch.newest_reward,
                terminated=batch.newest_terminated,
                ended=batch.termination[:, newest:, 0],
                value=value(batch.observation[:, newest:])[..., 0],
                next_value=value(batch.newest_next_observation)[..., 0],
            )
        )

    def _guide_loss(self, batch, rows, newest, output_before, output, targets) -> tf.Tensor:
        agents = self.agents
        distribution = agents.policy.distribution(output)
        before = agents.policy.distribution(_take_output(output_before, rows))
        observation = _take(batch.observation, rows + newest)
        return self._guide.loss(
            _take_all(targets, rows),
            distribution.log_prob(_take(batch.newest_action, rows)),
            before.kl_divergence(distribution),
            agents.value_function(observation)[..., 0],
        )


def _take(tensor: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Worker w's steps rows[w], from [W, T, ...]."""
    return tf.gather(tensor, rows, axis=1, batch_dims=1)


def _take_output(output: tuple[tf.Tensor, ...], rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
    return tuple(part if part.shape[1] == 1 else _take(part, rows) for part in output)


def _take_all(targets: GuideTargets, rows: tf.Tensor) -> GuideTargets:
    return GuideTargets(*(_take(target, rows) for target in targets))


def _widened(array: np.ndarray | None, width: int) -> np.ndarray | None:
    """Repeats a lone worker's array [1, ...] where there is to be a ghost at its side."""
    if array is None or array.shape[0] == width:
        return array
    return np.repeat(array, width, axis=0)
