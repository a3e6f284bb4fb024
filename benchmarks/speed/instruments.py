"""The parts of a lifetime's time: stopwatches around collecting and updates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from epg_tf.agent.driver import CompiledDriver, LifetimeDriver
from epg_tf.inner_loop.learner import Learner
from epg_tf.inner_loop.native.learner import NativeLearner

CATEGORIES = ("collecting", "bookkeeping", "update")

# "collecting" covers random numbers, acting, physics, observing and resets. "update" covers
# gradient steps. "bookkeeping" is the rest: the buffer, the normaliser, the update's batch, the
# episodes.
_TIMED = {
    "collecting": ((LifetimeDriver, ("run",)), (CompiledDriver, ("run",))),
    "update": ((Learner, ("descend",)), (NativeLearner, ("descend",))),
}


class Stopwatches:
    """Seconds by category, and the time at which the first of them began."""

    def __init__(self):
        # Lists, because appending is safe from several threads and adding is not.
        self.seconds: dict[str, list[float]] = {category: [] for category in _TIMED}
        self.began: float | None = None

    def timed(self, category: str, function):
        """Returns the function with its time added to a category."""

        def wrapper(*args, **kwargs):
            start = time.perf_counter()
            if self.began is None:
                self.began = start
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[category].append(time.perf_counter() - start)

        return wrapper

    def breakdown(self, num_updates: int, num_threads: int = 1) -> dict[str, float]:
        """Returns the ms per update and thread, by category, of a lifetime that has just ended."""
        assert self.began is not None
        total = time.perf_counter() - self.began
        seconds = {name: sum(parts) / num_threads for name, parts in self.seconds.items()}
        seconds["bookkeeping"] = total - sum(seconds.values())
        return {name: 1e3 * seconds[name] / num_updates for name in CATEGORIES}


@contextmanager
def stopwatches() -> Iterator[Stopwatches]:
    """Times collecting and updates inside a `with` statement."""
    watches = Stopwatches()
    with ExitStack() as stack:
        for category, owners in _TIMED.items():
            for owner, names in owners:
                for name in names:
                    timed = watches.timed(category, getattr(owner, name))
                    stack.enter_context(mock.patch.object(owner, name, timed))
        yield watches


def with_percent(milliseconds: dict[str, float]) -> dict[str, dict[str, float]]:
    """Adds percentages of their sum to milliseconds per update."""
    total = sum(milliseconds.values())
    return {
        name: {"ms_per_update": value, "percent": 100.0 * value / total}
        for name, value in milliseconds.items()
    }
