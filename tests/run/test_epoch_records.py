"""The records that runs of losses and runs of rivals have in common."""

import dataclasses
import json

import pytest

from epg_tf.run.epoch_records import EpochRecords, misfit


@dataclasses.dataclass(frozen=True)
class Training:
    num_epochs: int = 2
    rate: float = 0.5


METRICS = {"epoch": 1, "return_mean": -3.0, "env_steps_per_second": 10.0}


def open_records(root, settings, epoch=0):
    command = ["python", "-m", "epg_tf.train_rival"]
    return EpochRecords(root, settings, "training", epoch, "a", "b = 1", command, lambda: None)


def test_the_bar_stops_where_it_ends(tmp_path):
    records = open_records(tmp_path, Training(num_epochs=1))
    records.advance(0.75)
    records.advance(0.25 + 1e-9)
    assert records.bar.n == 1.0
    records.close()


def test_a_run_that_goes_on_forgets_the_epochs_after_its_checkpoint(tmp_path, capfd):
    records = open_records(tmp_path, Training())
    records.add(METRICS, -3.0, lambda: None)
    records.add({**METRICS, "epoch": 2}, -3.0, lambda: None)
    records.close()
    open_records(tmp_path, Training(), epoch=1).close()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1]
    assert (tmp_path / "commands.txt").read_text() == "python -m epg_tf.train_rival\n"
    assert "Going on from epoch 1 of 2: a.\n" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("settings", "epoch", "sentence"),
    [
        (Training(), 2, None),
        (Training(num_epochs=1), 2, "`training.num_epochs` (=1) must be at least the 2 epochs"),
        (Training(rate=1.0), 2, "another config: `training.rate` is 0.5 there and 1.0 here."),
    ],
)
def test_settings_that_do_not_fit_the_run_get_a_sentence(settings, epoch, sentence, tmp_path):
    config = {"training.num_epochs": 2, "training.rate": 0.5}
    found = misfit(tmp_path, settings, "training", epoch, config)
    assert found is None if sentence is None else sentence in found
