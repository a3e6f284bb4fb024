"""A rank's workers in groups that live side by side, each on a thread of its own.

A rank that has several cores to itself splits its workers so that one group's physics and compiled
updates, which need no Python, run beside those of another. Sharing single steps out among threads
instead would make them wait for one another 128 times an update.
"""

from __future__ import annotations

import collections
import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.inner_loop.lifetime import Lifetimes, Update, Workers
from epg_tf.inner_loop.seeds import LifetimeSeed
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.inner_loop.standing import Keeper
from epg_tf.tasks.family import TaskFamily

# With fewer workers than this there is more Python around a group's steps than physics in them.
_SMALLEST_GROUP = 8
# Seconds that a group whose native call is over waits for one that is in Python; by default 0.005.
_SWITCH_INTERVAL = 2e-4


class WorkerGroups:
    """W workers on several threads; what comes out is what `Workers` alone would give.

    Attributes:
        num_workers: W.
        groups: The groups; their sizes differ by one at most.
    """

    def __init__(
        self, settings: InnerLoop, family: TaskFamily, num_workers: int, num_threads: int = 0
    ):
        """Makes W workers.

        Args:
            settings: What a lifetime is like.
            family: Where tasks come from.
            num_workers: W.
            num_threads: The most threads to use; 0 for none but the caller's.
        """
        num_groups = max(1, min(num_threads, num_workers // _SMALLEST_GROUP))
        if num_groups > 1:
            sys.setswitchinterval(_SWITCH_INTERVAL)
        each, more = divmod(num_workers, num_groups)
        self.num_workers = num_workers
        self.groups = [Workers(settings, family, each + (g < more)) for g in range(num_groups)]

    def draw_phi(self, seed: int) -> np.ndarray:
        """A fresh loss, [P] float32."""
        return self.groups[0].draw_phi(seed)

    def live(
        self,
        phi: np.ndarray,
        seeds: Sequence[LifetimeSeed],
        guidance: float,
        on_update: Callable[[Update], object] | None = None,
        num_updates: int | None = None,
        lesson_takers: Sequence[Callable[[Update], object]] | None = None,
        keepers: Callable[[int, int], Keeper] | None = None,
    ) -> Lifetimes:
        """Lives one lifetime per worker; see `Workers.live`.

        Args:
            phi: The losses' parameters, [W, P].
            seeds: One per worker.
            guidance: alpha in Eq. 6.
            on_update: Called K times, whenever the last group comes to an update.
            num_updates: K, where it is not the settings'.
            lesson_takers: One per group, called on its thread; see `Workers.live`.
            keepers: Gives the keeper of the workers from the first up to the second number.

        Returns:
            What the lifetimes came to, worker after worker.
        """
        ends = list(itertools.accumulate(group.num_workers for group in self.groups))
        spans = list(itertools.pairwise([0, *ends]))
        observers = _observers(len(self.groups), on_update, lesson_takers)
        kept = [keepers and keepers(*span) for span in spans]

        def live_in(group: int) -> Lifetimes:
            these = slice(*spans[group])
            how = guidance, observers[group], num_updates, kept[group]
            return self.groups[group].live(phi[these], seeds[these], *how)

        if len(self.groups) == 1:
            return live_in(0)
        with ThreadPoolExecutor(len(self.groups)) as threads:
            return _side_by_side(list(threads.map(live_in, range(len(self.groups)))))


def _observers(
    num_groups: int,
    on_update: Callable[[Update], object] | None,
    lesson_takers: Sequence[Callable[[Update], object]] | None,
) -> list[Callable[[Update], object]]:
    """Returns an observer per group: its lesson taker, then `on_update` if it is the last."""
    lock, arrived = threading.Lock(), collections.Counter()

    def observer(group: int) -> Callable[[Update], object]:
        def observe(update: Update) -> None:
            if lesson_takers is not None:
                lesson_takers[group](update)
            if on_update is not None:
                with lock:
                    arrived[update.k] += 1
                    if arrived[update.k] == num_groups:
                        on_update(update)

        return observe

    return [observer(group) for group in range(num_groups)]


def _side_by_side(parts: Sequence[Lifetimes]) -> Lifetimes:
    return Lifetimes(
        returns=np.concatenate([part.returns for part in parts]),
        final_returns=np.concatenate([part.final_returns for part in parts]),
        diverged=np.concatenate([part.diverged for part in parts]),
        episodes=EpisodeReturns.side_by_side([part.episodes for part in parts]),
        statistics={
            name: running.side_by_side([part.statistics[name] for part in parts])
            for name, running in parts[0].statistics.items()
        },
        # As among ranks: what a core was busy with, on average.
        physics_seconds=float(np.mean([part.physics_seconds for part in parts])),
        update_seconds=float(np.mean([part.update_seconds for part in parts])),
    )
