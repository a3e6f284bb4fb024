"""The main job from the outside: what a run leaves behind, how it goes on, what it refuses."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from commands import (
    HOROVODRUN,
    PROJECT,
    call,
    events_in,
    everything_in,
    execute,
    metrics_of,
    scalars_in,
)
from lean import LEAN
from refusals import sentence_of

from epg_tf import command_line, config, train
from epg_tf.evolved_loss.load import load, loss_to_start_from
from epg_tf.outer_loop.checkpoint import Checkpoint, CheckpointFolder, load_checkpoint
from epg_tf.outer_loop.meta_train import EpochRecord
from epg_tf.outer_loop.stop import StopRequest
from epg_tf.outer_loop.strategy import EvolutionState
from epg_tf.ranks import Ranks
from epg_tf.run.dashboard import tag_of
from epg_tf.run.folder import RunFolder
from epg_tf.run.records import read_run
from epg_tf.run.training import train as train_in
from epg_tf.tasks.reacher import RandomReacher

TINY = {
    "meta_train.num_workers": 4,
    "meta_train.num_epochs": 2,
    "InnerLoop.num_updates": 2,
    "InnerLoop.steps_per_update": 32,
    "InnerLoop.buffer_size": 32,
    "InnerLoop.num_minibatches": 1,
    "InnerLoop.hidden_sizes": (4,),
    "meta_train.guidance": "@Constant()",
    "Constant.value": 0.0,
}
KEYS = [
    "epoch",
    "env_steps",
    "num_updates",
    "seconds",
    "return_mean",
    "return_median",
    "return_std",
    "return_min",
    "return_max",
    "guidance",
    "outer_learning_rate",
    "noise_std",
    "relative_step",
    "pair_correlation",
    "validation_return",
    "teaching_error",
    "teaching_target",
    "teaching_explained",
    "critic_error",
    "expert_return",
    "phi_norm",
    "gradient_norm",
    "diverged_workers",
    "failed_steps",
    "env_steps_per_second",
    "physics_seconds",
    "update_seconds",
]


def bindings(changes):
    return [f"{name} = {value}" for name, value in (TINY | changes).items()]


def run(root, **changes):
    """A tiny run in this process, as train.main makes it."""
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    settings = config.read(["tests/data/paper_reacher.gin"], bindings(changes))
    ranks = Ranks()
    folder = RunFolder(str(root), settings, ranks, config.complete_config)
    return train_in(settings, ranks, folder, StopRequest(announce=False))


def command(root, changes, *launcher):
    gin_bindings = [part for b in bindings(changes) for part in ("--gin_binding", b)]
    preset = ["--gin_file", "tests/data/paper_reacher.gin"]
    job = [sys.executable, "-m", "epg_tf.train", *preset, *gin_bindings]
    return [*launcher, *job, "--root_dir", root]


def call_train(root, changes, **flag_values):
    """Does in this process what the command does."""
    values = {"gin_file": ["tests/data/paper_reacher.gin"], "gin_binding": bindings(changes)}
    call(train, **(values | {"root_dir": str(root)} | flag_values))


def state_of(root):
    checkpoint = CheckpointFolder(root / "checkpoints").latest()
    return checkpoint.state


def assert_same_state(root, other):
    ours, theirs = state_of(root), state_of(other)
    for field in dataclasses.fields(ours):
        values = [np.asarray(getattr(state, field.name)) for state in (ours, theirs)]
        assert values[0].tobytes() == values[1].tobytes(), field.name


@pytest.fixture(scope="module")
def two_epochs(tmp_path_factory):
    root = tmp_path_factory.mktemp("two_epochs") / "run"
    assert run(root)
    return root


@pytest.fixture(scope="module")
def three_epochs(tmp_path_factory):
    root = tmp_path_factory.mktemp("three_epochs") / "run"
    assert run(root, meta_train__num_epochs=3)
    return root


@pytest.fixture
def copy_of_two(two_epochs, tmp_path):
    root = tmp_path / "copy"
    subprocess.run(["cp", "-a", two_epochs, root], check=True)
    return root


# What a run leaves behind.


def test_metrics_have_one_line_per_epoch_with_the_keys_of_the_contract(two_epochs):
    lines = metrics_of(two_epochs)
    assert [list(line) for line in lines] == [KEYS, KEYS]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert [line["env_steps"] for line in lines] == [4 * 2 * 32, 2 * 4 * 2 * 32]
    for line in lines:
        assert line["return_min"] <= line["return_median"] <= line["return_max"]
        assert line["return_min"] <= line["return_mean"] <= line["return_max"]
        assert line["guidance"] == 0.0
        assert line["diverged_workers"] == 0
        np.testing.assert_allclose(line["env_steps_per_second"], 256 / line["seconds"])
        assert line["physics_seconds"] + line["update_seconds"] < line["seconds"]
    state = state_of(two_epochs)
    np.testing.assert_allclose(lines[1]["phi_norm"], np.linalg.norm(state.phi))


def test_tensorboard_shows_the_same_numbers(two_epochs):
    expected = {
        (tag_of(name), line["epoch"]): line[name]
        for line in metrics_of(two_epochs)
        for name in KEYS
        if name != "epoch" and line[name] is not None
    }
    events = two_epochs / "events"
    scalars = {(tag, step): value for tag, step, value in scalars_in(events)}
    assert scalars == pytest.approx(expected, rel=1e-6)
    seen = {(tag, step) for tag, step, _ in events_in(events)}
    assert {("config", 0), ("phi", 1), ("phi", 2), ("custom_scalars__config__", 0)} <= seen


def test_the_operative_config_is_that_of_the_run(two_epochs):
    written = config.read([str(two_epochs / "operative_config.gin")], [])
    assert written == config.read(["tests/data/paper_reacher.gin"], bindings({}))


@pytest.mark.parametrize("name", ["latest", "best"])
def test_exported_losses_load_with_plain_tensorflow(two_epochs, name):
    checkpoint = load_checkpoint(two_epochs / "checkpoints" / "epoch_000002.npz")
    phi = {"latest": checkpoint.state.phi, "best": checkpoint.best_phi}[name]
    loaded = tf.saved_model.load(str(two_epochs / "export" / name))
    flat = np.concatenate([variable.numpy().ravel() for variable in loaded.phi])
    np.testing.assert_array_equal(flat, phi.astype(np.float32))
    shapes = loaded.signatures["loss"].structured_input_signature[1]
    rng = np.random.default_rng(0)
    inputs = {
        key: tf.constant(rng.normal(size=(3, *spec.shape[1:])), tf.float32)
        for key, spec in shapes.items()
    }
    assert "reward" not in inputs
    losses = loaded.signatures["loss"](**inputs)
    assert [value.shape for value in losses.values()] == [(3,)]


def test_the_best_loss_is_that_of_the_best_epoch(three_epochs):
    means = [line["return_mean"] for line in metrics_of(three_epochs)]
    folder = three_epochs / "checkpoints"
    checkpoint = load_checkpoint(folder / "epoch_000003.npz")
    assert checkpoint.best_return == max(means)
    before = int(np.argmax(means))  # the epoch whose end is where the best one began
    if before:
        state = load_checkpoint(folder / f"epoch_{before:06d}.npz").state
        np.testing.assert_array_equal(checkpoint.best_phi, state.phi)


# How a run goes on.


def test_a_run_that_goes_on_equals_one_that_never_stopped(copy_of_two, three_epochs, capfd):
    before = (copy_of_two / "metrics.jsonl").read_text()
    assert run(copy_of_two, meta_train__num_epochs=3)
    assert "Going on from epoch 2 of 3" in capfd.readouterr().out
    after = (copy_of_two / "metrics.jsonl").read_text()
    assert after.startswith(before)
    assert [line["epoch"] for line in metrics_of(copy_of_two)] == [1, 2, 3]
    assert_same_state(copy_of_two, three_epochs)
    same = [k for k in KEYS if "second" not in k]
    ours, theirs = (metrics_of(root)[2] for root in (copy_of_two, three_epochs))
    assert {k: ours[k] for k in same} == {k: theirs[k] for k in same}


@pytest.fixture(scope="session")
def confined_settings():
    return LEAN | {
        "InnerLoop.num_updates": 6,
        "InnerLoop.log_std_bounds": (-3.0, 0.0),
        "LearnedLoss.mean_penalty": 8.0,
        "LearnedLoss.log_std_penalty": 1.0,
        "meta_train.validate_every": 2,
    }


def test_lifetimes_may_be_shorter_in_the_search_than_those_that_the_loss_is_for(
    confined_settings, tmp_path
):
    shorter = {"meta_train.num_updates": "@search/Constant()", "search/Constant.value": 4}
    assert run(tmp_path, **confined_settings | shorter)
    assert [line["num_updates"] for line in metrics_of(tmp_path)] == [4, 4]
    assert metrics_of(tmp_path)[-1]["env_steps"] == 2 * 4 * 4 * 32
    assert load(str(tmp_path)).inner_loop.num_updates == 6


def test_lifetimes_may_grow_over_epochs_and_go_on_where_they_stood(tmp_path):
    growing = LEAN | {
        "meta_train.num_updates": "@lifetime/Linear()",
        "lifetime/Linear.start": 1,
        "lifetime/Linear.end": 4,
        "lifetime/Linear.num_epochs": 3,
    }
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(whole, meta_train__num_epochs=4, **growing)
    lines = metrics_of(whole)
    assert [line["num_updates"] for line in lines] == [1, 2, 3, 4]
    steps = [line["env_steps"] for line in lines]
    assert steps == [4 * 32 * num_updates for num_updates in (1, 1 + 2, 1 + 2 + 3, 1 + 2 + 3 + 4)]
    assert run(parts, **growing)
    assert run(parts, meta_train__num_epochs=4, **growing)
    assert_same_state(parts, whole)


def taught_by(teacher, **settings):
    """The settings of a run that a teacher begins, with these settings of its own."""
    settings |= {"num_epochs": 3, "num_kept_epochs": 2, "minibatch_size": 3}
    return LEAN | {
        "meta_train.num_epochs": 4,
        "meta_train.teacher": f"@{teacher}()",
        "meta_train.validate_every": 2,
        f"{teacher}.log_std_floor": "@floor/PiecewiseLinear()",
        "floor/PiecewiseLinear.epochs": (2, 3),
        "floor/PiecewiseLinear.values": (-0.01, -0.02),
        **{f"{teacher}.{name}": value for name, value in settings.items()},
    }


TAUGHT_BY_A_CRITIC = taught_by(
    "CriticTeacher",
    num_steps=3,
    num_gradient_steps=7,
    critic_minibatch_size=16,
    hidden_sizes=(8,),
    actor_sees_task=True,
)
TAUGHT_BY_AN_EXPERT = taught_by(
    "ExpertTeacher",
    num_explorers=5,
    num_iterations=2,
    steps_per_iteration=50,
    expert_minibatch_size=100,
    hidden_sizes=(8,),
    sees=("link_length",),
)
TEACHERS = {"critic": TAUGHT_BY_A_CRITIC, "expert": TAUGHT_BY_AN_EXPERT}
by_teachers = pytest.mark.parametrize("settings", TEACHERS.values(), ids=TEACHERS.keys())


@pytest.fixture(scope="module", params=TEACHERS.values(), ids=TEACHERS.keys())
def taught(request, tmp_path_factory):
    """A run that was taught, and what it was bound to."""
    root = tmp_path_factory.mktemp("taught") / "run"
    assert run(root, **request.param)
    return root, request.param


def test_a_run_may_be_taught_first_and_says_so(taught):
    taught, settings = taught
    lines = metrics_of(taught)
    assert [line["guidance"] for line in lines] == [0.0] * 4
    for name, by in (("critic_error", TAUGHT_BY_A_CRITIC), ("expert_return", TAUGHT_BY_AN_EXPERT)):
        known = [line[name] is not None for line in lines]
        assert known == [settings is by] * 3 + [False]
    explored = 5 * 2 * 50 if settings is TAUGHT_BY_AN_EXPERT else 0
    lived = [line["env_steps"] - explored * min(line["epoch"], 3) for line in lines]
    assert lived == [4 * 2 * 32 * epoch for epoch in (1, 2, 3, 4)]
    assert [line["teaching_error"] is not None for line in lines] == [True, True, True, False]
    assert [line["outer_learning_rate"] for line in lines] == [None, None, None, 0.01]
    assert [line["validation_return"] is not None for line in lines] == [False, True, False, True]
    for line in lines[:3]:
        share = 1.0 - line["teaching_error"] / line["teaching_target"]
        assert line["teaching_explained"] == pytest.approx(share)
    checkpoints = [load_checkpoint(path) for path in sorted((taught / "checkpoints").iterdir())]
    assert [c.made for c in checkpoints] == ["taught", "taught", "taught, then evolved"]
    assert ["phi" in c.teaching for c in checkpoints] == [True, False, False]
    for name, array in checkpoints[1].teaching.items():  # the teacher's stay, to be looked at
        assert name.startswith("teacher_")
        np.testing.assert_array_equal(checkpoints[2].teaching[name], array)
    assert checkpoints[2].teaching.keys() == checkpoints[1].teaching.keys() != set()
    assert [c.state.start_epoch for c in checkpoints] == [2, 3, 3]
    best = max((line["validation_return"], line["epoch"]) for line in (lines[1], lines[3]))
    assert (checkpoints[-1].best_return, checkpoints[-1].best_epoch) == best
    place = read_run(taught).best
    assert place is not None and lines[place]["epoch"] == best[1]
    exported = load(str(taught / "export" / "best"))
    assert exported.epoch == best[1] and exported.env_steps == lines[best[1] - 1]["env_steps"]
    assert exported.made == {2: "taught", 4: "taught, then evolved"}[best[1]]
    loss = load(str(taught / "export" / "latest"))
    assert loss.made == "taught, then evolved"


def test_teaching_goes_on_where_it_stood(taught, tmp_path):
    taught, settings = taught
    for num_epochs in (1, 2, 3, 4):
        assert run(tmp_path, **(settings | {"meta_train.num_epochs": num_epochs}))
    assert_same_state(tmp_path, taught)


@pytest.mark.parametrize(
    "settings", [LEAN, TAUGHT_BY_A_CRITIC, TAUGHT_BY_AN_EXPERT], ids=["evolved", "critic", "expert"]
)
def test_the_bar_is_told_of_all_environment_steps_of_an_epoch(settings, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(RunFolder, "show_steps", lambda folder, steps: told.append(steps))
    assert run(tmp_path, **(settings | {"meta_train.num_epochs": 1}))
    assert sum(told) == metrics_of(tmp_path)[0]["env_steps"]


def test_the_number_of_ranks_does_not_change_what_is_taught(taught, tmp_path):
    taught, settings = taught
    result = execute(*command(tmp_path, settings, HOROVODRUN, "-np", 2))  # 5 explorers: 3 and 2
    assert result.returncode == 0, result.stderr
    assert_same_state(tmp_path, taught)


@by_teachers
def test_workers_that_diverge_teach_nothing(settings, tmp_path, monkeypatch):
    """Of an epoch of nothing but NaN the run learns nothing, and says so."""
    monkeypatch.setattr(
        RandomReacher, "reward", lambda self, *_: np.full(len(_[0]), np.nan), raising=True
    )
    two = settings | {"meta_train.num_epochs": 2, "meta_train.validate_every": 0}
    assert run(tmp_path, **two)
    lines = metrics_of(tmp_path)
    assert [line["diverged_workers"] for line in lines] == [4, 4]
    assert [line["teaching_error"] for line in lines] == [None, None]
    start = load_checkpoint(tmp_path / "checkpoints" / "epoch_000001.npz").state.phi
    np.testing.assert_array_equal(state_of(tmp_path).phi, start)


def test_a_run_may_start_from_the_loss_of_another(two_epochs, tmp_path):
    binding = {"meta_train.start_from": repr(str(two_epochs)), "meta_train.seed": 5}
    call_train(tmp_path / "further", binding)
    checkpoints = tmp_path / "further" / "checkpoints"
    first = load_checkpoint(checkpoints / "epoch_000001.npz")
    start = state_of(two_epochs).phi.astype("<f4").astype("<f8")
    assert first.best_phi.tobytes() == start.tobytes()
    written = (tmp_path / "further" / "operative_config.gin").read_text()
    assert "meta_train.start_from" in written and "meta_train.seed = 5" in written


def test_a_name_to_start_from_means_the_loss_and_not_the_preset():
    settings = config.read(["reacher"], ["meta_train.start_from = 'reacher'"])
    start = loss_to_start_from(settings)
    assert start is not None and start.phi_crc32 == load("losses/reacher").phi_crc32


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"meta_train.start_from": "'nowhere'"}, "`meta_train.start_from` (=nowhere) must be the"),
        (
            {"LearnedLoss.hidden_size": 8},
            "own loss: `LearnedLoss.hidden_size` is 16 there",
        ),
        ({"meta_train.family": "@RandomHopper()"}, "it is for RandomReacher, of 10 and 2, and the"),
    ],
)
def test_a_loss_that_a_run_cannot_start_from_is_refused(changes, sentence, two_epochs, tmp_path):
    start = {"meta_train.start_from": repr(str(two_epochs))}
    settings = config.read(["tests/data/paper_reacher.gin"], bindings(start | changes))
    with pytest.raises(ValueError, match=re.escape(sentence)):
        loss_to_start_from(settings)


def test_a_finished_run_is_left_alone_and_says_so(copy_of_two, capfd):
    before = everything_in(copy_of_two)
    assert run(copy_of_two)
    said = capfd.readouterr().out
    assert "Nothing to do" in said
    assert "reached epoch 2, and `meta_train.num_epochs` is 2; raise it" in said
    after = everything_in(copy_of_two)
    events = pathlib.Path("events")
    assert {k: v for k, v in after.items() if events not in (k, *k.parents)} == {
        k: v for k, v in before.items() if events not in (k, *k.parents)
    }


def test_what_was_killed_between_metrics_and_checkpoint_is_done_again(
    tmp_path, two_epochs, monkeypatch
):
    class Killed(Exception):
        pass

    save = CheckpointFolder.save

    def save_the_first(self, checkpoint):
        if checkpoint.state.epoch == 2:
            raise Killed
        return save(self, checkpoint)

    monkeypatch.setattr(CheckpointFolder, "save", save_the_first)
    with pytest.raises(Killed):
        run(tmp_path)
    monkeypatch.undo()
    assert [line["epoch"] for line in metrics_of(tmp_path)] == [1, 2]
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 3, "env_st')
    assert run(tmp_path)
    assert [line["epoch"] for line in metrics_of(tmp_path)] == [1, 2]
    assert_same_state(tmp_path, two_epochs)


def test_what_was_killed_between_checkpoint_and_export_is_exported(copy_of_two):
    latest = copy_of_two / "export" / "latest"
    os.utime(latest, (0, 0))  # as if it were an older epoch's
    assert run(copy_of_two)
    checkpoint = copy_of_two / "checkpoints" / "epoch_000002.npz"
    assert latest.stat().st_mtime >= checkpoint.stat().st_mtime


def test_sigterm_ends_with_a_checkpoint_from_which_the_run_goes_on(tmp_path):
    root = tmp_path / "run"
    with subprocess.Popen(
        [*map(str, command(root, LEAN | {"meta_train.num_epochs": 100_000}))],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + 100
            while not list(root.glob("checkpoints/*.npz")) and process.poll() is None:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "Traceback" not in err
    assert err.count("SIGTERM: stopping at the end of this epoch") == 1
    epoch = state_of(root).epoch
    assert f"Stopped after epoch {epoch} of 100000; the same command goes on from there." in out
    assert [line["epoch"] for line in metrics_of(root)] == list(range(1, epoch + 1))
    assert (root / "export" / "latest").is_dir()
    assert run(root, meta_train__num_epochs=epoch + 1, **LEAN)
    assert metrics_of(root)[-1]["epoch"] == epoch + 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_is_not_caught(number, capfd):
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with StopRequest(announce=True) as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.requested
        assert signal.getsignal(number) is signal.SIG_DFL
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    assert f"{number.name}: stopping at the end of this epoch" in capfd.readouterr().err


# Numbers that are none.


def test_a_folder_in_use_is_refused(tmp_path):
    settings = config.read(["tests/data/paper_reacher.gin"], bindings({"meta_train.num_epochs": 9}))
    start = settings.strategy.init(np.zeros(3))
    with RunFolder(str(tmp_path), settings, Ranks()) as run_folder:
        run_folder.open(start)
        with pytest.raises(ValueError, match="must not be in use by another run"):
            RunFolder(str(tmp_path), settings, Ranks())
    RunFolder(str(tmp_path), settings, Ranks())  # and free again after the run


def test_where_most_workers_have_no_return_an_epoch_is_never_the_best():
    state = EvolutionState(0, *np.zeros((3, 2)))
    before = Checkpoint(state, np.ones(2), -7.0, 0.0, 64, {}, best_epoch=0)
    for returns, best in (([-1.0, -1.0, np.nan, np.nan], -1.0), ([-1.0, np.nan, np.nan], -7.0)):
        after = before.followed_by(state, 64, np.array(returns), 0.0, taught=False)
        assert after.best_return == best


def test_an_epoch_without_a_return_is_recorded_and_never_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr(RunFolder, "_export", lambda *_: None)  # three numbers are no loss
    settings = config.read(["tests/data/paper_reacher.gin"], bindings({"meta_train.num_epochs": 9}))
    start = settings.strategy.init(np.zeros(3))
    logs = {"guidance": 0.0, "seconds": 2.0, "phi_norm": np.inf, "gradient_norm": np.nan}
    workers = {name: np.zeros(4) for name in ("failed_steps", "physics_seconds", "update_seconds")}
    workers |= {"diverged": np.ones(4)}
    nan, best, shown = np.nan, [], []
    with RunFolder(str(tmp_path), settings, Ranks()) as run_folder:
        checkpoint = run_folder.open(start)
        for epoch, last in enumerate((nan, -5.0, nan, -7.0, -3.0), start=1):
            returns = np.full(4, nan) if epoch == 3 else np.array([-5.0, -5.0, -5.0, last])
            state = dataclasses.replace(start, epoch=epoch, phi=np.full(3, float(epoch)))
            checkpoint = checkpoint.followed_by(state, 64, returns, 0.0, taught=False)
            run_folder.record_epoch(
                EpochRecord(checkpoint, 64, workers | {"returns": returns}, logs, stopped=False)
            )
            best.append((checkpoint.best_return, checkpoint.best_phi[0], checkpoint.best_epoch))
            shown.append(read_run(tmp_path).best)
    # The phi of an epoch is the one that it began with; returns that are not finite do not count.
    assert best == [(-5.0, 0.0, 0)] * 4 + [(-4.5, 4.0, 4)]
    assert shown == [0] * 4 + [4]  # places among the metrics

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    parsed = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [line["return_mean"] for line in parsed] == [-5.0, -5.0, None, -5.5, -4.5]
    assert {line["phi_norm"] for line in parsed} == {line["gradient_norm"] for line in parsed}
    assert parsed[0]["phi_norm"] is None


# What is refused: one sentence, an exit code, and nothing touched.


def refusal(root, changes, capfd):
    """What train.main says of bad input."""
    return sentence_of(capfd, lambda: call_train(root, changes))


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, capfd):
    file = tmp_path / "file"
    file.write_text("mine")
    for root in (file, file / "below"):
        sentence = refusal(root, {}, capfd)
        assert f"`--root_dir` (={root}) must be a folder one can write to" in sentence
    assert file.read_text() == "mine"
    assert "`--root_dir` (='') must name a folder" in refusal("", {}, capfd)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (
            {"InnerLoop.num_updates": 3, "EvolutionStrategy.noise_std": 0.05},
            (
                "must not hold a run with another config",
                "`InnerLoop.num_updates` is 2 there and 3 here",
                "`EvolutionStrategy.noise_std` is 0.03 there and 0.05 here",
            ),
        ),
        (
            {"LearnedLoss.inputs": ("observation", "reward", "policy")},
            ("'memory', 'policy'] there and ['observation', 'reward', 'policy'] here",),
        ),
        (
            {"meta_train.num_epochs": 1},
            ("`meta_train.num_epochs` (=1) must be at least the 2 epochs that the run",),
        ),
    ],
)
def test_a_run_with_other_settings_is_refused_and_left_as_it_is(changes, parts, two_epochs, capfd):
    before = everything_in(two_epochs)
    sentence = refusal(two_epochs, changes, capfd)
    for part in parts:
        assert part in sentence
    assert sentence.count(" there and ") == str(parts).count(" there and ")
    assert everything_in(two_epochs) == before


def test_a_run_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before(
    copy_of_two, two_epochs, capfd
):
    first, second = sorted((copy_of_two / "checkpoints").iterdir())
    whole = second.read_bytes()
    second.write_bytes(whole[:1000])
    assert run(copy_of_two)
    assert_same_state(copy_of_two, two_epochs)
    assert [line["epoch"] for line in metrics_of(copy_of_two)] == [1, 2]
    for path in (first, second):
        path.write_bytes(whole[:1000])
    capfd.readouterr()
    sentence = refusal(copy_of_two, {}, capfd)
    assert f"`checkpoint` (={second}) must be a readable checkpoint file, and neither" in sentence


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"meta_train.num_workers": 3}, "`num_workers` (=3) must be even"),
        ({"meta_train.num_workers": 10**9}, "must fit into the host's memory"),
        (
            {"RandomReacher.link_length": (1e-300, 1e300)},
            "`RandomReacher` (task 0) must draw what MuJoCo takes; it says: mass and inertia",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_there_is_a_folder(changes, part, tmp_path, capfd):
    assert part in refusal(tmp_path / "run", changes, capfd)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("flags_given", "code", "said"),
    [
        (["--help"], 0, ""),
        (["-h"], 0, ""),
        (["--nonsense"], 2, "epg_tf: Unknown command line flag 'nonsense'; see --help.\n"),
        ([], 2, "epg_tf: `--root_dir` (=none) must be given; see --help.\n"),
        (["--root_dir=x", "more"], 2, "epg_tf: `more` is not a flag; see --help.\n"),
    ],
)
def test_flags_end_with_the_codes_of_all_other_input(flags_given, code, said, tmp_path):
    result = execute(sys.executable, "-m", "epg_tf.train", *flags_given)
    assert (result.returncode, result.stderr) == (code, said)
    assert ("--gin_file" in result.stdout) == (code == 0)


def test_from_a_shell_too_bad_input_is_one_line_and_a_code(tmp_path):
    result = execute(*command(tmp_path / "run", {"InnerLop.num_updates": 3}))
    assert result.returncode == command_line.BAD_INPUT
    assert result.stdout == ""
    assert result.stderr == (
        "epg_tf: `--gin_binding` (=InnerLop.num_updates = 3) is not understood: "
        "No configurable matching 'InnerLop'.\n"
    )
    assert not list(tmp_path.iterdir())


# Ranks.


def test_the_number_of_ranks_does_not_change_phi(two_epochs, tmp_path):
    # Four workers on three ranks: shares differ, and the second pair is split between two ranks.
    result = execute(*command(tmp_path, {}, HOROVODRUN, "-np", 3))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Starting at epoch 0 of 2: 4 workers on 3 ranks") == 1
    assert result.stdout.count(f"The loss: {tmp_path}/export/latest; that of the best epoch") == 1
    assert (tmp_path / "export" / "latest" / "loss.json").is_file()
    assert_same_state(tmp_path, two_epochs)
    assert [list(line) for line in metrics_of(tmp_path)] == [KEYS, KEYS]
    same = [k for k in KEYS if "second" not in k]
    for ours, theirs in zip(metrics_of(tmp_path), metrics_of(two_epochs), strict=True):
        assert {k: ours[k] for k in same} == {k: theirs[k] for k in same}


def test_ranks_say_what_is_wrong_once(tmp_path):
    result = execute(
        *command(tmp_path / "run", {"meta_train.num_workers": 7}, HOROVODRUN, "-np", 2)
    )
    assert result.returncode != 0
    said = result.stdout + result.stderr
    sentence = "epg_tf: `num_workers` (=7) must be even with sampling='paired'."
    assert said.count("epg_tf: ") == said.count(sentence) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("raise ValueError('only here')", "epg_tf: only here"),
        ("raise RuntimeError('only here')", "RuntimeError: only here"),
    ],
)
def test_what_goes_wrong_on_one_rank_ends_them_all(trouble, says):
    program = f"""
