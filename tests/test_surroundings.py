"""What a user's shell, launcher and file system may bring along, each in a process of its own."""

import errno
import json
import os
import subprocess
import sys

import pytest
from absl import logging

from epg_tf.files import read_text, write_text
from epg_tf.run.lock import FolderLock

JOIN = "from epg_tf.ranks import Ranks; print(Ranks().size)"


def run(*arguments, **variables):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("HOROVOD_SIZE", "not be set without horovodrun"),
        ("PMI_SIZE", "be 1 where Horovod was built without MPI: start the ranks with horovodrun"),
        ("SLURM_STEP_NUM_TASKS", "be 1 where Horovod was built without MPI"),
    ],
)
def test_a_launcher_that_horovod_does_not_join_is_named(name, rule):
    pytest.importorskip("horovod.tensorflow")
    ended = run("-c", JOIN, **{name: "2"})
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"epg_tf: `{name}` (=2) must {rule}")
    assert len(ended.stderr.splitlines()) == 1


def test_a_launcher_of_one_process_is_none():
    assert run("-c", JOIN, SLURM_STEP_NUM_TASKS="1").stdout.strip() == "1"


def test_an_unknown_flag_of_xla_is_named():
    ended = run("-m", "epg_tf.losses", XLA_FLAGS="--xla_no_such_flag=false")
    assert ended.returncode == 0, ended.stderr  # it compiles nothing
    join = f"from epg_tf import command_line; {JOIN}"
    ended = run("-c", join, XLA_FLAGS="--xla_no_such_flag=false")
    assert "XLA_FLAGS: --xla_no_such_flag=false" in ended.stderr
    ended = run("-c", join, XLA_FLAGS="--xla_cpu_enable_fast_math=false")
    assert ended.stdout.strip() == "1"


@pytest.mark.parametrize("name", ["NUMBA_DISABLE_JIT", "TF_USE_LEGACY_KERAS"])
def test_variables_for_other_programs_do_no_harm(name, tmp_path):
    use = (
        "from epg_tf import command_line, load_loss; from epg_tf.tasks.hopper import RandomHopper;"
        "import gymnasium; gymnasium.make('epg_tf:epg/RandomHopper-v0').reset();"
        "print(load_loss('reacher').phi.shape)"
    )
    assert run("-c", use, **{name: "1"}).stdout.startswith("(")


def test_it_is_said_that_compiled_code_cannot_be_kept(monkeypatch, caplog):
    from epg_tf.native import compiler

    def decorator(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiler.numba, "njit", decorator)
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    for function in (abs, max):
        assert compiler.compiled(function) is function
    assert len(caplog.messages) == 1
    assert "`NUMBA_CACHE_DIR` (=" in caplog.messages[0]


def test_a_result_goes_through_links_devices_and_pipes(tmp_path):
    pipe, link, file = (tmp_path / name for name in ("pipe", "link", "file.json"))
    os.mkfifo(pipe)
    file.write_text("old")
    link.symlink_to(file)
    command = [sys.executable, "-m", "epg_tf.losses", "--json"]
    with subprocess.Popen([*command, str(pipe)], stdout=subprocess.DEVNULL):
        through_pipe = json.loads(pipe.read_text())
    assert pipe.is_fifo()
    assert run(*command[1:], str(link)).returncode == 0
    assert link.is_symlink() and json.loads(file.read_text()) == through_pipe
    assert run(*command[1:], os.devnull).returncode == 0
    assert not os.path.isfile(os.devnull)
    assert json.loads(run(*command[1:], "-").stdout) == through_pipe
    ended = run(*command[1:], str(tmp_path))
    assert ended.returncode == 2 and "must be a file one can write (Is a directory)" in ended.stderr
    assert sorted(tmp_path.iterdir()) == sorted([pipe, link, file])


def test_a_file_system_without_locks_is_named_and_used(tmp_path, monkeypatch, caplog):
    def flock(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
    assert FolderLock(tmp_path).take() is None
    assert f"`--root_dir` (={tmp_path}) cannot be locked there" in caplog.text


def test_a_path_may_begin_at_home(tmp_path):
    ended = run("-m", "epg_tf.report", "--root_dir=~/run", HOME=str(tmp_path))
    assert f"`--root_dir` (={tmp_path}/run) must be" in ended.stderr


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("name", "locale"), [(b"caf\xe9", {}), ("café".encode(), ASCII)], ids=["path", "locale"]
)
def test_a_path_that_tensorflow_would_mistake_is_refused(name, locale, tmp_path):
    root = os.fsencode(tmp_path) + b"/" + name
    ended = run("-m", "epg_tf.report", b"--root_dir=" + root, **locale)
    assert ended.returncode == 2
    assert "must be UTF-8, in a locale of UTF-8" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_locale_changes_neither_what_is_read_nor_what_is_shown(tmp_path):
    loss = ["--loss", "reacher", "--num_tasks", "1", "--num_seeds", "1", "--num_updates", "1"]
    rest = ["--methods", "no_action", "--root_dir", str(tmp_path)]
    for _ in range(2):  # the second one finds the record of the first
        ended = run("-m", "epg_tf.evaluate", *loss, *rest, **ASCII)
        assert ended.returncode == 0, ended.stderr
    assert run("-m", "epg_tf.losses", **ASCII).returncode == 0
    (tmp_path / "evaluate.json").write_text("")
    ended = run("-m", "epg_tf.evaluate", *loss, *rest)
    assert ended.returncode == 2
    assert f"{tmp_path}/evaluate.json is damaged" in ended.stderr


def test_text_of_another_encoding_survives(tmp_path):
    path = tmp_path / "notes.gin"
    path.write_bytes(b"# caf\xe9")
    write_text(path, read_text(path) + "\n")
    assert path.read_bytes() == b"# caf\xe9\n"


def test_a_user_without_a_home_and_a_closed_stderr_are_fine(tmp_path):
    nobody = (
        "import os, pwd, sys; del os.environ['HOME']; os.close(2); sys.stderr = None\n"
        "def unknown(user): raise KeyError(user)\n"
        "pwd.getpwuid = unknown\n"
        "from epg_tf import command_line\n"
        "import matplotlib.pyplot; from epg_tf.ranks import Ranks; print(Ranks().size)"
    )
    assert run("-c", nobody, TMPDIR=str(tmp_path)).stdout.strip() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["epg_tf_matplotlib"]


@pytest.mark.parametrize("name", [".lock", "metrics.jsonl", "checkpoints/epoch_000001.npz"])
def test_files_of_another_user_are_named_before_any_work(name, tmp_path, monkeypatch):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    monkeypatch.setattr("os.access", lambda path, how: path != tmp_path / name)  # root may do all
    sentence = f"must hold files one can write to, unlike {tmp_path / name}."
    assert FolderLock(tmp_path).take() == f"`--root_dir` (={tmp_path}) {sentence}"
