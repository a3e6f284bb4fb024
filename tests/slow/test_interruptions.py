"""Runs and evaluations killed at random moments come to the very numbers of those left alone."""

import collections
import os
import pathlib
import random
import signal
import subprocess
import time

import numpy as np
import pytest
from commands import PROJECT, metrics_of, scalars_in
from tiny_runs import ENVIRONMENT, training

from epg_tf.outer_loop.checkpoint import CheckpointFolder

NUM_KILLS = 20
TAUGHT = (
    "meta_train.validate_every = 3",
    "meta_train.teacher = @CriticTeacher()",
    "CriticTeacher.num_epochs = 20",
    "CriticTeacher.num_gradient_steps = 20",
    "CriticTeacher.learning_rate = 1e-3",
    "CriticTeacher.log_std_floor = None",
    "CriticTeacher.hidden_sizes = (8,)",
)
CLOCKS = ("seconds", "env_steps_per_second", "physics_seconds", "update_seconds")

pytestmark = pytest.mark.slow


def taught(root):
    return training(root, 4, 60, *TAUGHT)


def evaluation(root):
    loss = ["--loss", "reacher", "--num_tasks", "8", "--num_seeds", "1", "--num_updates", "40"]
    methods = ["--methods", "evolved,ppo,random_loss,no_action"]
    return ["python", "-m", "epg_tf.evaluate", *loss, *methods, "--root_dir", str(root)]


def run(command):
    subprocess.run(
        command, cwd=PROJECT, env=ENVIRONMENT, check=True, capture_output=True, timeout=600
    )


def kill_at_random(command, least_seconds, most_seconds, seed):
    """Starts a command again and again and ends it; how often each signal found it at work."""
    rng, found = random.Random(seed), collections.Counter()
    for _ in range(NUM_KILLS):
        by = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        with subprocess.Popen(
            command,
            cwd=PROJECT,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            time.sleep(rng.uniform(least_seconds, most_seconds))
            found[by] += process.poll() is None
            process.send_signal(by)
            if rng.random() < 0.3:  # somebody is impatient
                time.sleep(rng.uniform(0.0, 0.3))
                process.send_signal(by)
            process.wait(timeout=120)
    return found


def scalars_of(root):
    """How often each point of TensorBoard's is there."""
    return collections.Counter((tag, step) for tag, step, _ in scalars_in(root / "events"))


def test_a_training_killed_twenty_times_ends_with_the_same_phi(tmp_path):
    begun = time.monotonic()
    run(taught(tmp_path / "whole"))
    whole_seconds = time.monotonic() - begun
    root = tmp_path / "killed"
    # From before the first checkpoint on; short enough that all kills come before the last epoch.
    found = kill_at_random(taught(root), 2.0, 4.0 + 0.1 * whole_seconds, seed=1)
    assert sum(found.values()) >= NUM_KILLS // 2, found
    run(taught(root))
    checkpoints = [
        CheckpointFolder(folder / "checkpoints").latest() for folder in (tmp_path / "whole", root)
    ]
    states = [checkpoint.state for checkpoint in checkpoints]
    for name, value in vars(states[0]).items():
        theirs = np.asarray(getattr(states[1], name))
        assert np.asarray(value).tobytes() == theirs.tobytes(), name
    assert checkpoints[0].best_phi.tobytes() == checkpoints[1].best_phi.tobytes()
    lines = [metrics_of(folder) for folder in (tmp_path / "whole", root)]
    for ours, theirs in zip(*lines, strict=True):
        assert {n: v for n, v in ours.items() if n not in CLOCKS} == {
            n: v for n, v in theirs.items() if n not in CLOCKS
        }
    phi = [
        np.load(folder / "export" / "best" / "loss.npz") for folder in (tmp_path / "whole", root)
    ]
    for name in phi[0].files:
        np.testing.assert_array_equal(phi[0][name], phi[1][name])
    assert set(scalars_of(root)) == set(scalars_of(tmp_path / "whole"))
    assert set(scalars_of(root).values()) == {1}


def test_an_evaluation_killed_twenty_times_says_the_same(tmp_path):
    run(evaluation(tmp_path / "whole"))
    kill_at_random(evaluation(tmp_path / "killed"), 3.0, 9.0, seed=2)
    run(evaluation(tmp_path / "killed"))
    curves = [dict(np.load(tmp_path / name / "curves.npz")) for name in ("whole", "killed")]
    assert curves[0].keys() == curves[1].keys()
    for name, values in curves[0].items():
        np.testing.assert_array_equal(values, curves[1][name])


def test_nothing_of_ours_is_left_behind(tmp_path):
    mark = str(tmp_path / "run")
    kill_at_random(taught(mark), 1.0, 6.0, seed=3)
    time.sleep(1.0)
    left = [
        pid
        for pid in os.listdir("/proc")
        if pid.isdigit() and mark in _command_line(pathlib.Path("/proc", pid, "cmdline"))
    ]
    assert not left


def _command_line(path):
    try:
        return path.read_text()
    except OSError:
        return ""
