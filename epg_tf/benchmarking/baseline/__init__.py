"""How fast an older commit was: measured in turns with this one, and remembered.

Machines differ by more than commits do, and one machine from minute to minute, so that only ratios
of what ran side by side are compared.
"""

from __future__ import annotations

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from epg_tf.benchmarking import processes

_HERE = pathlib.Path(__file__)
_PROGRAM = _HERE.with_name("program.py")
_CHECKOUT = _HERE.parents[3]


def measure(
    older: pathlib.Path,
    families: Sequence[str],
    workers: int,
    updates: int,
    turns: int,
    repetitions: int,
) -> dict[str, Any]:
    """Measures an older checkout and this one by turns, on two ranks, and on one with two threads.

    Args:
        older: A checkout of the project in which the commit's `epg_tf.benchmarking` runs, by this
            one's Python.
        families: Presets that both have.
        workers: W of each of two ranks; the lone rank has twice as many.
        updates: K of the timed lifetimes.
        turns: How often the two checkouts take turns.
        repetitions: How often a lifetime is timed in a turn.

    Returns:
        `commit`, and by what was measured ("2 reacher", "1 reacher", ...) environment steps per
        second `then` and `now`, and the `ratio`, the median of the turns' ratios.
    """
    speeds: dict[str, list[tuple[float, float]]] = {}
    for _ in range(turns):
        for num_ranks in (2, 1):
            of_both = [
                _speeds(tree, families, num_ranks, workers * 2 // num_ranks, updates, repetitions)
                for tree in (older, _CHECKOUT)
            ]
            for family in families:
                pair = of_both[0][family], of_both[1][family]
                speeds.setdefault(f"{num_ranks} {family}", []).append(pair)
    git = ["git", "-C", str(older), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    return {
        "commit": commit or str(older),
        "speeds": {
            key: {
                "then": statistics.median(then for then, _ in pairs),
                "now": statistics.median(now for _, now in pairs),
                "ratio": statistics.median(now / then for then, now in pairs),
            }
            for key, pairs in speeds.items()
        },
    }


def remembered() -> list[dict[str, Any]]:
    """What was measured of 7488a32, and of 1eba370, the first with many passes.

    As `measure` gave it, with the `machine` it was measured on.
    """
    return [json.loads(path.read_text()) for path in sorted(_HERE.parent.glob("commit_*.json"))]


def _speeds(
    tree: pathlib.Path,
    families: Sequence[str],
    num_ranks: int,
    workers: int,
    updates: int,
    repetitions: int,
) -> dict[str, float]:
    """Environment steps per second of a checkout's lifetimes, by family."""
    asked = {"families": list(families), "workers": workers, "updates": updates}
    with tempfile.TemporaryDirectory(prefix="epg_tf_benchmark_") as folder:
        exchange = pathlib.Path(folder) / "exchange.json"
        exchange.write_text(json.dumps({**asked, "repetitions": repetitions}))
        launcher = [processes.horovodrun(), "-np", str(num_ranks)] if num_ranks > 1 else []
        done = subprocess.run(
            [*launcher, sys.executable, _PROGRAM, str(exchange)],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            said = done.stdout.splitlines() or [""]
            raise RuntimeError(f"`--baseline` (={tree}) could not be measured: {said[-1]}")
        return json.loads(exchange.read_text())
