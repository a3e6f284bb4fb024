"""Training rivals from the outside: what a run leaves, how it goes on, its comparison."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from commands import PROJECT, call, make_loss, metrics_of, summary_of
from refusals import sentence_of

from epg_tf import evaluate
from epg_tf.files import CONFIG_FILE
from epg_tf.rivals import presets
from epg_tf.rivals.meta_training.checkpoint import RivalCheckpointFolder
from epg_tf.train_rival import __main__ as train_rival

TINY = {
    "train_rival.num_tasks": 2,
    "train_rival.num_epochs": 2,
    "train_rival.validate_every": 2,
    "train_rival.num_validation_tasks": 2,
    "train_rival.validation_updates": 1,
    "train_rival.steps_per_update": 60,
    "RL2.trial_steps": 120,
    "RL2.chunk_steps": 20,
    "RL2.hidden_size": 4,
    "RL2.num_passes": 1,
    "RL2.num_minibatches": 1,
}


def bindings(changes):
    return [f"{name} = {value}" for name, value in (TINY | changes).items()]


def run(root, preset="rivals/rl2_reacher.gin", **changes):
    """What `python -m epg_tf.train_rival` does, in this process."""
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    values = {"gin_file": [f"gin/{preset}"], "gin_binding": bindings(changes)}
    call(train_rival, root_dir=str(root), **values)


def checkpoint_of(root):
    return RivalCheckpointFolder(root / "checkpoints").latest()


@pytest.fixture(scope="module")
def rivals(tmp_path_factory):
    """The folders of an RL² and an E-RL² that have hardly been trained."""
    root = tmp_path_factory.mktemp("rivals")
    run(root / "rl2")
    run(root / "e_rl2", RL2__num_free_episodes=1)
    return root / "rl2", root / "e_rl2"


@pytest.fixture(scope="module")
def loss(tmp_path_factory):
    """A run's folder with a loss that nobody evolved, whose agents live twice 60 steps."""
    changes = {"num_updates": 2, "steps_per_update": 60, "buffer_size": 60}
    changes = {f"InnerLoop.{name}": value for name, value in changes.items()}
    return make_loss(tmp_path_factory.mktemp("loss") / "run", changes)


def compare(loss, root, **flag_values):
    values = {"num_tasks": 2, "num_seeds": 1, "methods": ["ppo", "rl2", "e_rl2"]}
    call(evaluate, **(values | {"loss": str(loss), "root_dir": str(root)} | flag_values))


def test_every_epoch_is_written_down(rivals):
    epochs = metrics_of(rivals[0])
    assert [(of["epoch"], of["env_steps"]) for of in epochs] == [(1, 240), (2, 480)]
    assert [of["validation_return"] is None for of in epochs] == [True, False]
    checkpoint = checkpoint_of(rivals[0])
    assert checkpoint.best_return == epochs[1]["validation_return"]
    assert (checkpoint.best_epoch, checkpoint.best_env_steps) == (2, 480)
    assert list((rivals[0] / "events").glob("events.out*"))
    assert presets.read([str(rivals[0] / CONFIG_FILE)], []).num_tasks == 2


@pytest.mark.parametrize(
    ("preset", "method", "trial_steps"),
    [
        ("rl2_hopper", "rl2", 240),
        ("rl2_dir_hopper", "rl2", 240),
        ("e_rl2_reacher", "e_rl2", 240),
        ("e_rl2_hopper", "e_rl2", 2060),
        ("e_rl2_dir_half_cheetah", "e_rl2", 840),
    ],
)
def test_a_preset_trains_an_epoch(preset, method, trial_steps, tmp_path, capfd):
    run(tmp_path, f"rivals/{preset}.gin", RL2__trial_steps=trial_steps, train_rival__num_epochs=1)
    assert f"RL2 ({method}), 2 tasks of" in capfd.readouterr().out
    (only,) = metrics_of(tmp_path)
    assert np.isfinite([only["return_mean"], only["value_loss"], only["gradient_norm"]]).all()


