"""Algorithm 1, lines 4-13: one batch of lifetimes.

W workers live side by side: each a perturbed loss, a fresh agent and a task. What comes out for a
worker depends on its own loss and seeds alone, not on its neighbours nor on W.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.batch import (
    Statistics,
    UpdateBatch,
    make_update_batch,
    refreshed_statistics,
    start_statistics,
)
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns, last_episodes
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.native.learner import NativeLearner
from epg_tf.inner_loop.seeds import LifetimeSeed, Stream
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.inner_loop.standing import Keeper, Standing
from epg_tf.tasks.compiled_simulator import Passage
from epg_tf.tasks.family import TaskFamily


class Update(NamedTuple):
    """What is known before update k: the agents are still those that lived through the steps.

    Attributes:
        k: From 1 to K.
        experience: The M newest steps.
        passage: The same with the physics of each.
        batch: What is about to be learned from.
        statistics: What acting normalised by.
        episodes: The returns so far.
        parameters: What was drawn for the workers' tasks, by name, [W, ...] each; see `Task`.
    """

    k: int
    experience: Experience
    passage: Passage
    batch: UpdateBatch
    statistics: Statistics
    episodes: EpisodeReturns
    parameters: Mapping[str, np.ndarray]


class Lifetimes(NamedTuple):
    """What W lifetimes came to.

    Attributes:
        returns: R_i, what the outer loop maximises, [W]; NaN where a worker's rewards were.
        final_returns: The mean return of the last three episodes, [W].
        diverged: Whether a gradient or the return was not finite, [W].
        episodes: The returns of all episodes.
        statistics: What acting with the final policies is to normalise by.
        physics_seconds: Time spent in the simulator.
        update_seconds: Time spent in inner updates.
    """

    returns: np.ndarray
    final_returns: np.ndarray
    diverged: np.ndarray
    episodes: EpisodeReturns
    statistics: Statistics
    physics_seconds: float
    update_seconds: float


class Workers:
    """W workers, which can live any number of lifetimes one after the other.

    Attributes:
        num_workers: W.
        learner: Their agents, losses and optimisers, compiled once.
    """

    def __init__(self, settings: InnerLoop, family: TaskFamily, num_workers: int):
        self._settings = settings
        self._family = family
        self.num_workers = num_workers
        native = settings.backend == "numba" and family.num_actions is None
        self.learner = (NativeLearner if native else Learner)(settings, family, num_workers)

    def draw_phi(self, seed: int) -> np.ndarray:
        """A fresh loss, [P] float32."""
        return self.learner.loss.draw(np.random.default_rng(seed))

    def live(
        self,
        phi: np.ndarray,
        seeds: Sequence[LifetimeSeed],
        guidance: float,
        on_update: Callable[[Update], object] | None = None,
        num_updates: int | None = None,
        keeper: Keeper | None = None,
    ) -> Lifetimes:
        """Lives one lifetime per worker.

        Args:
            phi: The losses' parameters, [W, P].
            seeds: One per worker.
            guidance: alpha in Eq. 6.
            on_update: Called before each update; `learner` then holds the agents as they acted.
            num_updates: K, where it is not the settings'.
            keeper: Knows where these lifetimes stood when they were cut off, and is told of where
                they stand.

        Returns:
            What the lifetimes came to.
        """
        settings, num_actions = self._settings, self._family.num_actions
        at = self._begin(phi, seeds)
        if keeper is not None and (kept := keeper.kept()):
            at.restore(kept)
        until = settings.num_updates if num_updates is None else num_updates
        driver, parameters = at.driver, at.driver.env.simulator.parameters
        while at.k < until:  # line 6
            driver.policy.load(self.learner.policy_weights(), at.statistics["observation"])
            experience = driver.run()  # lines 8-11
            at.episodes.add(experience)
            start = time.perf_counter()
            at.k += 1
            at.buffer = at.buffer.followed_by(experience, settings.buffer_size)
            acted = at.statistics
            refreshed = refreshed_statistics(settings, acted, experience, num_actions)
            early = settings.refresh_statistics == "before_update"
            batch = make_update_batch(
                settings,
                at.buffer,
                refreshed if early else acted,
                at.minibatches,
                num_actions,
                guidance > 0.0,
            )
            if on_update is not None:
                on_update(
                    Update(at.k, experience, driver.passage, batch, acted, at.episodes, parameters)
                )
            logs = self.learner.update(batch, guidance)  # line 12
            at.statistics = refreshed
            at.diverged |= logs["diverged"]
            at.update_seconds += time.perf_counter() - start
            if keeper is not None:
                keeper.offer(at.as_arrays)
        returns = settings.returns_of(at.episodes)  # line 13
        return Lifetimes(
            returns=returns,
            final_returns=np.array([last_episodes(r) for r in at.episodes.of_lifetimes()]),
            diverged=at.diverged | ~np.isfinite(returns),
            episodes=at.episodes,
            statistics=at.statistics,
            physics_seconds=driver.physics_seconds,
            update_seconds=at.update_seconds,
        )

    def _begin(self, phi: np.ndarray, seeds: Sequence[LifetimeSeed]) -> Standing:
        """Where new lifetimes stand before their first step."""
        settings = self._settings
        self.learner.reset(phi, _generators(seeds, Stream.AGENT))
        act = functools.partial(ActingPolicy, mean_activation=settings.mean_activation)
        driver = make_driver(self._family, seeds, act, settings.steps_per_update)  # lines 5, 7
        return Standing(
            self.learner,
            driver,
            minibatches=_generators(seeds, Stream.MINIBATCHES),
            statistics=start_statistics(settings, self._family, self.num_workers),
            buffer=Experience.empty(),
            episodes=EpisodeReturns(self.num_workers),
            diverged=np.zeros(self.num_workers, bool),
        )


def _generators(seeds: Sequence[LifetimeSeed], stream: Stream) -> list[np.random.Generator]:
    return [seed.generator(stream) for seed in seeds]
