"""Files and folders that are replaced: a kill at any moment leaves the old or the new one."""

import os
import subprocess
import sys

import pytest

from epg_tf.files import recover, replacing

# Replaces a folder, and dies instead of making the n-th call of a function.
KILLED = """
import os, pathlib, shutil, sys
from epg_tf.files import replacing
path, name, calls = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
module = os if name == "replace" else shutil
call = getattr(module, name)
def counted(*arguments, **options):
    global calls
    calls -= 1
    return os._exit(9) if calls == 0 else call(*arguments, **options)
with replacing(path) as aside:
    aside.mkdir()
    (aside / "one").write_text("new")
    (aside / "other").write_text("new")
    setattr(module, name, counted)
"""


def folder(path, content):
    path.mkdir()
    for name in ("one", "other"):
        (path / name).write_text(content)


def contents(path):
    return {file.name: file.read_text() for file in path.iterdir()}


@pytest.mark.parametrize(
    ("call", "number", "left"),
    [("replace", 1, "old"), ("replace", 2, "old"), ("rmtree", 1, "new")],
)
def test_a_kill_leaves_the_old_folder_or_the_new_one(call, number, left, tmp_path):
    path = tmp_path / "best"
    folder(path, "old")
    program = [sys.executable, "-c", KILLED, str(path), call, str(number)]
    assert subprocess.run(program, check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    recover(path)
    assert contents(path) == {"one": left, "other": left}
    assert list(tmp_path.iterdir()) == [path]


def test_a_leftover_does_not_stop_the_next_replacement(tmp_path):
    path = tmp_path / "best"
    folder(tmp_path / ".best.replaced", "old")
    folder(tmp_path / "best.partial", "half")
    with replacing(path) as aside:
        assert contents(path) == {"one": "old", "other": "old"}
        folder(aside, "new")
    assert contents(path) == {"one": "new", "other": "new"}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(tmp_path, monkeypatch):
    path, moves, replace = tmp_path / "best", [], os.replace
    folder(path, "old")

    def fail_at_the_second(source, target):
        moves.append(source)
        if len(moves) == 2:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_the_second)
    with pytest.raises(OSError, match="No space left"), replacing(path) as aside:
        folder(aside, "new")
    assert contents(path) == {"one": "old", "other": "old"}
    assert list(tmp_path.iterdir()) == [path]
