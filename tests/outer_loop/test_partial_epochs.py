"""Epochs that are under way: what is written when, what is found again, and what is not."""

import numpy as np
import pytest

from epg_tf.outer_loop.partial_epochs import PartialEpochs

PHI = np.arange(3.0)
ARRAYS = {"driver/state": np.array([1e-300, -0.0, 1 / 3]), "lifetime/actions": np.array(["{}"])}


def partial(tmp_path, stops=False, interval=60.0):
    return PartialEpochs(tmp_path / "partial", lambda: stops, interval)


def test_nothing_is_written_within_a_minute_of_a_run_that_is_not_to_stop(tmp_path):
    partial(tmp_path).of(1, 0, 3, PHI).maybe_save(
        lambda: pytest.fail("asked where lifetimes stand")
    )
    assert not (tmp_path / "partial").exists()


def test_it_is_written_once_when_the_run_is_to_stop(tmp_path):
    epoch, asked = partial(tmp_path, stops=True).of(1, 0, 3, PHI), []
    for _ in range(3):
        epoch.maybe_save(lambda: asked.append(1) or ARRAYS)
    assert len(asked) == 1
    kept = partial(tmp_path).of(1, 0, 3, PHI).load()
    assert kept is not None and kept.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert kept[name].tobytes() == array.tobytes()


def test_it_is_written_again_whenever_the_interval_is_over(tmp_path):
    epoch = partial(tmp_path, interval=0.0).of(1, 0, 3, PHI)
    for number in range(3):
        epoch.maybe_save(lambda: {"k": np.array(number)})  # noqa: B023
        kept = epoch.load()
        assert kept is not None and kept["k"] == number


@pytest.mark.parametrize(
    ("epoch", "first", "last", "phi"),
    [(2, 0, 3, PHI), (1, 0, 2, PHI), (1, 1, 3, PHI), (1, 0, 3, PHI + 1e-6)],
)
def test_other_epochs_workers_and_losses_do_not_find_it(epoch, first, last, phi, tmp_path):
    folder = partial(tmp_path, stops=True)
    folder.of(1, 0, 3, PHI).maybe_save(lambda: ARRAYS)
    assert folder.of(epoch, first, last, phi).load() is None


def test_a_damaged_file_is_named_and_not_used(tmp_path, caplog):
    epoch = partial(tmp_path, stops=True).of(1, 0, 3, PHI)
    epoch.maybe_save(lambda: ARRAYS)
    (path,) = (tmp_path / "partial").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert epoch.load() is None
    assert f"{path} is damaged" in caplog.text


def test_a_folder_that_cannot_be_written_to_ends_no_run(tmp_path, caplog):
    (tmp_path / "partial").write_text("a file where the folder should be")
    partial(tmp_path, stops=True).of(1, 0, 3, PHI).maybe_save(lambda: ARRAYS)
    assert "could not be written" in caplog.text


def test_what_is_over_is_removed_and_the_folder_with_the_last_of_it(tmp_path):
    folder = partial(tmp_path, stops=True)
    for epoch in (1, 2, 3):
        folder.of(epoch, 0, 3, PHI).maybe_save(lambda: ARRAYS)
    folder.remove_until(2)
    assert [path.name for path in (tmp_path / "partial").iterdir()] == [
        "epoch_000003_workers_0_3.npz"
    ]
    folder.remove_until(3)
    assert not (tmp_path / "partial").exists()
    folder.remove_until(4)
