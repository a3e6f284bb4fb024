"""launch/slurm.sh with a stand-in for Slurm: stopped before its time limit, back in the queue."""

import json
import os
import pathlib
import signal
import subprocess
import time

from lean import LEAN

from epg_tf import config
from epg_tf.outer_loop.checkpoint import CheckpointFolder
from epg_tf.outer_loop.ranks import Ranks
from epg_tf.outer_loop.stop import StopRequest
from epg_tf.run.folder import RunFolder
from epg_tf.run.training import train

PROJECT = pathlib.Path(__file__).parent.parent
SCONTROL = """#!/bin/bash
if [[ $1 == show ]]; then echo localhost; else echo "$@" >>"$REQUEUED"; fi
"""
TINY = (
    "meta_train.num_workers = 4",
    "meta_train.num_epochs = 6",
    "InnerLoop.num_updates = 8",
    "InnerLoop.hidden_sizes = (4,)",
    *(f"{name} = {value}" for name, value in LEAN.items()),
)


def command(root):
    bindings = [word for one in TINY for word in ("--gin_binding", one)]
    return ["-m", "epg_tf.train", "--gin_file", "gin/reacher.gin", "--root_dir", root, *bindings]


def phi_of(root):
    checkpoint = CheckpointFolder(root / "checkpoints").latest()
    assert checkpoint is not None and checkpoint.state.epoch == 6
    return checkpoint.state.phi.tobytes()


def test_a_job_that_is_signalled_goes_back_to_the_queue_and_on_to_the_same_phi(tmp_path):
    (tmp_path / "scontrol").write_text(SCONTROL)
    (tmp_path / "scontrol").chmod(0o755)
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n", "SLURM_NTASKS_PER_NODE": "2"}
    slurm |= {"SLURM_SUBMIT_DIR": str(PROJECT), "REQUEUED": str(tmp_path / "requeued")}
    env = os.environ | slurm | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    root = tmp_path / "run"
    job = [PROJECT / "launch" / "slurm.sh", "python", *command(root)]
    with subprocess.Popen(job, env=env) as process:
        while not (root / "metrics.jsonl").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(timeout=60) != 0
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    subprocess.run(job, env=env, check=True, timeout=90)
    epochs = [
        json.loads(line)["epoch"] for line in (root / "metrics.jsonl").read_text().splitlines()
    ]
    assert epochs == [1, 2, 3, 4, 5, 6]
    settings = config.read(["gin/reacher.gin"], TINY)
    ranks = Ranks()
    folder = RunFolder(str(tmp_path / "whole"), settings, ranks, config.complete_config)
    assert train(settings, ranks, folder, StopRequest(announce=False))
    assert phi_of(root) == phi_of(tmp_path / "whole")
