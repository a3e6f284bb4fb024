"""Every command of the README and the pages, run one after the other, each on less of all."""

import re
import shlex
import subprocess
import sys

import pytest
from tiny_runs import ENVIRONMENT, PROJECT

pytestmark = pytest.mark.slow

PAGES = [PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md"))]
COMMAND = re.compile(r"(?m)^    ((?:.* )?(?:epg-\w+|python -m epg_tf\.\w+)(?: .*)?)$")
LAUNCHER = re.compile(r"(?:launch/supervise\.sh -- )?horovodrun -np \d+ (?:-H \S+ )?")
LESS = {
    "train": (
        "meta_train.num_epochs = 1",
        "meta_train.num_workers = 2",
        "meta_train.num_updates = None",
        "meta_train.compare_at_end = False",
        "InnerLoop.num_updates = 2",
    ),
    "train_rival": (
        "train_rival.num_epochs = 1",
        "train_rival.num_tasks = 2",
        "train_rival.validate_every = 0",
    ),
    "evaluate": ("--num_tasks=2", "--num_seeds=1", "--num_updates=2"),
    "analyze": ("--num_tasks=2",),
}
# Of these the pages say where they run: a scheduler or a container, and a folder with a robot.
ELSEWHERE = ("sbatch ", "docker ", "robot.gin", "runs/robot")


def commands():
    """The command lines of all pages, each once, in their order."""
    found = {}
    for page in PAGES:
        text = re.sub(r"\\\n\s*", "", page.read_text())
        found |= dict.fromkeys(COMMAND.findall(text))
    return [line for line in found if not any(part in line for part in ELSEWHERE)]


def shortened(line, runs):
    """The same command on less, whose runs are all in a folder of their own.

    Evaluations are not on several ranks: to compile all methods twice takes twice as long.
    """
    ranks = LAUNCHER.search(line) and "epg_tf.train " in line
    launcher = ["horovodrun", "-np", "2"] if ranks else []
    words = shlex.split(LAUNCHER.sub("", line).replace("runs/", f"{runs}/"), comments=True)
    if words[0].startswith("epg-"):
        name, rest = words[0].removeprefix("epg-").replace("-", "_"), words[1:]
    else:
        name, rest = words[2].removeprefix("epg_tf."), words[3:]
    less = LESS.get(name, ())
    if not "".join(less).startswith("--"):
        less = [word for one in less for word in ("--gin_binding", one)]
    return [*launcher, sys.executable, "-m", f"epg_tf.{name}", *rest, *less]


def test_every_command_of_the_pages_runs(tmp_path, render_process):
    del render_process  # without OpenGL nothing could be rendered
    runs = tmp_path / "runs"
    lines = commands()
    assert len(lines) > 30
    for line in lines:
        done = subprocess.run(
            shortened(line, runs),
            cwd=PROJECT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stderr, line
