"""ES-MAML: candidate initial weights adapt to tasks, and their returns are the fitness."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from epg_tf.agent.normaliser import RunningStatistics
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.rivals.adaptation.agents import returns_since
from epg_tf.rivals.adaptation.learner import (
    AdaptationLearner,
    as_arrays,
    updated_statistics,
)
from epg_tf.rivals.es_maml.settings import ESMAML
from epg_tf.rivals.meta_training.rival import Arrays, EpochOutcome
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

_FIELDS = tuple(field.name for field in dataclasses.fields(EvolutionState))


class ESMAMLLearner(AdaptationLearner):
    """Searches for the initial weights on a family's tasks."""

    def __init__(self, settings: ESMAML, family: TaskFamily, num_threads: int = 0):
        """Stores the layout of the weights in phi; arguments as for `AdaptationLearner`."""
        super().__init__(settings, family, num_threads)
        self._settings = settings
        drawn = self._policy.draw(np.random.default_rng(0))
        self._shapes = [weight.shape[1:] for weight in drawn]
        self._ends = np.cumsum([weight.size for weight in drawn])[:-1]

    def first_state(self, seed: int) -> Arrays:
        """Returns the initial state of a run with a seed."""
        drawn = self._policy.draw(np.random.default_rng(seed))
        phi = np.concatenate([weight.ravel() for weight in drawn])
        return {
            **_search_as_arrays(self._settings.strategy.init(phi)),
            **as_arrays(RunningStatistics.start(1, self._family.observation_size)),
        }

    def first_weights(self, state: Arrays) -> list[np.ndarray]:
        """Returns the initial weights of agents in a state, [1, ...] each."""
        return self._as_weights(state["search_phi"][np.newaxis].astype(np.float32))

    def train_epoch(
        self,
        state: Arrays,
        seeds: Sequence[LifetimeSeed],
        generator: np.random.Generator,
        on_progress: Callable[[float], object],
    ) -> EpochOutcome:
        """Adapts two candidates to every task, then makes a step of the ES; see `MetaLearner`.

        Both share the task, its resets and the action noise.
        """
        settings, search = self._settings, _search_of(state)
        noise_seed = int(generator.integers(2**31))
        workers = range(2 * len(seeds))
        candidates = settings.strategy.ask(search, noise_seed, workers)
        agents = self._begin(
            state,
            self._as_weights(candidates),
            self._family,
            [seeds[worker // 2] for worker in workers],
            settings.batch_steps,
            self._num_threads,
        )
        num_parts = settings.num_inner_steps + 1
        lives = []
        for _ in range(settings.num_inner_steps):
            lived, batch = agents.live()
            agents.adapt(batch, settings.step_size)
            lives.append(lived)
            on_progress(1.0 / num_parts)
        lived, _ = agents.live(settings.num_outer_batches)
        lives.append(lived)
        fitness = returns_since(lived)
        search, logs = settings.strategy.tell(search, noise_seed, fitness)
        on_progress(1.0 / num_parts)
        statistics = updated_statistics(state, lives)
        returns = {
            "return_mean": float(fitness.mean()),
            "return_before_adaptation": float(returns_since(lives[0]).mean()),
        }
        found = {**_search_as_arrays(search), **as_arrays(statistics)}
        return EpochOutcome(found, sum(life.reward.size for life in lives), {**returns, **logs})

    def _as_weights(self, flat: np.ndarray) -> list[np.ndarray]:
        """Turns [W, P] into the policy's weights, [W, ...] each."""
        parts = np.split(flat, self._ends, axis=1)
        return [
            np.ascontiguousarray(part).reshape(len(flat), *shape)
            for part, shape in zip(parts, self._shapes, strict=True)
        ]


def _search_as_arrays(search: EvolutionState) -> dict[str, np.ndarray]:
    return {f"search_{name}": np.asarray(getattr(search, name)) for name in _FIELDS}


def _search_of(state: Arrays) -> EvolutionState:
    return EvolutionState(
        int(state["search_epoch"]),
        state["search_phi"],
        state["search_first_moment"],
        state["search_second_moment"],
        int(state["search_start_epoch"]),
    )
