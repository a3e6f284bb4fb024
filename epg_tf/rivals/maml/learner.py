"""MAML: agents adapt to an epoch's tasks, and PPO trains their initial weights for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.rivals.adaptation.agents import returns_since
from epg_tf.rivals.adaptation.learner import (
    AdaptationLearner,
    as_arrays,
    updated_statistics,
)
from epg_tf.rivals.maml.meta_update import MetaUpdate
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.meta_training.rival import Arrays, EpochOutcome, in_order, numbered
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

_COLLECTING = 0.5  # the share of an epoch's time, for the progress bar


class MAMLLearner(AdaptationLearner):
    """Trains the initial weights of MAML on a family's tasks."""

    def __init__(self, settings: MAML, family: TaskFamily, num_threads: int = 0):
        """Makes the variables and their Adam; arguments as for `AdaptationLearner`."""
        super().__init__(settings, family, num_threads)
        self._settings = settings
        self._variables = [
            tf.Variable(tf.constant(w)) for w in self._policy.draw(np.random.default_rng(0))
        ]
        self._optimizer = self._make_optimizer()
        self._update = MetaUpdate(settings, self._policy, self._variables, self._optimizer)

    def first_state(self, seed: int) -> Arrays:
        """Returns the initial state of a run with a seed."""
        adam = [variable.numpy() for variable in self._make_optimizer().variables]
        return {
            **numbered("weights", self._policy.draw(np.random.default_rng(seed))),
            **numbered("adam", adam),
            **as_arrays(RunningStatistics.start(1, self._family.observation_size)),
        }

    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """Returns the initial weights of agents in a state, [1, ...] each."""
        return in_order(state, "weights")

    def train_epoch(
        self,
        state: Arrays,
        seeds: Sequence[LifetimeSeed],
        generator: np.random.Generator,
        on_progress: Callable[[float], object],
    ) -> EpochOutcome:
        """Adapts agents to every task, then makes PPO's outer steps; see `MetaLearner`."""
        settings = self._settings
        weights = self.first_weights(state)
        agents = self._begin(
            state, weights, self._family, seeds, settings.batch_steps, self._num_threads
        )
        lives, before = [], []
        for _ in range(settings.num_inner_steps):
            lived, batch = agents.live()
            agents.adapt(batch, settings.step_size)
            lives.append(lived)
            before.append(batch)
            on_progress(_COLLECTING / (settings.num_inner_steps + 1))
        lived, after = agents.live(settings.num_outer_batches)
        lives.append(lived)
        on_progress(_COLLECTING / (settings.num_inner_steps + 1))
        variables = [*self._variables, *self._optimizer.variables]
        for variable, value in zip(variables, [*weights, *in_order(state, "adam")], strict=True):
            variable.assign(value)
        logs = self._update.run(before, after, generator)
        on_progress(1.0 - _COLLECTING)
        statistics = updated_statistics(state, lives)
        found = {
            **numbered("weights", [variable.numpy() for variable in self._variables]),
            **numbered("adam", [variable.numpy() for variable in self._optimizer.variables]),
            **as_arrays(statistics),
        }
        returns = {
            "return_mean": float(returns_since(lived).mean()),
            "return_before_adaptation": float(returns_since(lives[0]).mean()),
        }
        return EpochOutcome(found, sum(life.reward.size for life in lives), {**returns, **logs})

    def _make_optimizer(self) -> tf.keras.optimizers.Optimizer:
        optimizer = tf.keras.optimizers.Adam(self._settings.learning_rate, epsilon=1e-5)
        optimizer.build(self._variables)
        return optimizer
