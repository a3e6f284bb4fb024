"""Many ranks, many updates: the same numbers, and no more memory, files or threads than before."""

import os
import pathlib
import subprocess
import threading

import numpy as np
import pytest
from tiny_runs import ENVIRONMENT, PROJECT, state_of, training

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.seeds import validation_seed
from epg_tf.tasks.reacher import RandomReacher

pytestmark = pytest.mark.slow


def state_after(root, num_ranks, *changes, num_epochs=3, num_workers=16):
    """Where a run stands that so many ranks have shared, [bytes]."""
    launcher = ["horovodrun", "-np", str(num_ranks)] if num_ranks > 1 else []
    subprocess.run(
        [*launcher, *training(root, num_workers, num_epochs, *changes)],
        cwd=PROJECT,
        check=True,
        timeout=900,
        capture_output=True,
        env=ENVIRONMENT,
    )
    return state_of(root, num_epochs)


def test_any_number_of_ranks_comes_to_the_same_numbers(tmp_path):
    alone = state_after(tmp_path / "1", 1)
    for num_ranks in (2, 3, 8):
        assert state_after(tmp_path / str(num_ranks), num_ranks) == alone, num_ranks
    threaded = state_after(tmp_path / "threads", 1, "meta_train.threads_per_rank = 2")
    assert threaded == alone


def test_thirty_two_ranks_share_twenty_epochs(tmp_path):
    sizes = {"num_epochs": 20, "num_workers": 32}
    alone = state_after(tmp_path / "1", 1, **sizes)
    assert state_after(tmp_path / "32", 32, **sizes) == alone


def test_another_number_of_ranks_may_carry_a_run_on(tmp_path):
    alone = state_after(tmp_path / "1", 1, num_epochs=6)
    for first, second in ((3, 2), (1, 8)):
        root = tmp_path / f"{first} {second}"
        state_after(root, first)
        assert state_after(root, second, num_epochs=6) == alone


def test_twenty_thousand_updates_take_no_more_than_a_thousand():
    settings = InnerLoop(
        num_updates=1000,
        steps_per_update=16,
        buffer_size=16,
        hidden_sizes=(4,),
        learned_loss=LearnedLoss(context_size=0, inputs=("observation", "policy")),
        log_std_bounds=(-1.0, 0.0),
        mean_activation="tanh",
    )
    workers = WorkerGroups(settings, RandomReacher(), 4)
    phi = np.repeat(workers.draw_phi(0)[None], 4, axis=0)
    held = []
    for lifetime in range(20):
        seeds = [validation_seed(lifetime, task) for task in range(4)]
        assert np.isfinite(workers.live(phi, seeds, 0.0).returns).all()
        held.append((_resident_bytes(), len(os.listdir("/proc/self/fd")), threading.active_count()))
    bytes_held, files, threads = zip(*held, strict=True)
    assert bytes_held[-1] < bytes_held[1] + 20e6  # the first lifetime compiles
    assert files[-1] <= files[1] and threads[-1] <= threads[1]


def _resident_bytes():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
