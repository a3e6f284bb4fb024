"""Start-up: from the start of the process to the first environment step and the first update.

The process does what `epg_tf.train` does, in a temporary folder, and records times. The first
update takes longer than later ones by its compilation.
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
    """Ends the run after the timed updates."""


def measure(
    ranks: Ranks,
    family: str,
    bindings: tuple[str, ...] = (),
    memory_after: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Starts a run, and ends it after three updates.

    Args:
        ranks: One process.
        family: The preset.
        bindings: Changes to the preset.
        memory_after: The arguments of `memory.measure`, to run it after the start; None to skip it.

    Returns:
        `first_step` and `first_update`: seconds from the creation of the process until the first M
        environment steps and until the first update of theta are done. `compile`: the seconds of
        compilation in that update. `memory`: the result of `memory.measure`, if it runs.
    """
    # Imported at the same point as in `epg_tf.train`: after the trial of machine code has begun.
    from benchmarks.speed import memory, presets
    from epg_tf import config
    from epg_tf.agent.driver import CompiledDriver
    from epg_tf.inner_loop.learner import Learner
    from epg_tf.inner_loop.native.learner import NativeLearner
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
        mock.patch.object(Learner, "descend", noted("update", Learner.descend)),
        mock.patch.object(NativeLearner, "descend", noted("update", NativeLearner.descend)),
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
