"""Starting the measurements: each is a program of one or several ranks, in fresh processes.

A program is a module of this package with `measure(ranks, **arguments) -> dict`. A JSON file
carries its arguments and its result. Its output is shown only if it fails.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from epg_tf import command_line

if TYPE_CHECKING:
    from epg_tf.ranks import Ranks

_SHOWN_LINES = 12

# Seconds. Many ranks on few cores start one after the other, and the first must wait for the last.
_START_TIMEOUT = "900"


def horovodrun() -> pathlib.Path:
    """Returns the expected path of the launcher of this Python's Horovod."""
    return pathlib.Path(sys.executable).with_name("horovodrun")


def start(
    program: str,
    num_ranks: int,
    arguments: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Runs a program to its end.

    Args:
        program: The name of a module of this package.
        num_ranks: The number of ranks; a single one runs without a launcher.
        arguments: The arguments of its `measure`, in types that JSON has.
        environment: Environment variables to add.

    Returns:
        The result of `measure` on rank 0.

    Raises:
        RuntimeError: If it fails; the message has the end of its output.
    """
    with tempfile.TemporaryDirectory(prefix="epg_tf_benchmark_") as folder:
        exchange = pathlib.Path(folder) / "exchange.json"
        exchange.write_text(json.dumps(arguments))
        launcher = []
        if num_ranks > 1:
            launcher = [horovodrun(), "--start-timeout", _START_TIMEOUT, "-np", str(num_ranks)]
        done = subprocess.run(
            [*launcher, sys.executable, "-m", f"{__package__}.{program}", str(exchange)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                "HOROVOD_GLOO_TIMEOUT_SECONDS": _START_TIMEOUT,
                **os.environ,
                **(environment or {}),
            },
        )
        if done.returncode:
            tail = "\n".join(done.stdout.splitlines()[-_SHOWN_LINES:])
            raise RuntimeError(f"`{program}` on {num_ranks} rank(s) has failed:\n{tail}")
        return json.loads(exchange.read_text())


def serve(measure: Callable[..., dict[str, Any]]) -> None:
    """Runs a program: reads its arguments, measures, and writes the result."""

    def main(argv: list[str]) -> None:
        from epg_tf.ranks import Ranks

        exchange = pathlib.Path(argv[1])
        arguments = json.loads(exchange.read_text())
        ranks = Ranks()
        result = measure(ranks, **arguments)
        if ranks.is_first:
            exchange.write_text(json.dumps(result))
        wait_for_all(ranks)  # a rank that exits before would end the writing one

    command_line.run(main, lives=True)


def wait_for_all(ranks: Ranks) -> None:
    """Returns when all ranks have called it."""
    import numpy as np

    ranks.allgather(np.zeros((1, 1)))
