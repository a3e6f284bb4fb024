"""Training of a comparison's agents, method by method.

The agents are divided among the ranks, and each rank trains its share in batches. Results depend on
neither ranks nor batches.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.methods import BASELINE, METHODS
from epg_tf.inner_loop.episodes import learning_curves
from epg_tf.inner_loop.failed_steps import warn_of_failed_steps
from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.ranks import Ranks
from epg_tf.rivals.learners import make_learner
from epg_tf.rivals.learning import forever, returns_of

# The most agents in one batch; more would cost memory and gain no speed.
_LARGEST_BATCH = 32


class Runs(NamedTuple):
    """The results of a method's agents.

    Attributes:
        curves: The learning curves, [tasks, seeds, K].
        diverged: True if a gradient (of our methods only) or a return was not finite,
            [tasks, seeds].
    """

    curves: np.ndarray
    diverged: np.ndarray


class AgentTraining:
    """Trains this rank's share of the agents, one method after the other."""

    def __init__(self, comparison: Comparison, ranks: Ranks):
        """Builds no workers; `run` builds those that a method needs.

        Args:
            comparison: The settings of the comparison.
            ranks: The processes that share the agents.
        """
        self._comparison = comparison
        self._ranks = ranks
        self._seeds = comparison.seeds
        self._share = ranks.share(len(self._seeds))
        self._threads = ranks.threads(comparison.loss.settings.threads_per_rank)
        self._workers: WorkerGroups | None = None
        self._made_for: tuple[InnerLoop, int] | None = None

    @property
    def num_batches(self) -> int:
        """The number of batches in which this rank trains its agents."""
        return math.ceil(len(self._share) / _LARGEST_BATCH)

    def run(self, method: str, on_update: Callable[[], object]) -> Runs:
        """Trains a method's agents.

        Args:
            method: One of `METHODS`.
            on_update: Called at each of this rank's `num_batches` x K updates.

        Returns:
            The runs of all ranks.
        """
        live = self._live
        if METHODS[method].is_rival or METHODS[method].is_meta_trained:
            live = self._live_in_own_way
        curves, diverged = [], []
        for batch in self._batches():
            batch_curves, batch_diverged = live(method, batch, on_update)
            curves.append(batch_curves)
            diverged.append(batch_diverged)
        ours = slice(len(self._share))  # without the copies in the last batch
        comparison = self._comparison
        shape = (comparison.num_tasks, comparison.num_seeds)
        all_curves = self._ranks.allgather(np.concatenate(curves)[ours])
        all_diverged = self._ranks.allgather(np.concatenate(diverged)[ours])
        return Runs(all_curves.reshape(*shape, -1), all_diverged.reshape(shape))

    def _batches(self) -> Iterator[list[int]]:
        """Yields this rank's agents in batches of one size; copies of the last fill it up."""
        size = math.ceil(len(self._share) / self.num_batches)
        for start in range(0, len(self._share), size):
            batch = list(self._share[start : start + size])
            yield batch + batch[-1:] * (size - len(batch))

    def _live(
        self, method: str, agents: list[int], on_update: Callable[[], object]
    ) -> tuple[np.ndarray, np.ndarray]:
        comparison = self._comparison
        settings, guidance = comparison.inner_loop, comparison.loss.guidance
        if method == BASELINE:
            settings, guidance = comparison.ppo_inner_loop, 1.0
        workers = self._make_workers(settings, len(agents))
        lifetimes = workers.live(
            np.stack([self._phi(method, workers, agent) for agent in agents]),
            [self._seeds[agent] for agent in agents],
            guidance,
            lambda update: on_update(),
        )
        if self._ranks.is_first:
            num_steps = len(agents) * settings.num_updates * settings.steps_per_update
            warn_of_failed_steps(int(lifetimes.failed_steps.sum()), num_steps)
        curves = learning_curves(lifetimes.episodes, *_budget(settings))
        return curves, lifetimes.diverged | ~np.isfinite(curves).all(axis=1)

    def _live_in_own_way(
        self, method: str, agents: list[int], on_update: Callable[[], object]
    ) -> tuple[np.ndarray, np.ndarray]:
        comparison = self._comparison
        family, seeds = comparison.loss.settings.family, [self._seeds[agent] for agent in agents]
        settings = comparison.inner_loop
        if METHODS[method].is_meta_trained:
            rival = comparison.rivals[method]
            learner = make_learner(rival.settings.rival, rival.settings.family)
            how = settings.steps_per_update, self._threads
            rollouts = learner.rollouts(rival.state, family, seeds, *how)
        else:
            # Imported only when needed, since TF-Agents is slow to import.
            rival = importlib.import_module(f"epg_tf.rivals.{method}")
            if METHODS[method].needs_teacher:
                teacher = comparison.loss.teacher
                rollouts = forever(rival.make_driver(teacher, settings, family, seeds))
            else:
                rollouts = rival.rollouts(settings, family, seeds, self._threads)
        lifetime = _budget(settings)
        episodes = returns_of(rollouts, len(seeds), *lifetime, lambda k: on_update())
        curves = learning_curves(episodes, *lifetime)
        return curves, ~np.isfinite(curves).all(axis=1)

    def _phi(self, method: str, workers: WorkerGroups, agent: int) -> np.ndarray:
        if method == "random_loss":
            repetition = agent % self._comparison.num_seeds
            return workers.draw_phi(self._comparison.loss.settings.seed + repetition)
        phi = self._comparison.loss.phi
        return np.zeros_like(phi) if method == "phi_zero" else phi

    def _make_workers(self, settings: InnerLoop, num_workers: int) -> WorkerGroups:
        """Returns workers; methods that differ only in phi and alpha share the same ones."""
        if self._workers is None or self._made_for != (settings, num_workers):
            family = self._comparison.loss.settings.family
            self._workers = WorkerGroups(settings, family, num_workers, self._threads)
            self._made_for = (settings, num_workers)
        return self._workers


def _budget(settings: InnerLoop) -> tuple[int, int]:
    return settings.num_updates, settings.steps_per_update
