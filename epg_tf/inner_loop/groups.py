"""Groups of a rank's workers, each on its own thread.

Physics and compiled updates hold no Python lock, so groups run in parallel on a rank's cores.
Threads within a single step would instead synchronise 128 times per update.
"""

from __future__ import annotations

import collections
import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from epg_tf.agent.agents import AgentState
from epg_tf.inner_loop.episodes import EpisodeReturns
from epg_tf.inner_loop.lifetime import Lifetimes, Update, Workers
from epg_tf.inner_loop.lifetime_state import Snapshotter
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.family import TaskFamily

# In smaller groups the Python around a step takes longer than its physics.
_SMALLEST_GROUP = 8
# Seconds that a group waits for the Python lock after its native call; 0.005 by default.
_SWITCH_INTERVAL = 2e-4


class WorkerGroups:
    """W workers on several threads, with the results of one `Workers`.

    Attributes:
        num_workers: W.
        groups: The groups; their sizes differ by one at most.
    """

    def __init__(
        self, settings: InnerLoop, family: TaskFamily, num_workers: int, num_threads: int = 0
    ):
        """Makes W workers.

        Args:
            settings: The settings of a lifetime.
            family: The distribution of tasks.
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
        """Returns a fresh loss, [P] float32."""
        return self.groups[0].draw_phi(seed)

    def live(
        self,
        phi: np.ndarray,
        seeds: Sequence[LifetimeSeed],
        guidance: float,
        on_update: Callable[[Update], object] | None = None,
        num_updates: int | None = None,
        recorders: Sequence[Callable[[Update], object]] | None = None,
        snapshotters: Callable[[int, int], Snapshotter] | None = None,
    ) -> Lifetimes:
        """Runs one lifetime per worker; see `Workers.live`.

        Args:
            phi: The losses' parameters, [W, P].
            seeds: One per worker.
            guidance: alpha in Eq. 6.
            on_update: Called K times, whenever the last group comes to an update.
            num_updates: K; None for that of the settings.
            recorders: One observer per group, called on its thread before each update.
            snapshotters: Returns the snapshotter of a span of workers (start, end).

        Returns:
            The outcome, in the order of the workers.
        """
        ends = list(itertools.accumulate(group.num_workers for group in self.groups))
        spans = list(itertools.pairwise([0, *ends]))
        observers = _observers(len(self.groups), on_update, recorders)
        kept = [snapshotters and snapshotters(*span) for span in spans]

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
    recorders: Sequence[Callable[[Update], object]] | None,
) -> list[Callable[[Update], object]]:
    """Returns an observer per group; the last group to arrive calls `on_update`."""
    lock, arrived = threading.Lock(), collections.Counter()

    def observer(group: int) -> Callable[[Update], object]:
        def observe(update: Update) -> None:
            if recorders is not None:
                recorders[group](update)
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
        failed_steps=np.concatenate([part.failed_steps for part in parts]),
        episodes=EpisodeReturns.side_by_side([part.episodes for part in parts]),
        agents=AgentState.side_by_side([part.agents for part in parts]),
        statistics={
            name: running.side_by_side([part.statistics[name] for part in parts])
            for name, running in parts[0].statistics.items()
        },
        # The mean over groups, as over ranks: the seconds per core.
        physics_seconds=float(np.mean([part.physics_seconds for part in parts])),
        update_seconds=float(np.mean([part.update_seconds for part in parts])),
    )
