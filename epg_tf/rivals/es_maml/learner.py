"""ES-MAML: candidate initial weights adapt to tasks, and their returns are the fitness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from epg_tf.agent.arrays import Arrays, named, record
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.rivals.adaptation.inner_step import Batch
from epg_tf.rivals.adaptation.learner import AdaptationLearner, OuterStep
from epg_tf.rivals.es_maml.settings import ESMAML
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily


class ESMAMLLearner(AdaptationLearner):
    """Searches for the initial weights on a family's tasks."""

    def __init__(self, settings: ESMAML, family: TaskFamily, num_threads: int = 0):
        """Stores the layout of the weights in phi; arguments as for `AdaptationLearner`."""
        super().__init__(settings, family, num_threads)
        self._strategy = settings.strategy
        drawn = self._policy.draw(np.random.default_rng(0))
        self._shapes = [weight.shape[1:] for weight in drawn]
        self._ends = np.cumsum([weight.size for weight in drawn])[:-1]

    def first_arrays(self, weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the search at the start."""
        phi = np.concatenate([weight.ravel() for weight in weights])
        return named(search=self._strategy.init(phi))

    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """Returns the initial weights of agents in a state, [1, ...] each."""
        return self._as_weights(state["search_phi"][np.newaxis].astype(np.float32))

    def outer_step(
        self, state: Arrays, seeds: Sequence[LifetimeSeed], generator: np.random.Generator
    ) -> OuterStep:
        """Draws two candidates per task, which share the task, its resets and the action noise."""
        search = record(EvolutionState, state, "search_")
        noise_seed, workers = int(generator.integers(2**31)), range(2 * len(seeds))

        def take(
            before: Sequence[Batch], after: Batch, fitness: np.ndarray
        ) -> tuple[dict[str, np.ndarray], Mapping[str, float]]:
            del before, after
            found, logs = self._strategy.tell(search, noise_seed, fitness)
            return named(search=found), logs

        candidates = self._as_weights(self._strategy.ask(search, noise_seed, workers))
        return OuterStep(candidates, [seeds[worker // 2] for worker in workers], take)

    def _as_weights(self, flat: np.ndarray) -> list[np.ndarray]:
        """Turns [W, P] into the policy's weights, [W, ...] each."""
        parts = np.split(flat, self._ends, axis=1)
        return [
            np.ascontiguousarray(part).reshape(len(flat), *shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]
