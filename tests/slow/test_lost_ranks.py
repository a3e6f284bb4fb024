"""One of two ranks is killed twice, or suspended for a minute: the same numbers."""

import os
import pathlib
import signal
import subprocess
import time

import pytest
from tiny_runs import ENVIRONMENT, PROJECT, start_two_ranks, state_of, training

NUM_EPOCHS = 200

pytestmark = pytest.mark.slow


def command(root):
    return training(root, 4, NUM_EPOCHS, "meta_train.validate_every = 0")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    root = tmp_path_factory.mktemp("alone") / "run"
    subprocess.run(command(root), cwd=PROJECT, check=True, capture_output=True, env=ENVIRONMENT)
    return state_of(root, NUM_EPOCHS)


def epochs_of(root):
    path = root / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.exists() else 0


def wait_for_epoch(job, root, epoch):
    while epochs_of(root) < epoch:
        assert job.poll() is None, job.communicate()[0]
        time.sleep(0.05)


def pid_of_second_rank(root):
    """The process of rank 1 itself, not of the shell that started it."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
            second = "HOROVOD_RANK=1" in (folder / "environ").read_text().split("\0")
        except OSError:
            continue
        if second and str(root) in words and words[1:3] == ["-m", "epg_tf.train"]:
            return int(folder.name)
    raise AssertionError("rank 1 is not there")


def test_a_rank_that_is_killed_twice_costs_no_number(alone, tmp_path):
    root = tmp_path / "run"
    job = start_two_ranks(command(root), [PROJECT / "launch" / "supervise.sh", "3", "1", "--"])
    for epoch in (40, 120):
        wait_for_epoch(job, root, epoch)
        os.kill(pid_of_second_rank(root), signal.SIGKILL)
        time.sleep(5.0)
    out = job.communicate(timeout=300)[0]
    assert job.returncode == 0, out
    assert out.count("starting again") == 2
    assert state_of(root, NUM_EPOCHS) == alone
    assert epochs_of(root) == NUM_EPOCHS


def test_a_rank_that_is_suspended_for_a_minute_goes_on(alone, tmp_path):
    root = tmp_path / "run"
    job = start_two_ranks(command(root))
    wait_for_epoch(job, root, 40)
    pid = pid_of_second_rank(root)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)
    before = epochs_of(root)
    time.sleep(60.0)
    assert epochs_of(root) == before
    os.kill(pid, signal.SIGCONT)
    out = job.communicate(timeout=300)[0]
    assert job.returncode == 0, out
    assert state_of(root, NUM_EPOCHS) == alone
