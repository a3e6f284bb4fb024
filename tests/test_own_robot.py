"""A robot without code: a folder that is not the project's, an MJCF file and a gin file."""

import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

PROJECT = pathlib.Path(__file__).parent.parent
ROBOT_GIN = """
include 'gin/evolved/any_body.gin'

meta_train.family = @RandomBody()
RandomBody.model = 'robot.xml'
RandomBody.length = {'upper': (0.6, 1.4), 'f*': (0.6, 1.4)}
RandomBody.point = 'tip'
RandomBody.goal = ((0.15, 0.4), (-0.3, 0.3), (0.1, 0.5))
RandomBody.distance_cost = 1.0
RandomBody.time_limit = 20
meta_train.num_workers = 4
InnerLoop.steps_per_update = 32
InnerLoop.buffer_size = 32
InnerLoop.num_passes = 2
InnerLoop.hidden_sizes = (8,)
LearnedLoss.hidden_size = 8
meta_train.validate_every = 0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a robot and its settings, and nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(PROJECT / "examples" / "robots" / "arm.xml", folder / "robot.xml")
    (folder / "robot.gin").write_text(ROBOT_GIN)
    return folder


def train(folder, root, *bindings):
    command = [sys.executable, "-m", "epg_tf.train", "--gin_file", "robot.gin", "--root_dir", root]
    for binding in bindings:
        command += ["--gin_binding", binding]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_it_trains(folder):
    done = train(folder, "runs/robot", "meta_train.num_epochs = 2")
    assert done.returncode == 0, done.stderr
    lines = (folder / "runs" / "robot" / "metrics.jsonl").read_text().splitlines()
    returns = [json.loads(line)["return_mean"] for line in lines]
    assert len(returns) == 2 and np.isfinite(returns).all()


def test_a_name_that_is_not_there_is_one_sentence_with_those_that_are(folder):
    done = train(folder, "runs/none", "RandomBody.length = {'wing': (1, 2)}")
    assert done.returncode == 2 and not (folder / "runs" / "none").exists()
    assert done.stderr.count("\n") == 1 and "base, upper, fore" in done.stderr


def test_a_file_that_is_not_there_is_one_sentence(folder):
    done = train(folder, "runs/none", "RandomBody.model = 'robt.xml'")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "`RandomBody.model` (='robt.xml') must be an MJCF file" in done.stderr
