"""Algorithm 1, line 12, in machine code: one call takes all gradient steps of an update.

It serves all losses with Gaussian policies. The rest, such as guidance, is left to its base class
`Learner`, the reference implementation; so is everything if machine code does not run here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epg_tf.agent.adam import BETA_1, BETA_2
from epg_tf.agent.agents import Agents, pad_workers
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.native.phi import NativePhi
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.inputs import LossInputs
from epg_tf.native.compiler import prepare
from epg_tf.native.descend import Adam, Parameters, descend
from epg_tf.native.trial import descends_here
from epg_tf.tasks.family import TaskFamily


class NativeLearner(Learner):
    """Trains W agents, each on its own loss; see `Learner`.

    The policies and their Adam are arrays here. They are copied to the Keras models when a caller
    asks for the agents, or for anything but an update on the learned loss.
    """

    # The arrays are newer than the Keras models (ahead), older (behind), or neither.
    _is_ahead, _is_behind = False, True

    def __init__(self, settings: InnerLoop, family: TaskFamily, num_workers: int):
        """Makes a learner; `reset` begins a lifetime.

        Args:
            settings: The settings of the lifetimes, whose `backend` is "numba".
            family: For the sizes of observations and actions; actions must be a box.
            num_workers: W.
        """
        super().__init__(settings, family, num_workers)
        self._settings = settings
        self._sizes = np.array(
            [family.observation_size, *settings.hidden_sizes, family.action_size]
        )
        self._networks = [name for name in ("policy", "memory") if name in self.optimizers]
        self._memory_size = settings.memory_size if "memory" in self._networks else 0
        variables = [v for name in self._networks for v in self.optimizers[name].variables]
        self._shapes = [weight.shape[1:].as_list() for weight in variables]
        self._ends = np.cumsum([weight.shape[1:].num_elements() for weight in variables])
        self._phi = NativePhi(settings, family)
        self._is_prepared = False

    @property
    def agents(self) -> Agents:  # pyright: ignore[reportIncompatibleVariableOverride]
        """theta, after copying newer arrays to the Keras models."""
        self._sync_to_keras()
        return self._agents

    @agents.setter
    def agents(self, agents: Agents) -> None:
        self._agents = agents

    def reset(self, phi: np.ndarray, generators: Sequence[np.random.Generator]) -> None:
        """Starts W lifetimes with fresh agents, fresh optimisers and the losses phi [W, P]."""
        self.invalidate()
        super().reset(phi, generators)

    def policy_weights(self) -> list[np.ndarray]:
        """Returns the policies' weights, [W, ...] each, in the order of the Keras model."""
        if self._is_behind:
            return super().policy_weights()
        return self._parts(self._parameters.theta.copy())[: len(self._agents.policy.weights)]

    def policy_gradient(self, batch: UpdateBatch, guidance: float) -> np.ndarray:
        """Returns the gradient at the start of an update; see `Learner.policy_gradient`."""
        self._sync_to_keras()
        return super().policy_gradient(batch, guidance)

    def loss_inputs(self, batch: UpdateBatch) -> LossInputs:
        """Returns the loss's inputs for a batch before its update; see `Learner.loss_inputs`."""
        self._sync_to_keras()
        return super().loss_inputs(batch)

    def _take_steps(
        self, batch: UpdateBatch, guidance: float, networks: tuple[str, ...] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        if guidance > 0.0 or networks is not None or not descends_here():
            self._sync_to_keras()
            taken = super()._take_steps(batch, guidance, networks)
            self.invalidate()
            return taken
        self._sync_from_keras()
        settings, num_workers = self._settings, self._num_workers
        num_steps = settings.steps_per_update
        minibatches = batch.permutation.reshape(
            num_workers, -1, num_steps // settings.num_minibatches
        )
        seen = settings.buffer_size if settings.learned_loss.context_size else num_steps
        # Step counts of policy and memory; the policy's twice if the memory is not trained.
        t = self._counts[[0, -1], np.newaxis] + 1 + np.arange(minibatches.shape[1])
        rates = settings.learning_rate * np.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)
        loss, diverged = np.empty(num_workers, np.float32), np.zeros(num_workers, bool)
        arguments = (
            self._parameters,
            *self._phi.before_update(batch),
            # Copies, since numba would compile again for read-only or non-contiguous arrays.
            batch.observation[:, -seen:].copy(),
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
        self._counts += minibatches.shape[1]
        return loss, diverged

    def invalidate(self) -> None:
        """Marks the Keras models as newer; call it after changing agents or their optimisers."""
        self._is_ahead, self._is_behind = False, True

    def _sync_from_keras(self) -> None:
        """Copies the Keras models and their Adam into arrays, if the models are newer."""
        if not self._is_behind:
            return
        self._is_behind = False
        low, high = self._settings.log_std_bounds or (-np.inf, np.inf)
        adams = [self.optimizers[name] for name in self._networks]
        counts, *moments = zip(*(adam.moments() for adam in adams), strict=True)
        self._counts = np.array([round(count) for count in counts])
        theta = [weight.numpy() for adam in adams for weight in adam.variables]
        m, v = (self._flat([part for parts in of_all for part in parts]) for of_all in moments)
        self._parameters = Parameters(
            theta=self._flat(theta),
            moments=np.stack([m, v], axis=1),
            sizes=self._sizes,
            squashed=self._settings.mean_activation == "tanh",
            lowest=np.float32(low),
            highest=np.float32(high),
            memory_size=self._memory_size,
            adam=Adam(*map(np.float32, (self._settings.adam_epsilon, BETA_1, BETA_2))),
        )
        workers = self._num_workers
        self._phi.assign(
            [variable.numpy()[:workers] for variable in self.loss.phi_variables],
            self._agents.memory(None).numpy()[:workers],
        )

    def _sync_to_keras(self) -> None:
        """Copies the arrays into the Keras models and their Adam, if the arrays are newer."""
        if not self._is_ahead:
            return
        self._is_ahead, width = False, self._agents.num_workers
        parameters = self._parameters
        of_all = (parameters.theta, *np.moveaxis(parameters.moments, 1, 0))
        theta, m, v = (self._parts(pad_workers(flat, width)) for flat in of_all)
        at = 0
        for name, count in zip(self._networks, self._counts, strict=True):
            adam = self.optimizers[name]
            mine = slice(at, at + len(adam.variables))
            for variable, weight in zip(adam.variables, theta[mine], strict=True):
                variable.assign(weight)
            adam.restore(count, m[mine], v[mine])
            at = mine.stop

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
