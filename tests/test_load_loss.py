"""A loss from numbers alone, by name or by folder."""

import json
import pickle
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import epg_tf
from epg_tf.evolved_loss.folder import find_loss, shipped_losses
from epg_tf.evolved_loss.load import load
from epg_tf.evolved_loss.saved_model import export_loss
from epg_tf.files import SHIPPED, read_json
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.tasks.reacher import RandomReacher

SETTINGS = {"context": InnerLoop(), "padded": InnerLoop(buffer_size=192, steps_per_update=64)}


def inputs_of(description):
    rng = np.random.default_rng(0)
    return {
        one["name"]: tf.constant(
            np.ones(one["shape"]) if one["name"] == "mask" else rng.normal(size=one["shape"]),
            tf.float32,
        )
        for one in description["inputs"]
    }


@pytest.mark.parametrize("name", SETTINGS)
def test_arrays_make_the_loss_of_the_saved_model(name, tmp_path):
    settings, family, folder = SETTINGS[name], RandomReacher(), tmp_path / "loss"
    phi = build_loss(settings, family).draw(np.random.default_rng(1))
    export_loss(settings, family, phi, folder)
    saved = tf.saved_model.load(str(folder))
    shutil.rmtree(folder / "variables")
    (folder / "saved_model.pb").unlink()
    loaded = epg_tf.load_loss(folder)
    np.testing.assert_array_equal(loaded.phi, phi)
    inputs = inputs_of(loaded.description)
    for function in ("loss", "per_step_loss"):
        ours, theirs = (getattr(of, function)(**inputs) for of in (loaded, saved))
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    flat = np.concatenate([array.ravel() for array in loaded.arrays.values()])
    np.testing.assert_array_equal(flat, phi)


@pytest.mark.parametrize("name", shipped_losses())
def test_what_ships_loads_by_name_with_the_same_parameters_everywhere(name):
    loaded = epg_tf.load_loss(name)
    np.testing.assert_array_equal(loaded.phi, load(name).phi)
    saved = tf.saved_model.load(str(find_loss(name)))
    flat = np.concatenate([variable.numpy().ravel() for variable in saved.phi])
    np.testing.assert_array_equal(loaded.phi, flat)


def test_a_name_may_be_short_and_a_folder_with_a_loss_comes_first(tmp_path, monkeypatch):
    assert find_loss("reacher").name == "reacher"
    assert find_loss("hopper").name == "hopper_taught"
    assert find_loss("losses/hopper_taught").name == "hopper_taught"
    monkeypatch.chdir(tmp_path)
    assert find_loss("reacher").is_dir()
    (tmp_path / "reacher").mkdir()
    assert find_loss("reacher").is_absolute()
    (tmp_path / "reacher" / "checkpoints").mkdir()
    assert find_loss("reacher").resolve() == tmp_path / "reacher"


def test_what_is_no_loss_is_named(tmp_path):
    sentence = r"`name` \(=nothing\) must be a folder .* reacher"
    with pytest.raises(ValueError, match=sentence):
        epg_tf.load_loss("nothing")
    damaged = shutil.copytree(find_loss("reacher"), tmp_path / "damaged")
    (damaged / "loss.npz").write_bytes((damaged / "loss.npz").read_bytes()[:-99])
    with pytest.raises(ValueError, match=r"`loss.npz` .* it is damaged"):
        epg_tf.load_loss(damaged)
    with pytest.raises(AttributeError, match="no attribute 'load_los'"):
        epg_tf.load_los  # noqa: B018


def test_arrays_with_a_program_in_them_are_refused(tmp_path):
    class Program:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    folder = shutil.copytree(find_loss("reacher"), tmp_path / "theirs")
    arrays = {"hidden.kernel": np.array([Program()], dtype=object)}
    np.savez(folder / "loss.npz", **arrays)
    with pytest.raises(ValueError, match=r"`loss.npz` .* it is damaged"):
        epg_tf.load_loss(folder)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(arrays["hidden.kernel"]))  # what would have happened
    assert (tmp_path / "ran").exists()


def test_losses_are_listed(tmp_path, capfd):
    path = tmp_path / "losses.json"
    subprocess.run([sys.executable, "-m", "epg_tf.losses", "--json", str(path)], check=True)
    said = capfd.readouterr().out.splitlines()
    listed = read_json(path)
    assert listed is not None and [line.split()[0] for line in said[1:-2]] == list(shipped_losses())
    assert said[-2] == f"They lie in {SHIPPED / 'losses'}, and what uses them in"
    about = json.loads((find_loss("reacher") / "loss.json").read_text())
    assert listed["reacher"]["num_parameters"] == about["num_parameters"]
    final = about["scores"]["methods"]["evolved"]["final_iqm"]
    assert listed["reacher"]["returns"]["evolved"]["final_iqm"] == final
    # The film, the curves and the run beside the loss are not part of it.
    film = (find_loss("reacher") / "film.mp4").stat().st_size
    assert 0 < listed["reacher"]["bytes"] < film


def test_tasks_are_gymnasiums_once_epg_tf_is_imported():
    program = """
import gymnasium
env = gymnasium.make("epg_tf:epg/RandomReacher-v0", task_seed=3)
assert env.reset(seed=0)[0].shape == (10,)
envs = gymnasium.make_vec("epg_tf:epg/RandomReacher-v0", num_envs=2)
assert envs.reset(seed=0)[0].shape == (2, 10)
import sys
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
