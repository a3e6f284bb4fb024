"""Algorithm 1, line 12, by machine code of our own: for the standard agents, in a single call.

Serves losses of single steps (no temporal context, no memory) and Gaussian policies. What it cannot
do, guidance among it, is left to the `Learner` that it is, which is also what it is held to.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.agent.adam import BETA_1, BETA_2
from epg_tf.agent.agents import Agents, widened
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.native.compiler import prepare
from epg_tf.native.descend import Losses, Parameters, descend
from epg_tf.tasks.family import TaskFamily


class NativeLearner(Learner):
    """Trains W agents, each on its own loss; see `Learner`.

    The policies and their Adam are arrays here. The Keras models get to know them when somebody
    asks for the agents, or for something else than an update on the learned loss.
    """

    _is_ahead = False  # of the Keras models

    def __init__(self, settings: InnerLoop, family: TaskFamily, num_workers: int):
        """Makes a learner; `reset` begins a lifetime.

        Args:
            settings: The settings of the lifetimes, whose `backend` is "numba".
            family: For the sizes of observations and actions, which are a box.
            num_workers: W.
        """
        settings.check(family)
        super().__init__(settings, family, num_workers)
        self._settings = settings
        self._sizes = np.array(
            [family.observation_size, *settings.hidden_sizes, family.action_size]
        )
        variables = self._agents.policy.weights
        self._shapes = [weight.shape[1:].as_list() for weight in variables]
        self._ends = np.cumsum([weight.shape[1:].num_elements() for weight in variables])
        self._count = 0
        self._is_prepared = False

    @property
    def agents(self) -> Agents:  # pyright: ignore[reportIncompatibleVariableOverride]
        """theta, as it is now."""
        self._hand_over()
        return self._agents

    @agents.setter
    def agents(self, agents: Agents) -> None:
        self._agents = agents

    def reset(self, phi: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Starts W lifetimes: fresh agents, fresh optimisers, the losses phi [W, P]."""
        self._is_ahead = False
        super().reset(phi, generators)
        self.take_over()

    def policy_weights(self) -> list[np.ndarray]:
        """The policies' weights, [W, ...] each, in the order of the Keras model."""
        return self._parts(self._parameters.theta.copy())

    def policy_gradient(self, batch: UpdateBatch, guidance: float) -> np.ndarray:
        """The gradient that an update begins with; see `Learner.policy_gradient`."""
        self._hand_over()
        return super().policy_gradient(batch, guidance)

    def seen(self, batch: UpdateBatch) -> LossInputs:
        """What the loss sees of a batch before its update; see `Learner.seen`."""
        self._hand_over()
        return super().seen(batch)

    def guide_gradient(self, batch: UpdateBatch) -> tuple[np.ndarray, ...]:
        """The guide's gradient before an update; see `Learner.guide_gradient`."""
        self._hand_over()
        return super().guide_gradient(batch)

    def _take_steps(
        self, batch: UpdateBatch, guidance: float, networks: tuple[str, ...] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        if guidance > 0.0 or networks is not None:
            self._hand_over()
            taken = super()._take_steps(batch, guidance, networks)
            self.take_over()
            return taken
        settings, num_workers = self._settings, self._num_workers
        num_steps = settings.steps_per_update
        minibatches = batch.permutation.reshape(
            num_workers, -1, num_steps // settings.num_minibatches
        )
        t = self._count + 1 + np.arange(minibatches.shape[1])
        rates = settings.learning_rate * np.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)
        loss, diverged = np.empty(num_workers, np.float32), np.zeros(num_workers, bool)
        arguments = (
            self._parameters,
            self._losses(batch),
            # Copies: what may not be written to is of another type, and would be compiled for.
            batch.observation[:, -num_steps:].copy(),
            minibatches.copy(),
            rates.astype(np.float32),
            loss,
            diverged,
        )
        if not self._is_prepared:
            prepare(descend, arguments)
            self._is_prepared = True
        descend(*arguments)
        self._is_ahead = True
        self._count += minibatches.shape[1]
        return loss, diverged

    def _losses(self, batch: UpdateBatch) -> Losses:
        """The losses, with what of their hidden layer no gradient step changes."""
        settings, num_actions = self._settings.learned_loss, int(self._sizes[-1])
        kernel, bias, out, last_bias = self._phi
        num_steps, at = self._settings.steps_per_update, 0
        features = np.repeat(bias, num_steps, axis=1)
        to_policy = kernel[:, :0]
        for name in settings.inputs:
            size = 2 * num_actions if name == "policy" else getattr(batch, name).shape[2]
            rows = kernel[:, at : at + size]
            if name == "policy":
                to_policy = rows
            else:
                newest = getattr(batch, name)[:, -num_steps:]
                with np.errstate(invalid="ignore", over="ignore"):  # as a worker that diverges has
                    features += np.matmul(newest, rows)
            at += size
        return Losses(
            features=features,
            to_mean=np.ascontiguousarray(to_policy[:, :num_actions]),
            to_log_std=np.ascontiguousarray(to_policy[:, num_actions:]),
            out=np.ascontiguousarray(out[:, :, 0]),
            bias=np.ascontiguousarray(last_bias[:, 0, 0]),
            smooth=settings.activation == "silu",
            slope=np.float32(settings.leaky_slope),
        )

    def take_over(self) -> None:
        """Makes arrays of what the Keras models and their Adam hold."""
        self._is_ahead = False
        adam = self.optimizers["policy"]
        low, high = self._settings.log_std_bounds or (-np.inf, np.inf)
        count, m, v = adam.moments()
        self._count = round(count)
        theta = [weight.numpy() for weight in adam.variables]
        self._parameters = Parameters(
            *(self._flat(parts) for parts in (theta, m, v)),
            sizes=self._sizes,
            squashed=self._settings.mean_activation == "tanh",
            lowest=np.float32(low),
            highest=np.float32(high),
            epsilon=np.float32(self._settings.adam_epsilon),
            beta_1=np.float32(BETA_1),
            beta_2=np.float32(BETA_2),
        )
        self._phi = [w.numpy()[: self._num_workers] for w in self.loss.phi_variables]

    def _hand_over(self) -> None:
        """Puts the arrays into the Keras models and their Adam, where they are ahead."""
        if not self._is_ahead:
            return
        self._is_ahead, width = False, self._agents.num_workers
        theta, m, v = (self._parts(widened(flat, width)) for flat in self._parameters[:3])
        for variable, weight in zip(self.optimizers["policy"].variables, theta, strict=True):
            variable.assign(weight)
        self.optimizers["policy"].restore(self._count, m, v)

    def _flat(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        workers = self._num_workers
        return np.concatenate([part[:workers].reshape(workers, -1) for part in parts], axis=1)

    def _parts(self, flat: np.ndarray) -> list[np.ndarray]:
        return [
            part.reshape(len(flat), *shape)
            for part, shape in zip(
                np.split(flat, self._ends[:-1], axis=1), self._shapes, strict=True
            )
        ]