@pytest.mark.parametrize(
    ("preset", "what"), [("maml", "MAML (maml)"), ("es_maml", "ESMAML (es_maml)")]
)
def test_a_preset_of_maml_trains_an_epoch(preset, what, tmp_path, capfd):
    passes = {"MAML__num_passes": 1} if preset == "maml" else {}
    run(tmp_path, f"rivals/{preset}_dir_half_cheetah.gin", **passes, train_rival__num_epochs=1)
    assert f"{what}, 2 tasks of DirHalfCheetah" in capfd.readouterr().out
    (only,) = metrics_of(tmp_path)
    assert np.isfinite([only["return_mean"], only["return_before_adaptation"]]).all()


def test_a_run_that_is_carried_on_equals_one_that_was_not(rivals, tmp_path, capfd):
    run(tmp_path / "run", train_rival__num_epochs=1)
    run(tmp_path / "run")
    assert "Going on from epoch 1 of 2" in capfd.readouterr().out
    one, other = checkpoint_of(tmp_path / "run"), checkpoint_of(rivals[0])
    assert one.state.keys() == other.state.keys()
    assert all(np.array_equal(value, other.state[name]) for name, value in one.state.items())
    run(tmp_path / "run")
    assert "Nothing to do" in capfd.readouterr().out
    assert len(metrics_of(tmp_path / "run")) == 2


def test_another_config_is_refused(rivals, capfd):
    sentence = sentence_of(capfd, lambda: run(rivals[0], RL2__clip=0.3))
    assert "must not hold a run with another config: `RL2.clip` is 0.1 there and 0.3" in sentence
    sentence = sentence_of(capfd, lambda: run(rivals[0], train_rival__num_epochs=1))
    assert sentence.startswith("`train_rival.num_epochs` (=1) must be at least the 2 epochs")


def test_the_folder_of_an_evolution_is_refused(loss, capfd):
    assert "must not hold another kind of run" in sentence_of(capfd, lambda: run(loss))


def test_ctrl_c_stops_at_the_end_of_the_epoch(tmp_path):
    changes = {"train_rival.num_epochs": 10_000, "train_rival.validate_every": 0}
    arguments = [part for b in bindings(changes) for part in ("--gin_binding", b)]
    job = [sys.executable, "-m", "epg_tf.train_rival", "--gin_file", "gin/rivals/rl2_reacher.gin"]
    process = subprocess.Popen(
        [*job, *arguments, "--root_dir", str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not (tmp_path / "metrics.jsonl").exists():
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=150)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    done = len(metrics_of(tmp_path))
    assert f"Stopped after epoch {done} of 10000; the same command goes on" in out
    assert checkpoint_of(tmp_path).epoch == done


def test_rivals_are_compared_from_the_first_step_on(loss, rivals, tmp_path, capfd):
    compare(loss, tmp_path / "results", rivals=[str(folder) for folder in rivals])
    with np.load(tmp_path / "results" / "curves.npz") as curves:
        assert curves["rl2"].shape == curves["e_rl2"].shape == curves["ppo"].shape == (2, 1, 2)
        assert np.isfinite(curves["rl2"]).all()
        assert not np.array_equal(curves["rl2"], curves["e_rl2"])
    about = summary_of(tmp_path / "results")["provenance"]
    assert about["rivals_env_steps"] == {"rl2": 480, "e_rl2": 480}
    assert "E-RL²: meta-trained for 480 environment steps." in capfd.readouterr().out


def test_rivals_that_do_not_fit_are_refused(loss, rivals, tmp_path, capfd):
    rl2, e_rl2 = map(str, rivals)
    for given, sentence in (
        ([], "`--rivals` (=none) must name the folder of a run of epg_tf.train_rival for 'rl2'"),
        ([rl2, rl2], f"{rl2} and {rl2} are both of 'rl2'."),
        ([str(tmp_path)], "must be the folder of a run of epg_tf.train_rival, with `checkpoints`"),
        ([str(loss)], "must be the folder of a rival"),
    ):
        compared = lambda given=given: compare(loss, tmp_path / "results", rivals=given)  # noqa: E731
        assert sentence in sentence_of(capfd, compared)
    unused = lambda: compare(loss, tmp_path / "r", rivals=[rl2, e_rl2], methods=["ppo", "rl2"])  # noqa: E731
    assert f"{e_rl2} is of 'e_rl2', which --methods does not name." in sentence_of(capfd, unused)
