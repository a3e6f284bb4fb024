"""Profiles of a lifetime: TensorFlow's side for TensorBoard, Python's side as text.

Each profiler gets a separate lifetime, because it slows down the program.
"""

from __future__ import annotations

import cProfile
import functools
import io
import pathlib
import pstats
from typing import Any

import tensorflow as tf

from benchmarks.speed import presets, processes
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.ranks import Ranks

_SHOWN_FUNCTIONS = 40


def measure(
    ranks: Ranks,
    family: str,
    workers: int,
    updates: int,
    folder: str,
    bindings: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Writes the profiles of one family's lifetime.

    Args:
        ranks: One process.
        family: The preset.
        workers: W.
        updates: K.
        folder: The folder to write to.
        bindings: Changes to the preset.

    Returns:
        `files`, the paths of the profiles.
    """
    del ranks
    settings = presets.read(family, [*bindings, f"InnerLoop.num_updates = {updates}"])
    population = Workers(settings.inner_loop, settings.family, workers)
    phi, seeds = presets.first_epoch(settings, population, range(workers))
    live = functools.partial(population.live, phi, seeds, presets.GUIDANCE[family])
    live()
    root = pathlib.Path(folder) / family
    root.mkdir(parents=True, exist_ok=True)

    tf.profiler.experimental.start(str(root))
    live()
    tf.profiler.experimental.stop()

    profile = cProfile.Profile()
    profile.runcall(live)
    profile.dump_stats(root / "python.pstats")
    text = io.StringIO()
    statistics = pstats.Stats(profile, stream=text)
    for order in ("tottime", "cumulative"):
        statistics.sort_stats(order).print_stats(_SHOWN_FUNCTIONS)
    (root / "python.txt").write_text(text.getvalue())
    traces = sorted(str(path) for path in root.rglob("*.xplane.pb"))
    return {"files": [str(root / "python.txt"), str(root / "python.pstats"), *traces[-1:]]}


if __name__ == "__main__":
    processes.serve(measure)
