"""Evolution as one of two searches for phi; the other is `taught_epochs.Teaching`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import numpy as np

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Lifetimes, Update
from epg_tf.inner_loop.lifetime_state import Snapshotter
from epg_tf.outer_loop.checkpoint import Checkpoint
from epg_tf.outer_loop.partial_epochs import PartialEpochs
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.ranks import Ranks
from epg_tf.seeds import training_seed


class Step(NamedTuple):
    """The step of phi that ends an epoch, the same on every rank.

    Attributes:
        state: The state of evolution after it.
        teaching: The state of teaching after it, arrays by name.
        logs: Numbers by name.
    """

    state: EvolutionState
    teaching: Mapping[str, np.ndarray]
    logs: dict[str, float]


class Search(Protocol):
    """Improves phi epoch by epoch. Both methods get the checkpoint before the epoch."""

    def live(self, before: Checkpoint, on_update: Callable[[Update], object]) -> Lifetimes:
        """Runs the lifetimes of this rank's workers.

        Args:
            before: The checkpoint before the epoch.
            on_update: Called K times, whenever the last group of workers comes to an update.
        """
        ...

    def learn(
        self, before: Checkpoint, returns: np.ndarray, on_steps: Callable[[int], object]
    ) -> Step:
        """Takes the step of phi.

        Args:
            before: The checkpoint before the epoch.
            returns: R_i of all n workers, [n].
            on_steps: Called with the number of further environment steps, if the search takes any.
        """
        ...


class Evolution:
    """Algorithm 1, lines 3-5 and 14."""

    def __init__(
        self,
        settings: MetaTraining,
        ranks: Ranks,
        workers: WorkerGroups,
        partial_epochs: PartialEpochs | None = None,
    ):
        """Stores what the search needs.

        Args:
            settings: The settings of the run.
            ranks: The processes that share the n workers.
            workers: This rank's workers, which live on tasks of `settings.family`.
            partial_epochs: The folder of interrupted epochs; None to keep none.
        """
        self._settings = settings
        self._share = ranks.share(settings.num_workers)
        self._workers, self._partial_epochs = workers, partial_epochs

    def live(self, before: Checkpoint, on_update: Callable[[Update], object]) -> Lifetimes:
        """Runs each worker's lifetime with its own perturbation of phi."""
        settings, epoch = self._settings, before.state.epoch + 1
        phi = settings.strategy.ask(before.state, settings.seed, self._share)  # lines 3-4
        seeds = [
            training_seed(settings.seed, epoch, worker, settings.strategy.sampling)
            for worker in self._share
        ]
        return self._workers.live(  # lines 5-12
            phi,
            seeds,
            settings.guidance(epoch),
            on_update,
            settings.num_updates_in(epoch),
            snapshotters=self._partial_epochs
            and self._snapshotter_of(self._partial_epochs, before.state),
        )

    def learn(
        self, before: Checkpoint, returns: np.ndarray, on_steps: Callable[[int], object]
    ) -> Step:
        """Takes a step of the evolution strategy."""
        del on_steps
        settings = self._settings
        state, logs = settings.strategy.tell(before.state, settings.seed, returns)  # line 14
        return Step(state, before.teaching, logs)

    def _snapshotter_of(
        self, partial_epochs: PartialEpochs, state: EvolutionState
    ) -> Callable[[int, int], Snapshotter]:
        """Returns a function from a span of this rank's share to its snapshotter."""
        epoch, share = state.epoch + 1, self._share
        return lambda start, end: partial_epochs.of(epoch, share[start], share[end - 1], state.phi)
