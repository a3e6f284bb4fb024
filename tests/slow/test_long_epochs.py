"""Ctrl-C in the middle of an epoch that takes longer than `horovodrun` waits for."""

import json
import os
import signal
import time

import pytest
from tiny_runs import start_two_ranks, state_of, training

pytestmark = pytest.mark.slow

LONG = (
    "meta_train.num_updates = None",  # InnerLoop's, in all epochs
    "InnerLoop.num_updates = 2000",
    "InnerLoop.num_passes = 100",
)


def run(root):
    return start_two_ranks(training(root, 4, 1, *LONG), start_new_session=True)


def test_an_epoch_that_ctrl_c_cuts_off_under_horovodrun_is_not_begun_again(tmp_path):
    with run(tmp_path / "whole") as whole:
        out, _ = whole.communicate(timeout=600)
    assert whole.returncode == 0, out
    seconds = seconds_of(tmp_path / "whole")
    assert seconds > 12.0, "the epoch has to take longer than the five seconds from its middle on"
    root = tmp_path / "cut off"
    with run(root) as cut_off:
        while not (root / "config.json").exists() and cut_off.poll() is None:
            time.sleep(0.1)
        time.sleep(0.5 * seconds)
        os.killpg(cut_off.pid, signal.SIGINT)
        out, _ = cut_off.communicate(timeout=60)
    assert cut_off.returncode != 0, out
    kept = sorted(path.name for path in (root / "partial_epochs").iterdir())
    assert kept == [f"epoch_000001_workers_{span}.npz" for span in ("0_1", "2_3")], out
    with run(root) as rest:
        out, _ = rest.communicate(timeout=600)
    assert rest.returncode == 0, out
    assert seconds_of(root) < 0.9 * seconds
    assert state_of(root, 1) == state_of(tmp_path / "whole", 1)
    assert not (root / "partial_epochs").exists()


def seconds_of(root):
    """How long the only epoch of a run has taken."""
    (line,) = (root / "metrics.jsonl").read_text().splitlines()
    return json.loads(line)["seconds"]
