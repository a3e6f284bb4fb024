"""launch/slurm.sh with a stand-in for Slurm: stopped before its time limit, back in the queue."""

import json
import signal
import subprocess
import time

import pytest
from tiny_runs import ENVIRONMENT, PROJECT, state_of, training

pytestmark = pytest.mark.slow

SCONTROL = """#!/bin/bash
if [[ $1 == show ]]; then echo localhost; else echo "$@" >>"$REQUEUED"; fi
"""


def test_a_job_that_is_signalled_goes_back_to_the_queue_and_on_to_the_same_phi(tmp_path):
    (tmp_path / "scontrol").write_text(SCONTROL)
    (tmp_path / "scontrol").chmod(0o755)
    slurm = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n", "SLURM_NTASKS_PER_NODE": "2"}
    slurm |= {"SLURM_SUBMIT_DIR": str(PROJECT), "REQUEUED": str(tmp_path / "requeued")}
    env = ENVIRONMENT | slurm | {"PATH": f"{tmp_path}:{ENVIRONMENT['PATH']}"}
    root, whole = tmp_path / "run", tmp_path / "whole"
    job = [PROJECT / "launch" / "slurm.sh", *training(root, 4, 6)]
    with subprocess.Popen(job, env=env) as process:
        while not (root / "metrics.jsonl").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(timeout=60) != 0
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    subprocess.run(job, env=env, check=True, timeout=90)
    lines = (root / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]
    subprocess.run(training(whole, 4, 6), cwd=PROJECT, env=ENVIRONMENT, check=True, timeout=90)
    assert state_of(root, 6) == state_of(whole, 6)
