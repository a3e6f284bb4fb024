"""MAML: agents adapt to an epoch's tasks, and PPO trains their initial weights for that."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from epg_tf.agent.arrays import Arrays, in_order
from epg_tf.rivals.adaptation.inner_step import Batch
from epg_tf.rivals.adaptation.learner import AdaptationLearner, OuterStep
from epg_tf.rivals.maml.meta_update import meta_loss
from epg_tf.rivals.maml.settings import MAML
from epg_tf.rivals.ppo import GradientSteps
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily


class MAMLLearner(AdaptationLearner):
    """Trains the initial weights of MAML on a family's tasks."""

    def __init__(self, settings: MAML, family: TaskFamily, num_threads: int = 0):
        """Makes the variables; arguments as for `AdaptationLearner`."""
        super().__init__(settings, family, num_threads)
        drawn = self._policy.draw(np.random.default_rng(0))
        variables = [tf.Variable(tf.constant(weight)) for weight in drawn]
        loss = functools.partial(meta_loss, settings, self._policy, variables)
        self._steps = GradientSteps(settings, variables, loss)

    def first_arrays(self, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the weights, and Adam's moments at the start."""
        return self._steps.first_state(weights)

    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """Returns the initial weights of agents in a state, [1, ...] each."""
        return in_order(state, "weights")

    def outer_step(
        self, state: Arrays, seeds: Sequence[LifetimeSeed], generator: np.random.Generator
    ) -> OuterStep:
        """Starts an agent per task from the weights, which PPO then trains."""

        def take(
            before: Sequence[Batch], after: Batch, returns: np.ndarray
        ) -> tuple[dict[str, np.ndarray], Mapping[str, float]]:
            del returns
            return self._steps.run(state, (list(before), after), generator)

        return OuterStep(self.first_weights(state), seeds, take)
