"""Checkpoints: to the bit, and never half of one."""

import dataclasses
import math

import numpy as np
import pytest

from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder, load_checkpoint
from epg_tf.outer_loop.strategy import EvolutionState

CONFIG = {"meta_train.seed": 3, "LearnedLoss.inputs": ["policy", "memory"], "x": None, "y": 1e-8}


def make(epoch, seed=0):
    rng = np.random.default_rng((seed, epoch))
    # Numbers that no rounding survives: subnormal, huge, negative zero, thirds.
    phi = np.concatenate([[5e-324, 1e308, -0.0, 1 / 3], rng.normal(size=20)])
    state = EvolutionState(epoch, phi, rng.normal(size=24), rng.random(24), epoch // 2)
    teaching = {"phi": rng.normal(size=24).astype(np.float32), "num_steps": np.asarray(7)}
    numbers = (-0.1 * epoch, 1 / 3, 10**13 + epoch)
    return Checkpoint(state, rng.normal(size=24), *numbers, CONFIG, teaching, "taught")


def assert_equal_to_the_bit(one, other):
    for field in dataclasses.fields(EvolutionState):
        ours, theirs = getattr(one.state, field.name), getattr(other.state, field.name)
        assert np.asarray(ours).dtype == np.asarray(theirs).dtype
        assert np.asarray(ours).tobytes() == np.asarray(theirs).tobytes()
    assert one.best_phi.tobytes() == other.best_phi.tobytes()
    assert one.teaching.keys() == other.teaching.keys()
    for name, array in one.teaching.items():
        assert array.dtype == other.teaching[name].dtype
        assert array.tobytes() == other.teaching[name].tobytes()
    names = ("best_return", "best_guidance", "env_steps", "config", "made")
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def test_what_is_read_is_what_was_written(tmp_path):
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.latest() is None
    checkpoint = make(7)
    assert_equal_to_the_bit(load_checkpoint(folder.save(checkpoint)), checkpoint)
    latest = folder.latest()
    assert_equal_to_the_bit(latest, checkpoint)


def test_the_start_of_a_run_has_no_best_return_yet(tmp_path):
    start = dataclasses.replace(make(0), best_return=math.nan, best_guidance=math.inf)
    read = load_checkpoint(CheckpointFolder(tmp_path).save(start))
    assert math.isnan(read.best_return)
    assert read.best_guidance == math.inf


def test_only_the_last_few_are_kept(tmp_path):
    folder = CheckpointFolder(tmp_path, num_kept=2)
    for epoch in (1, 2, 3, 999_999, 1_000_000):  # the last has a digit more than its name foresees
        folder.save(make(epoch))
        latest = folder.latest()
        assert latest.state.epoch == epoch
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["epoch_1000000.npz", "epoch_999999.npz"]


def test_a_write_that_fails_half_way_leaves_the_last_one(tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path)
    old = make(1)
    folder.save(old)

    def write_half(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", write_half)
    with pytest.raises(OSError, match="No space left"):
        folder.save(make(2))
    monkeypatch.undo()
    latest = folder.latest()
    assert_equal_to_the_bit(latest, old)
    folder.save(make(2))
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


def test_files_that_are_no_checkpoints_are_not_taken_for_one(tmp_path):
    folder = CheckpointFolder(tmp_path)
    folder.save(make(1))
    for name in ("epoch_000009.partial", "epoch_9.npz.old", "notes.txt"):
        (tmp_path / name).write_bytes(b"half")
    latest = folder.latest()
    assert latest.state.epoch == 1


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "of_something_else"])
def test_a_damaged_file_gets_a_sentence(tmp_path, damage):
    path = CheckpointFolder(tmp_path).save(make(1))
    whole = path.read_bytes()
    if damage == "of_something_else":
        np.savez(path, weights=np.zeros(3))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes(255 - b for b in whole[middle : middle + 40])
        contents = {"empty": b"", "text": b"phi\n", "cut": whole[:middle]}
        path.write_bytes(contents.get(damage, flipped + whole[middle + 40 :]))
    with pytest.raises(ValueError, match=r"`checkpoint` \(=.*_000001.npz\) must be a readable"):
        CheckpointFolder(tmp_path).latest()


def test_the_newest_sound_one_takes_the_place_of_those_that_are_damaged(tmp_path, caplog):
    folder = CheckpointFolder(tmp_path)
    paths = [folder.save(make(epoch)) for epoch in (1, 2, 3)]
    paths[2].write_bytes(b"")
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    latest = folder.latest()
    assert_equal_to_the_bit(latest, make(1))
    for path in paths[1:]:
        assert f"{path} is damaged; epoch_000001.npz takes its place." in caplog.text
    paths[0].unlink()
    with pytest.raises(ValueError, match=r"epoch_000003.npz\) .* nor any older one beside it is"):
        folder.latest()


def test_no_flipped_bit_makes_another_checkpoint(tmp_path):
    """Of every 97th bit: a sentence, or the very checkpoint (zip files have bits without a use)."""
    path = CheckpointFolder(tmp_path).save(make(1))
    whole = path.read_bytes()
    refused = 0
    bits = range(0, 8 * len(whole), 97)
    for bit in bits:
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        try:
            found = load_checkpoint(path)
        except ValueError as error:
            assert "must be a readable checkpoint file" in str(error)
            refused += 1
        else:
            assert_equal_to_the_bit(found, make(1))
    assert refused > 0.5 * len(bits)
