"""Start-up: from the start of the process to the first environment step and the first update.

The process does what `epg_tf.train` does, in a folder of its own, and looks at the clock as it goes
by. The first update is slower than the next by what it takes to compile it.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from typing import TYPE_CHECKING, Any
from unittest import mock

import psutil

from benchmarks.speed import processes

if TYPE_CHECKING:
    from epg_tf.ranks import Ranks

_UPDATES = 3


class _SeenEnough(Exception):
    """Ends the run."""


def measure(
    ranks: Ranks,
    family: str,
    bindings: tuple[str, ...] = (),
    memory_after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Starts a run, and ends it after three updates.

    Args:
        ranks: One process.
        family: Which preset.
        bindings: Changes to it.
        memory_after: What `memory.measure` is asked once the start has been measured, if anything.

    Returns:
        Seconds since the process was created: `first_step`, when the first M steps of the
        environment had been made, `first_update`, when the first update of theta had; `compile`,
        what of that went into compiling it; and `memory`, if asked.
    """
    # Where `epg_tf.train` imports them: after a trial of machine code has begun.
    from benchmarks.speed import memory, presets
    from epg_tf import config
    from epg_tf.agent.driver import CompiledDriver
    from epg_tf.inner_loop.learner import Learner
    from epg_tf.outer_loop.stop import StopRequest
    from epg_tf.run.folder import RunFolder
    from epg_tf.run.training import train

    ends: dict[str, list[float]] = {"step": [], "update": []}
    durations: list[float] = []

    def noted(name, function):
        def wrapper(*args, **kwargs):
            start = time.time()
            result = function(*args, **kwargs)
            if name == "update" or not ends[name]:
                ends[name].append(time.time())
            if name == "update":
                durations.append(ends[name][-1] - start)
                if len(durations) == _UPDATES:
                    raise _SeenEnough
            return result

        return wrapper

    settings = presets.read(
        family, [*bindings, f"InnerLoop.num_updates = {_UPDATES}", "meta_train.num_epochs = 1"]
    )
    with (
        tempfile.TemporaryDirectory(prefix="epg_tf_benchmark_") as root,
        mock.patch.object(CompiledDriver, "run", noted("step", CompiledDriver.run)),
        mock.patch.object(Learner, "update", noted("update", Learner.update)),
        contextlib.suppress(_SeenEnough),
    ):
        run = RunFolder(root, settings, ranks, config.complete_config)
        train(settings, ranks, run, StopRequest(announce=False))
    created = psutil.Process().create_time()
    result: dict[str, Any] = {
        "first_step": ends["step"][0] - created,
        "first_update": ends["update"][0] - created,
        "compile": durations[0] - durations[-1],
    }
    if memory_after is not None:
        result["memory"] = memory.measure(ranks, family, bindings=bindings, **memory_after)
    return result


if __name__ == "__main__":
    processes.serve(measure)
