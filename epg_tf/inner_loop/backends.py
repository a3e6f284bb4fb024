"""The interface of gradient steps (Algorithm 1, line 12), and the choice between its backends."""

from __future__ import annotations

import functools
from typing import Protocol

import numpy as np

from epg_tf.agent.agents import AgentState
from epg_tf.inner_loop.batch import UpdateBatch
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.native.learner import NativeLearner
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.native.trial import descends_here
from epg_tf.tasks.family import Spaces


class Backend(Protocol):
    """Takes gradient steps: the reference `Learner`, or machine code, `NativeLearner`."""

    def load(self, phi: np.ndarray) -> None:
        """Takes the losses of W workers, [W, P], for the lifetimes that begin."""
        ...

    def descend(
        self, state: AgentState, batch: UpdateBatch, guidance: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Takes one update's gradient steps.

        Args:
            state: The agents, changed in place.
            batch: The batch of the update.
            guidance: alpha in Eq. 6; at 0 no reward is read, at 1 no phi.

        Returns:
            The mean of L_phi over the gradient steps, and which workers diverged, [W] each. A
            diverged worker had a gradient that was not finite, and skipped that step.
        """
        ...


class Backends:
    """The backends of W agents, each made when first used."""

    def __init__(self, settings: InnerLoop, spaces: Spaces, num_workers: int):
        self._settings, self._spaces, self._num_workers = settings, spaces, num_workers

    @functools.cached_property
    def reference(self) -> Learner:
        """The learner in TensorFlow."""
        return Learner(self._settings, self._spaces, self._num_workers)

    @functools.cached_property
    def _native(self) -> NativeLearner:
        return NativeLearner(self._settings, self._spaces)

    def load(self, phi: np.ndarray, guidance: float) -> Backend:
        """Returns a backend with the losses phi [W, P]: the native one where it can serve."""
        is_served = self._spaces.num_actions is None and guidance == 0.0
        is_native = self._settings.backend == "numba" and is_served and descends_here()
        backend = self._native if is_native else self.reference
        backend.load(phi)
        return backend
