"""Noise reuse (Li et al. 2023): outer steps while lifetimes are under way.

n lifetimes form a cohort, which lives W updates per epoch. G = K / W cohorts of different ages live
side by side: in every epoch one of them ends and another begins. A worker keeps its epsilon for
life, while phi moves beneath it. A cohort is known by the epoch in which it ends; those that are to
end in the first G epochs begin with the first one, so that ages are spread from the start.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from epg_tf.inner_loop.groups import SWITCH_INTERVAL
from epg_tf.inner_loop.lifetime import Lifetimes, Update, Workers
from epg_tf.inner_loop.standing import Standing
from epg_tf.outer_loop import sampling
from epg_tf.outer_loop.ranks import Ranks
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.strategy import EvolutionState


class StaggeredLifetimes:
    """This rank's share of every cohort.

    It is rebuilt rather than stored: the state of the search has the phi of the last G - 1 epochs,
    with which a resumed run lives them again. So the number of ranks may change in between.
    """

    def __init__(self, settings: MetaTraining, ranks: Ranks):
        """Makes the workers.

        Args:
            settings: The run's, with a window.
            ranks: The processes that share each cohort.
        """
        self._settings = settings
        self._share = ranks.share(settings.num_workers)
        self._threads = max(1, ranks.threads(settings.threads_per_rank))
        family = settings.training_family or settings.family
        self._workers = [
            Workers(settings.inner_loop, family, len(self._share))
            for _ in range(settings.num_cohorts)
        ]
        if self._threads > 1:
            sys.setswitchinterval(SWITCH_INTERVAL)
        self._standing: dict[int, Standing] = {}  # by the epoch in which the cohort ends
        self._epoch = 0  # the last that was lived here

    def live(
        self,
        state: EvolutionState,
        on_update: Callable[[Update], object] | None = None,
    ) -> list[Lifetimes]:
        """Lives the next epoch, and before it those that a resumed run has to live again.

        Args:
            state: Where the search stands.
            on_update: Called after each of the epoch's W updates, by the cohort that ends.

        Returns:
            What the cohorts have come to so far, this rank's share of each. The first one is over.
        """
        epoch = state.epoch + 1
        if self._epoch != state.epoch:
            self._standing.clear()
            for earlier, phi in enumerate(state.earlier_phi, epoch - len(state.earlier_phi)):
                self._live(phi, earlier, epoch)
        return self._live(state.phi, epoch, epoch, on_update)

    def _live(
        self,
        phi: np.ndarray,
        epoch: int,
        first: int,
        on_update: Callable[[Update], object] | None = None,
    ) -> list[Lifetimes]:
        """Lives an epoch with all cohorts that end in the epoch `first` or later."""
        cohorts = range(max(epoch, first), epoch + self._settings.num_cohorts)
        observers = [
            [on_update] if on_update is not None and cohort == epoch else [] for cohort in cohorts
        ]
        with ThreadPoolExecutor(self._threads) as threads:
            live = functools.partial(self._live_cohort, phi, epoch)
            lifetimes = list(threads.map(live, cohorts, observers))
        self._standing.pop(epoch, None)
        self._epoch = epoch
        return lifetimes

    def _live_cohort(
        self,
        phi: np.ndarray,
        epoch: int,
        cohort: int,
        observers: Sequence[Callable[[Update], object]],
    ) -> Lifetimes:
        settings, strategy = self._settings, self._settings.strategy
        workers = self._workers[cohort % settings.num_cohorts]
        candidates = strategy.candidates(phi, settings.seed, cohort, self._share)
        at = self._standing.get(cohort)
        if at is None:
            at = self._standing[cohort] = workers.begin(
                candidates,
                [
                    sampling.training_seed(settings.seed, cohort, worker, strategy.sampling)
                    for worker in self._share
                ],
            )
        else:
            workers.learner.assign(candidates)
        assert settings.window is not None
        workers.go_on(at, at.k + settings.window, settings.guidance(epoch), observers)
        return workers.result(at)
