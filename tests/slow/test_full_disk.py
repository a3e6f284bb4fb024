"""A disk of 3 MB that fills up: a sentence, nothing lost, and the same numbers later."""

import json
import subprocess

import pytest
from tiny_runs import ENVIRONMENT, PROJECT, state_of, training

NUM_EPOCHS = 4
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
    return subprocess.run(
        training(root, 4, NUM_EPOCHS),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        env=ENVIRONMENT,
    )


def test_a_run_goes_on_once_there_is_room(disk, tmp_path):
    assert train(tmp_path / "whole").returncode == 0
    whole = state_of(tmp_path / "whole", NUM_EPOCHS)
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
        assert state_of(root, NUM_EPOCHS) == whole
        lines = (root / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["epoch"] for line in lines] == list(range(1, NUM_EPOCHS + 1))
        assert (root / "export" / "latest" / "loss.json").exists()
        subprocess.run(["rm", "-r", str(root)], check=True)
    assert refused > len(ROOM_KB) // 2
