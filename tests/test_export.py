"""An export from the outside: what it takes, what it leaves, what it refuses."""

import dataclasses
import json
import re
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import call, everything_in, execute
from refusals import sentence_of

from epg_tf import config, export
from epg_tf.evolved_loss.card import model_card
from epg_tf.evolved_loss.description import describe
from epg_tf.evolved_loss.load import load
from epg_tf.evolved_loss.provenance import provenance
from epg_tf.files import write_npz
from epg_tf.inner_loop.networks import build_loss
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.guidance import PPO
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.outer_loop.meta_train import EpochRecord
from epg_tf.ranks import Ranks
from epg_tf.run.folder import RunFolder
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import DirHopper
from epg_tf.tasks.reacher import RandomReacher

BINDINGS = [
    "meta_train.num_workers = 4",
    "meta_train.num_epochs = 3",
    "meta_train.guidance = @Constant()",
    "Constant.value = 0.25",
    "InnerLoop.num_updates = 2",
    "InnerLoop.steps_per_update = 32",
    "InnerLoop.buffer_size = 32",
    "InnerLoop.hidden_sizes = (4,)",
]
STEPS_PER_EPOCH = 4 * 2 * 32
RETURNS = {1: -5.0, 2: -1.0, 3: -7.0}  # the loss that epoch 2 began with is the best
FILES = {
    "README.md",
    "assets",
    "fingerprint.pb",
    "loss.json",
    "operative_config.gin",
    "loss.npz",
    "saved_model.pb",
    "variables",
}

