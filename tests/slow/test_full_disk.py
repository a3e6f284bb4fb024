"""A disk of 3 MB that fills up: a sentence, nothing lost, and the same numbers later."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from epg_tf.outer_loop.checkpoint import CheckpointFolder

PROJECT = pathlib.Path(__file__).parent.parent.parent
TINY = (
    "meta_train.num_workers = 4",
    "meta_train.num_epochs = 4",
    "meta_train.compare_at_end = False",
    "InnerLoop.num_updates = 4",
    "InnerLoop.steps_per_update = 32",
    "InnerLoop.hidden_sizes = (8,)",
)
# From no room for the first file that is written to room for all but the last ones.
ROOM_KB = (0, 4, 12, 40, 72, 110, 150, 200, 280, 360, 440)

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a disk of 3 MB")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def train(root):
    bindings = [word for one in TINY for word in ("--gin_binding", one)]
    return subprocess.run(
        [sys.executable, "-m", "epg_tf.train", "--gin_file", "gin/reacher_fast.gin", *bindings]
        + ["--root_dir", str(root)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def state_of(root):
    checkpoint = CheckpointFolder(root / "checkpoints").latest()
    assert checkpoint is not None and checkpoint.state.epoch == 4
    return b"".join(np.asarray(value).tobytes() for value in vars(checkpoint.state).values())


def test_a_run_goes_on_once_there_is_room(disk, tmp_path):
    assert train(tmp_path / "whole").returncode == 0
    refused = 0
    for room in ROOM_KB:
        root = disk / str(room)
        (disk / "filler").write_bytes(bytes(3 * 2**20 - room * 1024))
        first = train(root)
        assert "Traceback" not in first.stderr, (room, first.stderr)
        if first.returncode:
            refused += 1
            assert "No space left on device" in first.stderr, room
        (disk / "filler").unlink()
        second = train(root)
        assert second.returncode == 0, (room, second.stderr)
        assert state_of(root) == state_of(tmp_path / "whole")
        lines = (root / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4]
        assert (root / "export" / "latest" / "loss.json").exists()
        subprocess.run(["rm", "-r", str(root)], check=True)
    assert refused > len(ROOM_KB) // 2
