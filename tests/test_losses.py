"""The losses that ship: each is the one that its run and its preset say it is."""

import itertools
import json
import pathlib
import shlex
import subprocess
import sys

import pytest

from epg_tf import config
from epg_tf.files import CONFIG_FILE, crc32_of, differs_from_run
from epg_tf.run.records import read_run

LOSSES = pathlib.Path(__file__).parent.parent / "losses"
PRESETS = {
    "dir_half_cheetah_evolved": "gin/evolved/dir_half_cheetah.gin",
    "dir_hopper_evolved": "gin/dir_hopper.gin",
    "dir_hopper_taught": "gin/taught/dir_hopper.gin",
    "dir_half_cheetah_taught": "gin/taught/dir_half_cheetah.gin",
    "half_cheetah_evolved": "gin/evolved/half_cheetah.gin",
    "half_cheetah_taught": "gin/taught/half_cheetah.gin",
    "hopper_evolved": "gin/hopper.gin",
    "hopper_taught": "gin/taught/hopper.gin",
    "hopper_velocity_taught": "gin/taught/hopper_velocity.gin",
    "own_robot_evolved": "gin/own_robot.gin",
    "reacher": "gin/reacher.gin",
    "swimmer_taught": "gin/taught/swimmer.gin",
    "walker_evolved": "gin/evolved/walker.gin",
    "walker_taught": "gin/taught/walker.gin",
}


def test_every_loss_has_a_preset():
    assert {path.parent.name for path in LOSSES.glob("*/loss.json")} == set(PRESETS)


@pytest.mark.parametrize(("name", "preset"), PRESETS.items())
def test_a_loss_is_the_last_or_the_best_of_its_run(name, preset):
    description = json.loads((LOSSES / name / "loss.json").read_text())
    run = read_run(LOSSES / name / "run")
    state = run.checkpoint.state
    assert description["phi_crc32"] in run.losses()
    known = run.checkpoint
    latest = (state.epoch, known.env_steps, known.made)
    best = (known.best_epoch, known.best_env_steps, known.best_made)
    found = tuple(description["provenance"][key] for key in ("epoch", "env_steps", "made"))
    is_latest = description["phi_crc32"] == crc32_of(state.phi)
    assert found == (latest if is_latest else best)
    assert state.epoch == run.num_epochs
    assert run.metrics["epoch"].tolist() == list(range(1, state.epoch + 1))
    # The same command, given the run's folder, goes on from there.
    settings = config.read([preset], [])
    assert not differs_from_run(settings, run.checkpoint.config)


def command_of(name):
    """The words of the command that a loss's card says evolves it again, after `python`."""
    command = json.loads((LOSSES / name / "loss.json").read_text())["provenance"]["command"]
    assert command in (LOSSES / name / "README.md").read_text()
    python, *words = shlex.split(command)
    assert python == "python"
    return words


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_of_a_card_has_the_settings_of_the_run(name):
    words = command_of(name)
    assert words[:4] == ["-m", "epg_tf.train", "--gin_file", CONFIG_FILE]
    bindings = [word for flag, word in itertools.pairwise(words) if flag == "--gin_binding"]
    settings = config.read([str(LOSSES / name / CONFIG_FILE)], bindings)
    run = read_run(LOSSES / name / "run")
    assert not differs_from_run(settings, run.checkpoint.config)


def test_the_command_of_a_card_evolves_the_loss_again_from_its_folder(tmp_path):
    words = command_of("walker_taught")
    tiny = (
        "meta_train.num_workers = 2",
        "meta_train.num_epochs = 1",
        "meta_train.num_updates = None",
        "InnerLoop.num_updates = 1",
        "CriticTeacher.num_gradient_steps = 2",
    )
    bindings = [word for one in tiny for word in ("--gin_binding", one)]
    words[words.index("--root_dir") + 1] = str(tmp_path / "again")
    subprocess.run(
        [sys.executable, *words, *bindings], cwd=LOSSES / "walker_taught", check=True, timeout=300
    )
    assert len((tmp_path / "again" / "metrics.jsonl").read_text().splitlines()) == 1
