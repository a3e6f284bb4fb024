"""Runs of seconds that evolve on Reachers, as commands, and where they end."""

import os
import pathlib
import subprocess
import sys

import numpy as np
from commands import PROJECT

from epg_tf.outer_loop.checkpoint import CheckpointFolder

# With horovodrun, which lies beside the interpreter.
ENVIRONMENT = os.environ | {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}
TINY = (
    "meta_train.compare_at_end = False",
    "InnerLoop.num_updates = 4",
    "meta_train.num_updates = None",
    "InnerLoop.steps_per_update = 32",
    "InnerLoop.hidden_sizes = (8,)",
)


def training(root, num_workers, num_epochs, *changes):
    """The command of a run, to be started in PROJECT."""
    sizes = (f"meta_train.num_workers = {num_workers}", f"meta_train.num_epochs = {num_epochs}")
    bindings = [word for one in (*TINY, *sizes, *changes) for word in ("--gin_binding", one)]
    preset = ["--gin_file", "gin/reacher.gin"]
    return ["python", "-m", "epg_tf.train", *preset, *bindings, "--root_dir", str(root)]


def start_two_ranks(command, launcher=(), **options):
    """A run under way that two ranks share; `launcher` comes before `horovodrun`."""
    return subprocess.Popen(
        [*launcher, "horovodrun", "-np", "2", *command],
        cwd=PROJECT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def state_of(root, num_epochs):
    """Where a run stands whose epochs are all done, [bytes]."""
    checkpoint = CheckpointFolder(root / "checkpoints").latest()
    assert checkpoint is not None and checkpoint.state.epoch == num_epochs
    return b"".join(np.asarray(value).tobytes() for value in vars(checkpoint.state).values())
