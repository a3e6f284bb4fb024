"""The losses that ship: each is the one that its run and its preset say it is."""

import json
import pathlib

import pytest

from epg_tf import config
from epg_tf.files import differs_from_run
from epg_tf.run.records import read_run

LOSSES = pathlib.Path(__file__).parent.parent / "losses"
PRESETS = {
    "hopper": "gin/hopper_fast.gin",
    "hopper_velocity": "gin/hopper_velocity.gin",
    "reacher_fast": "gin/reacher_fast.gin",
    "reacher_taught": "gin/reacher_taught.gin",
}


def test_every_loss_has_a_preset():
    assert {path.parent.name for path in LOSSES.glob("*/loss.json")} == set(PRESETS)


@pytest.mark.parametrize(("name", "preset"), PRESETS.items())
def test_a_loss_is_that_of_its_runs_last_epoch(name, preset):
    description = json.loads((LOSSES / name / "loss.json").read_text())
    run = read_run(LOSSES / f"{name}_run")
    assert run.checkpoint is not None
    state = run.checkpoint.state
    assert description["phi_crc32"] in run.losses()
    assert description["provenance"]["epoch"] == state.epoch == run.num_epochs
    assert description["provenance"]["env_steps"] == run.checkpoint.env_steps
    assert description["provenance"]["made"] == run.checkpoint.made
    assert run.metrics["epoch"].tolist() == list(range(1, state.epoch + 1))
    # The same command, given the run's folder, goes on from there.
    settings = config.read([preset], [])
    assert not differs_from_run(settings, run.checkpoint.config)
