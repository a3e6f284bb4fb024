"""Algorithm 1, lines 4-13: one batch of lifetimes.

A batch has W workers, each with a perturbed loss, a fresh agent and a task. Results of a worker
depend on its loss and seeds alone, not on the other workers nor on W.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from epg_tf.agent.acting import ActingPolicy
from epg_tf.agent.agents import AgentState
from epg_tf.agent.experience import Experience
from epg_tf.inner_loop.backends import Backends
from epg_tf.inner_loop.batch import Statistics, UpdateBatch
from epg_tf.inner_loop.collection import make_driver
from epg_tf.inner_loop.episodes import EpisodeReturns, last_episodes
from epg_tf.inner_loop.learning import Learning
from epg_tf.inner_loop.lifetime_state import LifetimeState, Snapshotter
from epg_tf.inner_loop.networks import build_agents, build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.compiled_simulator import Rollout
from epg_tf.tasks.family import TaskFamily


class Update(NamedTuple):
    """The data of update k before its gradient steps: the agents are still those that acted.

    Attributes:
        k: From 1 to K.
        agents: The agents; gradient steps will change these arrays.
        experience: The M newest steps.
        rollout: The same steps with their physics.
        batch: The batch of the update.
        statistics: The statistics that normalised the observations of acting.
        episodes: The returns so far.
        parameters: The parameters of the workers' tasks by name, [W, ...] each; see `Task`.
    """

    k: int
    agents: AgentState
    experience: Experience
    rollout: Rollout
    batch: UpdateBatch
    statistics: Statistics
    episodes: EpisodeReturns
    parameters: Mapping[str, np.ndarray]


class Lifetimes(NamedTuple):
    """The outcome of W lifetimes.

    Attributes:
        returns: R_i, the fitness that the outer loop maximises, [W]; NaN if a reward was NaN.
        final_returns: The mean return of the last three episodes, [W].
        diverged: True for workers with a gradient or return that was not finite, [W].
        failed_steps: The steps that the simulator could not take, which end episodes, [W].
        episodes: The returns of all episodes.
        agents: The final agents.
        statistics: The statistics that belong to the final policies.
        physics_seconds: Time spent in the simulator.
        update_seconds: Time spent in inner updates.
    """

    returns: np.ndarray
    final_returns: np.ndarray
    diverged: np.ndarray
    failed_steps: np.ndarray
    episodes: EpisodeReturns
    agents: AgentState
    statistics: Statistics
    physics_seconds: float
    update_seconds: float


class Workers:
    """W workers that can run any number of lifetimes in turn.

    Attributes:
        num_workers: W.
        agents: The networks of one agent, which draw theta and give its weights their shapes.
        loss: The network of one loss, which draws phi.
        backends: The choice of what takes gradient steps.
    """

    def __init__(self, settings: InnerLoop, family: TaskFamily, num_workers: int):
        self._settings = settings
        self._family = family
        self.num_workers = num_workers
        self.agents = build_agents(settings, family)
        self.loss = build_loss(settings, family)
        self.backends = Backends(settings, family, num_workers)

    def draw_phi(self, seed: int) -> np.ndarray:
        """Returns a fresh loss, [P] float32."""
        return self.loss.draw(np.random.default_rng(seed))

    def live(
        self,
        phi: np.ndarray,
        seeds: Sequence[LifetimeSeed],
        guidance: float,
        on_update: Callable[[Update], object] | None = None,
        num_updates: int | None = None,
        snapshotter: Snapshotter | None = None,
    ) -> Lifetimes:
        """Runs one lifetime per worker.

        Args:
            phi: The losses' parameters, [W, P].
            seeds: One per worker.
            guidance: alpha in Eq. 6.
            on_update: Called before each update.
            num_updates: K; None for that of the settings.
            snapshotter: Saves the lifetimes in progress, and resumes interrupted ones.

        Returns:
            The outcome of the lifetimes.
        """
        settings, num_actions = self._settings, self._family.num_actions
        at = self._begin(seeds)
        learning = at.learning
        if snapshotter is not None and (kept := snapshotter.load()):
            at.restore(kept)
        until = settings.num_updates if num_updates is None else num_updates
        driver, parameters = at.driver, at.driver.env.simulator.parameters
        backend = None
        while at.k < until:  # line 6
            driver.policy.load(
                self.agents.policy_weights(learning.agents), learning.statistics["observation"]
            )
            experience = driver.run()  # lines 8-11
            at.episodes.add(experience)
            start = time.perf_counter()
            at.k += 1
            batch, refreshed = learning.take_in(settings, experience, num_actions, guidance > 0.0)
            if on_update is not None:
                steps = experience, driver.rollout, batch
                acted = learning.statistics
                on_update(Update(at.k, learning.agents, *steps, acted, at.episodes, parameters))
            # Not before the first steps: native code may still be compiling while they are taken.
            backend = backend or self.backends.load(phi, guidance)
            _, diverged = backend.descend(learning.agents, batch, guidance)  # line 12
            learning.statistics = refreshed
            at.diverged |= diverged
            at.update_seconds += time.perf_counter() - start
            if snapshotter is not None:
                snapshotter.maybe_save(at.as_arrays)
        returns = settings.returns_of(at.episodes)  # line 13
        return Lifetimes(
            returns=returns,
            final_returns=np.array([last_episodes(r) for r in at.episodes.of_lifetimes()]),
            diverged=at.diverged | ~np.isfinite(returns),
            failed_steps=driver.env.simulator.warnings.copy(),
            episodes=at.episodes,
            agents=learning.agents,
            statistics=learning.statistics,
            physics_seconds=driver.physics_seconds,
            update_seconds=at.update_seconds,
        )

    def _begin(self, seeds: Sequence[LifetimeSeed]) -> LifetimeState:
        """Returns the state of new lifetimes before their first step."""
        settings = self._settings
        act = functools.partial(ActingPolicy, mean_activation=settings.mean_activation)
        driver = make_driver(self._family, seeds, act, settings.steps_per_update)  # lines 5, 7
        return LifetimeState(
            Learning.begin(settings, self._family, self.agents, seeds),
            driver,
            EpisodeReturns(self.num_workers),
            diverged=np.zeros(self.num_workers, bool),
        )