from epg_tf import command_line
from epg_tf.ranks import Ranks
import numpy as np
ranks = Ranks()
with command_line.one_sentence(ranks):
    if ranks.rank == 1:
        {trouble}
ranks.allgather(np.zeros(1))
print("went on", flush=True)
"""
    result = execute(HOROVODRUN, "-np", 2, sys.executable, "-c", program, timeout=60)
    assert result.returncode != 0
    assert result.stderr.count(says) == 1
    assert "went on" not in result.stdout


def test_np_starts_ranks_without_a_launcher(two_epochs, tmp_path):
    result = execute(*command(tmp_path, {}), "--np", 2)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Starting at epoch 0 of 2: 4 workers on 2 ranks")
    assert_same_state(tmp_path, two_epochs)
    (typed,) = (tmp_path / "commands.txt").read_text().splitlines()
    assert typed.startswith("python -m epg_tf.train ")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--np", 0), "`--np` (=0) must be a positive integer."),
        (
            ("--np", 2, "--num_workers", 7),
            "`num_workers` (=7) must be even with sampling='paired'.",
        ),
    ],
)
def test_np_ends_with_what_the_ranks_say(flags, sentence, tmp_path):
    result = execute(*command(tmp_path / "run", {}), *flags)
    assert (result.returncode, result.stderr) == (command_line.BAD_INPUT, f"epg_tf: {sentence}\n")
    assert not list(tmp_path.iterdir())


def test_np_ends_when_a_rank_is_lost_and_stops_like_one_process(tmp_path):
    job = [*command(tmp_path, {"meta_train.num_epochs": 100_000}), "--np", "2"]
    for receiver, code in (("rank", command_line.RANK_LOST), ("launcher", 128 + signal.SIGTERM)):
        with subprocess.Popen(
            list(map(str, job)),
            cwd=PROJECT,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as launcher:
            assert launcher.stdout.readline().startswith("Starting at epoch ")
            children = pathlib.Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children")
            if receiver == "rank":
                os.kill(int(children.read_text().split()[1]), signal.SIGKILL)
            else:
                launcher.terminate()
            launcher.communicate(timeout=100)
            assert launcher.returncode == code


def test_short_forms_override_the_preset(tmp_path):
    call_train(tmp_path, {}, seed=5, num_epochs=1, num_workers=2)
    names = ("seed", "num_epochs", "num_workers")
    assert [read_run(tmp_path).setting(name) for name in names] == [5, 1, 2]


# What programs read, and what is said before anything is done.


def test_a_dry_run_says_what_a_run_would_take_and_writes_nothing(tmp_path, capfd):
    root, path = tmp_path / "run", tmp_path / "plan.json"
    changes = LEAN | {"meta_train.num_epochs": 5, "meta_train.validate_every": 2}
    call_train(root, changes, dry_run=True, json=str(path))
    planned = json.loads(path.read_text())
    said = capfd.readouterr()
    assert not root.exists() and said.err == ""
    assert "Would train a loss" in said.out and "Nothing was written." in said.out
    settings = config.read(["tests/data/paper_reacher.gin"], bindings(changes))
    assert planned["env_steps"] == 5 * settings.env_steps_in(1)
    assert planned["validation_env_steps"] == 2 * settings.env_steps_in(1)
    assert planned["seconds"] > 0.0 and planned["bytes_per_rank"] > 1e8


def test_a_run_says_how_it_ended_to_programs(tmp_path):
    root, path = tmp_path / "run", tmp_path / "result.json"
    call_train(root, LEAN | {"meta_train.num_epochs": 1}, json=str(path))
    assert json.loads(path.read_text()) == {"root_dir": str(root), **metrics_of(root)[-1]}


def test_a_full_disk_is_a_sentence(capfd):
    with pytest.raises(SystemExit) as exit_of, command_line.trouble_as_one_sentence():
        pathlib.Path("/dev/full").write_text("not even this")
    assert exit_of.value.code == command_line.DISK_TROUBLE
    said = capfd.readouterr().err
    assert said.startswith("epg_tf: nothing more can be written: No space left on device. ")