COLUMNS = ("diverged", "failed_steps", "physics_seconds", "update_seconds")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three epochs in which nobody lived; its losses are drawn."""
    root = tmp_path_factory.mktemp("export") / "run"
    settings = config.read(["tests/data/paper_reacher.gin"], BINDINGS)
    loss = build_loss(settings.inner_loop, settings.family)
    state = settings.strategy.init(loss.draw(np.random.default_rng(0)))
    nothing = {n: np.zeros(4) for n in COLUMNS}
    logs = {"guidance": 0.25, "seconds": 2.0, "phi_norm": 1.0, "gradient_norm": 1.0}
    with (
        RunFolder(str(root), settings, Ranks(), config.complete_config) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        checkpoint = folder.open(state)
        patch.setattr(folder, "_export", lambda _: None)
        for epoch, mean in RETURNS.items():
            if epoch == max(RETURNS):
                patch.undo()
            phi = loss.draw(np.random.default_rng(epoch))
            state = dataclasses.replace(state, epoch=epoch, phi=phi)
            workers = nothing | {"returns": np.full(4, mean)}
            steps, guidance = settings.env_steps_in(epoch), logs["guidance"]
            checkpoint = checkpoint.followed_by(
                state, steps, workers["returns"], guidance, taught=False
            )
            folder.record_epoch(EpochRecord(checkpoint, steps, workers, logs, stopped=False))
    return root


def phi_after(epoch, run):
    settings = config.read([str(run / "operative_config.gin")], [])
    loss = build_loss(settings.inner_loop, settings.family)
    return loss.draw(np.random.default_rng(epoch)).astype(np.float32)


def run_export(checkpoint, out, evaluation=None):
    evaluation = None if evaluation is None else str(evaluation)
    call(export, loss=str(checkpoint), root_dir=str(out), evaluation=evaluation)


@pytest.fixture(scope="module")
def exported(run):
    run_export(run, run.parent / "exported")
    return run.parent / "exported"


def description_of(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads((folder / "loss.json").read_text(), parse_constant=refuse)


def summary_of(folder, **changes):
    """What epg_tf.evaluate would leave of the loss in a folder."""
    numbers = {f"{of}_{name}": -12.5 for of in ("final", "auc") for name in ("iqm", "low", "high")}
    numbers |= {"probability_over_ppo": 0.75, "num_tasks": 32, "num_seeds": 4}
    about = {
        "command": "python -m epg_tf.evaluate --loss here",
        "phi_crc32": description_of(folder)["phi_crc32"],
        "num_updates": 64,
        "steps_per_update": 128,
        "sees_reward": False,
        "guidance": 0.0,
        "labels": {"evolved": "evolved loss, no reward", "ppo": "PPO"},
        "versions": {},
    }
    return {
        "evolved": numbers | {"updates_to_reach_ppo": 17},
        "ppo": numbers | {"final_iqm": None, "updates_to_reach_ppo": None},
        "provenance": about | changes,
    }


def write_evaluation(folder, summary):
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


# What an export leaves.


def test_a_run_becomes_a_folder_that_every_command_reads(run, exported):
    assert {path.name for path in exported.iterdir()} == FILES
    assert not list(exported.parent.glob("*partial*"))
    theirs, ours = load(str(run)), load(str(exported))
    np.testing.assert_array_equal(ours.phi, phi_after(3, run))
    np.testing.assert_array_equal(ours.phi, theirs.phi)
    for name in ("settings", "config_text", "epoch", "env_steps"):
        assert getattr(ours, name) == getattr(theirs, name)


def test_the_description_has_what_a_program_needs(run, exported):
    description = description_of(exported)
    assert description["phi_crc32"] == description_of(run / "export" / "latest")["phi_crc32"]
    inputs = {one["name"]: one for one in description["inputs"]}
    assert {name: one["shape"] for name, one in inputs.items()} == {
        "observation": [32, 10],
        "action": [32, 2],
        "termination": [32, 1],
        "memory": [1, 32],
        "policy_mean": [32, 2],
        "policy_log_std": [1, 2],
    }
    assert [name for name, one in inputs.items() if one["normalised"]] == ["observation", "action"]
    assert description["normalisation"]["of"] == ["observation", "action"]
    assert description["not_seen"] == ["reward"]
    assert description["policy"]["hidden_sizes"] == [4]
    assert description["inner_update"]["num_minibatches"] == 4
    assert description["provenance"]["guidance"] == 0.25
    assert description["scores"] is None


@pytest.mark.parametrize(
    ("source", "epoch"),
    [
        (".", 3),
        ("checkpoints/epoch_000002.npz", 2),
        ("export/latest", 3),
        ("export/best", 1),
        ("../exported", 3),
    ],
)
def test_whatever_a_loss_comes_from_it_knows_when_it_was_made(run, exported, source, epoch):
    loss = load(str(run / source))
    np.testing.assert_array_equal(loss.phi, phi_after(epoch, run))
    known = provenance(loss)
    assert (known["epoch"], known["env_steps"]) == (epoch, epoch * STEPS_PER_EPOCH)
    assert f"meta_train.num_epochs={epoch}" in known["command"]


def test_a_loss_of_an_unknown_epoch_is_exported_too(run, tmp_path):
    shutil.copytree(run / "export" / "best", tmp_path / "lost")
    shutil.copy(run / "operative_config.gin", tmp_path / "lost")
    run_export(tmp_path / "lost", tmp_path / "new" / "loss")
    known = description_of(tmp_path / "new" / "loss")["provenance"]
    assert (known["epoch"], known["command"]) == (None, None)
    assert "| epochs | not known |" in (tmp_path / "new" / "loss" / "README.md").read_text()


# The card.


def test_the_cards_snippet_works(exported, monkeypatch):
    monkeypatch.chdir(exported)
    snippet = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)
    names = {}
    exec(snippet[0], names)
    assert np.isfinite(names["value"].numpy())
    assert [gradient.shape for gradient in names["gradient"]] == [(1, 32), (32, 2), (1, 2)]
    assert all(np.abs(gradient).max() > 0 for gradient in names["gradient"])


def test_the_card_says_what_a_user_asks(exported):
    card = (exported / "README.md").read_text()
    for part in (
        "# A loss evolved on RandomReacher",
        "without being shown any reward",
        "**It does not see the reward.**",
        "| length of each link | nominal length, 0.1 m | U(0.5, 1.5), one factor per link |",
        "| `RandomReacher.link_length` | (0.5, 1.5) |",
        "| `observation` | [32, 10] | yes |",
        "| `inner_update.learning_rate` | 0.001 |",
        "Not evaluated.",
        "0.75 times this loss plus\n0.25 times a hand-made surrogate (PPO)",
        f"| environment steps | {3 * STEPS_PER_EPOCH} |",
        "tensorflow 2.15",
        'train --gin_file operative_config.gin --gin_binding "meta_train.num_epochs=3"',
        "InnerLoop.steps_per_update = 32",
        "Apache-2.0",
    ):
        assert part in card, part
    assert "/tmp" not in card and str(exported.parent) not in card


@pytest.mark.parametrize(
    ("settings", "family", "parts", "absent"),
    [
        (
            InnerLoop(
                buffer_size=256,
                learned_loss=LearnedLoss(inputs=("observation", "reward", "policy")),
            ),
            DirHopper(),
            (
                "from what it does and from its rewards",
                "| `mask` | [256, 1] | no |",
                "**It does not see the action, nor the termination, nor the memory.**",
                "| `reward` | [256, 1] | yes | of the step |",
                "* **Buffer.**",
                '"mask": tf.ones([256, 1])',
                "| direction | sign of the rewarded velocity | -1 or 1, equally likely |",
                "| gravity, downwards | m/s² | U(2, 20) |",
                '[inputs["policy_mean"], inputs["policy_log_std"]]',
            ),
            ("* **Memory.**", "hand-made"),
        ),
        (
            InnerLoop(refresh_statistics="before_update"),
            DiscreteActions(RandomReacher()),
            (
                "# A loss evolved on DiscreteActions(RandomReacher)",
                "Reachers, arms of two links in a plane, with random link lengths.",
                "| `DiscreteActions.actions_per_dimension` | 3 |",
                "| `RandomReacher.link_length` | (0.5, 1.5) |",
                "| `policy_log_probabilities` | [128, 9] |",
                "one-hot",
                "count in the update that learns from them already",
            ),
            ("* **Buffer.**", "log_std"),
        ),
    ],
)
def test_cards_of_other_losses(settings, family, parts, absent):
    origin = {"epoch": 7, "env_steps": None, "seed": 0, "num_workers": 4, "guidance": 0.0}
    origin |= {"guide": PPO.__name__, "command": None, "versions": {"python": "3"}}
    description = describe(settings, family, np.zeros(3, np.float32))
    card = model_card(description | {"provenance": origin, "scores": None}, "x = 1\n")
    for part in parts:
        assert part in card, part
    for part in absent:
        assert part not in card, part
    json.dumps(description, allow_nan=False)


# Scores.


def test_the_scores_of_the_runs_evaluation_go_along(run, exported, tmp_path, capfd):
    shutil.copytree(run, tmp_path / "run")
    write_evaluation(tmp_path / "run" / "evaluation", summary_of(exported))
    run_export(tmp_path / "run" / "export" / "latest", tmp_path / "loss")
    assert "with the scores of" in capfd.readouterr().out
    card = (tmp_path / "loss" / "README.md").read_text()
    assert "32 held-out tasks, 4 per task, after\n64 updates of 128 steps" in card
    score = "-12.50 [-12.50, -12.50]"
    row = f"| evolved loss, no reward | {score} | {score} | 0.75 | 17 |"
    assert row in card
    assert "| PPO | not finite [" in card
    assert "| 0.75 | never |" in card
    assert description_of(tmp_path / "loss")["scores"]["methods"]["evolved"]["final_iqm"] == -12.5
    # The scores stay with the loss when it is exported again.
    run_export(tmp_path / "loss", tmp_path / "again")
    for name in ("README.md", "loss.json"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "loss" / name).read_text()
    # And those of another loss are left out: export/best is not what was evaluated.
    run_export(tmp_path / "run" / "export" / "best", tmp_path / "best")
    assert "without scores" in capfd.readouterr().out
    assert "Not evaluated." in (tmp_path / "best" / "README.md").read_text()


def test_an_evaluation_can_be_named(run, exported, tmp_path):
    evaluation = write_evaluation(tmp_path / "elsewhere", summary_of(exported))
    (tmp_path / "empty").mkdir()
    run_export(run, tmp_path / "empty", evaluation)
    assert {path.name for path in (tmp_path / "empty").iterdir()} == FILES
    assert description_of(tmp_path / "empty")["scores"]["num_updates"] == 64


# A --root_dir that is there already.


def test_an_earlier_export_of_the_same_loss_is_replaced(run, exported, tmp_path, capfd):
    shutil.copytree(exported, tmp_path / "loss")
    (tmp_path / "loss" / "README.md").write_text("old")
    run_export(run, tmp_path / "loss")
    assert "Replaced the earlier export of the same loss." in capfd.readouterr().out
    for name in ("README.md", "loss.json", "operative_config.gin"):
        assert (tmp_path / "loss" / name).read_text() == (exported / name).read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["loss"]


def refusal(capfd, **arguments):
    return sentence_of(capfd, lambda: run_export(**arguments))


def test_any_other_folder_is_refused_and_left_as_it_is(run, exported, tmp_path, capfd):
    another, with_notes = tmp_path / "another", tmp_path / "with_notes"
    for copy in (another, with_notes):
        shutil.copytree(exported, copy)
    description = description_of(another)
    (another / "loss.json").write_text(json.dumps(description | {"phi_crc32": 1}))
    (with_notes / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = everything_in(tmp_path)
    for out in (another, with_notes, tmp_path / "file", tmp_path):
        said = refusal(capfd, checkpoint=run, out=out)
        assert f"`--root_dir` (={out}) must be a new folder, or an earlier export" in said
    said = refusal(capfd, checkpoint=run, out=tmp_path / "file" / "below")
    assert "must be a folder one can write to" in said
    assert everything_in(tmp_path) == before


# What cannot be exported.


def damaged(path):
    path.write_bytes(path.read_bytes()[:100])


def test_what_is_no_loss_is_refused(run, exported, tmp_path, capfd):
    out = tmp_path / "out"
    shutil.copytree(run, tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "epoch_000003.npz"
    for path in checkpoint.parent.iterdir():
        damaged(path)
    best, latest = (tmp_path / "run" / "export" / name for name in ("best", "latest"))
    damaged(best / "loss.npz")
    (latest / "loss.npz").unlink()  # as losses were exported before there were arrays
    damaged(next((latest / "variables").glob("*.data*")))
    others = shutil.copytree(exported, tmp_path / "others")
    write_npz(others / "loss.npz", {"hidden.kernel": np.zeros(3, np.float32)})
    shutil.copytree(run / "export" / "best", tmp_path / "alone")
    undescribed = shutil.copytree(exported, tmp_path / "undescribed")
    (undescribed / "loss.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    readable = "must be a readable checkpoint file"
    for source, rule in (
        (tmp_path / "nowhere", "must be the folder of a run or of an exported loss"),
        (tmp_path / "empty", "must be the folder of a run or of an exported loss"),
        (tmp_path / "nowhere.npz", readable),
        (checkpoint, readable),
        (tmp_path / "run", readable),
        (best, f"`loss.npz` (={best / 'loss.npz'}) must be as epg_tf wrote it; it is damaged"),
        (others, "must have the checksum that loss.json names"),
        (latest, "must be a SavedModel that epg_tf exported; it is damaged"),
        (undescribed, f"`loss.json` (={undescribed / 'loss.json'}) must be as epg_tf wrote it"),
        (tmp_path / "alone", "must have its operative_config.gin beside it"),
    ):
        assert rule in refusal(capfd, checkpoint=source, out=out)
    assert not out.exists()


def test_an_evaluation_of_something_else_is_refused(run, exported, tmp_path, capfd):
    out = tmp_path / "out"
    other = write_evaluation(tmp_path / "other", summary_of(exported, phi_crc32=1))
    said = refusal(capfd, checkpoint=run, out=out, evaluation=other)
    assert f"`--evaluation` (={other}) must be of this loss" in said
    cut = write_evaluation(tmp_path / "cut", {"evolved": {}})
    for folder in (cut, tmp_path / "nowhere"):
        said = refusal(capfd, checkpoint=run, out=out, evaluation=folder)
        assert "must be a folder in which epg_tf.evaluate has finished" in said
    assert not out.exists()


def test_what_goes_wrong_while_writing_leaves_nothing(run, tmp_path, monkeypatch, capfd):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    said = refusal(capfd, checkpoint=run, out=tmp_path / "out")
    assert "No space left on device" in said
    assert not list(tmp_path.iterdir())


def test_from_a_shell(run, tmp_path):
    command = [sys.executable, "-m", "epg_tf.export", "--loss", run]
    result = execute(*command, "--root_dir", tmp_path / "loss")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"Exported the loss of epoch 3, not evaluated, to {tmp_path / 'loss'}. Its card: "
        f"{tmp_path / 'loss'}/README.md\n"
    )
    result = execute(*command)
    assert result.returncode == 2 and "--root_dir" in result.stderr
