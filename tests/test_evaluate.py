"""The evaluation from the outside: what it leaves behind, how it goes on, what it refuses."""

import csv
import itertools
import json
import re
import sys

import numpy as np
import pytest
from commands import (
    HOROVODRUN,
    SEEING,
    call,
    events_in,
    everything_in,
    execute,
    make_loss,
    summary_of,
)
from refusals import sentence_of

from epg_tf import evaluate
from epg_tf.agent.experience import Experience
from epg_tf.evaluation.learning_curves import training
from epg_tf.files import CONFIG_FILE
from epg_tf.rivals import tf_agents_ppo, tf_agents_sac
from epg_tf.run.lock import FolderLock
from epg_tf.seeds import HELD_OUT_TASK_SEEDS

METHODS = ["evolved", "phi_zero", "random_loss", "ppo", "tf_agents_ppo", "tf_agents_sac"]
FLAGS = {"num_tasks": 3, "num_seeds": 2}
KEYS = [
    "final_iqm",
    "final_low",
    "final_high",
    "auc_iqm",
    "auc_low",
    "auc_high",
    "probability_over_ppo",
    "updates_to_reach_ppo",
    "num_tasks",
    "num_seeds",
]


@pytest.fixture(scope="module")
def loss(tmp_path_factory):
    return make_loss(tmp_path_factory.mktemp("loss") / "run")


@pytest.fixture(scope="module")
def seeing_loss(tmp_path_factory):
    return make_loss(tmp_path_factory.mktemp("seeing_loss") / "run", SEEING)


def learning_nothing(lift):
    """Stands in for TF-Agents' agents: returns that tell methods, agents and episodes apart."""

    def rollouts(settings, family, seeds, num_threads=0):
        first = [lift - float(seed.task_seed % 100) - seed.key[-1] / 10.0 for seed in seeds]
        steps = settings.steps_per_update
        for begin in itertools.count(0, steps):
            reward, ended = np.zeros((2, len(seeds), steps))
            for step, more in ((49 - begin, 0.0), (99 - begin, 1.0)):
                if 0 <= step < steps:
                    reward[:, step], ended[:, step] = np.add(first, more), 1.0
            none = np.zeros((len(seeds), steps, 1))
            yield Experience(none, none, reward, np.zeros_like(ended), ended, none)

    return rollouts


def make_tf_agents_quick(patch):
    patch.setattr(tf_agents_ppo, "rollouts", learning_nothing(0.0))
    patch.setattr(tf_agents_sac, "rollouts", learning_nothing(0.05))


@pytest.fixture
def quick_tf_agents(monkeypatch):
    make_tf_agents_quick(monkeypatch)


def run(loss, root, **flag_values):
    """What `python -m epg_tf.evaluate` does, in this process."""
    call(evaluate, **(FLAGS | {"loss": str(loss), "root_dir": str(root)} | flag_values))


@pytest.fixture(scope="module")
def evaluation(loss, tmp_path_factory):
    """A complete evaluation's folder, and what was printed."""
    root = tmp_path_factory.mktemp("evaluation") / "results"
    with pytest.MonkeyPatch.context() as patch:
        make_tf_agents_quick(patch)
        run(loss, root, methods=METHODS)
    return root


def curves_of(root):
    with np.load(root / "curves.npz") as file:
        return dict(file)


# What an evaluation leaves behind.


def test_programs_read_the_result_where_they_ask_for_it(evaluation, loss, tmp_path, capfd):
    run(loss, evaluation, methods=METHODS, json=str(tmp_path / "result.json"))
    assert json.loads((tmp_path / "result.json").read_text()) == summary_of(evaluation)
    with pytest.raises(SystemExit):
        run(loss, tmp_path / "other", json=str(tmp_path / "nowhere" / "result.json"))
    assert "must be a file one can write (No such file or directory)" in capfd.readouterr().err
    assert not (tmp_path / "other").exists()


def test_every_run_is_in_the_arrays_and_in_the_rows(evaluation):
    curves = curves_of(evaluation)
    assert list(curves) == [*METHODS, "task_seeds", "steps_per_update"]
    assert all(curves[method].shape == (3, 2, 4) for method in METHODS)
    assert curves["task_seeds"].tolist() == list(HELD_OUT_TASK_SEEDS[:3])
    assert curves["steps_per_update"] == 32
    with open(evaluation / "curves.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 * 3 * 2 * 4
    returns = np.array([float(row["return"]) for row in rows]).reshape(6, 3, 2, 4)
    np.testing.assert_array_equal(returns, [curves[method] for method in METHODS])
    # Agents of different tasks or seeds are different agents, and methods teach differently.
    assert len({curve[-1] for method in METHODS for curve in curves[method].reshape(-1, 4)}) == 36


def test_with_phi_zero_nothing_but_the_confinement_is_learned(loss, tmp_path):
    confined = {"LearnedLoss.mean_penalty": 8.0, "LearnedLoss.log_std_penalty": 1.0}
    confined |= {
        "InnerLoop.num_passes": 30,
        "InnerLoop.log_std_bounds": (-3.0, 0.0),
        "InnerLoop.learning_rate": 0.1,
    }
    bindings = [f"{name} = {value}" for name, value in confined.items()]
    run(loss, tmp_path, methods=["phi_zero"], gin_binding=bindings, num_tasks=2)
    assert "probability_over_ppo" not in summary_of(tmp_path)["phi_zero"]
    curves = curves_of(tmp_path)
    assert np.all(curves["phi_zero"][..., -1] > curves["phi_zero"][..., 0] + 10.0)  # it is quiet


def test_every_method_begins_with_the_same_agents(evaluation):
    # The first episode ends with step 50, in the second update: its first 32 steps are the same.
    curves = curves_of(evaluation)
    first = [curves[method][..., 0] for method in ("evolved", "random_loss", "ppo")]
    np.testing.assert_allclose(first[0], first[1], atol=1.0)
    np.testing.assert_allclose(first[0], first[2], atol=1.0)
    assert np.ptp(first[0]) > 10.0


def test_the_summary_has_the_keys_of_the_contract(evaluation):
    summary, curves = summary_of(evaluation), curves_of(evaluation)
    assert list(summary) == [*METHODS, "provenance"]
    for method in METHODS:
        result = summary[method]
        assert list(result) == KEYS
        assert result["final_low"] <= result["final_iqm"] <= result["final_high"]
        assert result["auc_low"] <= result["auc_iqm"] <= result["auc_high"]
        inner = np.sort(curves[method][..., -1].ravel())[1:-1]  # of six, one at either end
        np.testing.assert_allclose(result["final_iqm"], inner.mean())
        assert (result["num_tasks"], result["num_seeds"]) == (3, 2)
    assert summary["ppo"]["probability_over_ppo"] == 0.5
    assert 1 <= summary["ppo"]["updates_to_reach_ppo"] <= 4
    about = summary["provenance"]
    assert about["command"].startswith("python -m epg_tf.evaluate")
    assert about["family"] == "RandomReacher"
    assert about["evolved_env_steps"] == 640
    assert about["config"]["InnerLoop.steps_per_update"] == 32
    assert about["diverged_runs"] == dict.fromkeys(METHODS, 0)
    assert set(about["versions"]) >= {"python", "tensorflow", "tf_agents", "mujoco", "numpy"}


def test_tensorboard_shows_the_same_numbers_and_the_picture(evaluation):
    summary, curves = summary_of(evaluation), curves_of(evaluation)
    for method in METHODS:
        events = list(events_in(evaluation / "events" / method))
        found = {(tag, step): float(value) for tag, step, value in events}
        steps = [step for tag, step, _ in events if tag == "evaluation/return_iqm"]
        assert steps == [32, 64, 96, 128]
        for key in ("final_iqm", "auc_low", "probability_over_ppo"):
            np.testing.assert_allclose(found[f"evaluation/{key}", 128], summary[method][key])
        low, high = (found[f"evaluation/return_{end}", 32] for end in ("low", "high"))
        assert low <= np.median(curves[method][..., 0]) <= high
    tags = [tag for tag, _, _ in events_in(evaluation / "events")]
    assert tags == ["evaluation/curves", "evaluation/table", "evaluation/config"]


def test_the_config_and_a_picture_are_there(loss, evaluation):
    written = (evaluation / CONFIG_FILE).read_text()
    assert "InnerLoop.hidden_sizes = (4,)" in written
    assert (evaluation / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in evaluation.iterdir()} == {
        *("curves", "curves.csv", "curves.npz", "curves.png", "evaluate.json", "events"),
        *("operative_config.gin", "summary.json", ".lock"),
    }


# How it goes on.


def test_a_finished_evaluation_is_left_alone_and_printed_again(loss, evaluation, capfd):
    before = everything_in(evaluation)
    run(loss, evaluation, methods=METHODS)
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == (
        "Held-out RandomReacher: 3 tasks x 2 seeds, 4 updates of 32 steps (128 environment steps)."
    )
    rows = {line.partition("  ")[0]: line for line in lines[3:9]}
    assert list(rows) == [
        "evolved loss, no reward",
        "phi = 0, no reward",
        "random loss, no reward",
        "PPO",
        "PPO (TF-Agents)",
        "SAC (TF-Agents)",
    ]
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", rows["PPO"])]
    expected = [summary_of(evaluation)["ppo"][key] for key in KEYS[:8]]
    np.testing.assert_allclose(numbers, expected, atol=0.05)
    moved = loss.rename(loss.with_name("moved"))
    run(moved, evaluation, methods=METHODS)  # the same loss by another path
    moved.rename(loss)
    assert everything_in(evaluation) == before


def test_an_interrupted_evaluation_goes_on_to_the_same_files(
    loss, evaluation, tmp_path, monkeypatch, quick_tf_agents
):
    """In other batches too: six agents as four and two, filled up."""
    root, trained = tmp_path / "results", []
    train = training.AgentTraining.run

    def train_until_interrupted(self, method, on_update):
        if method == "ppo" and trained == METHODS[:3]:
            raise KeyboardInterrupt
        trained.append(method)
        return train(self, method, on_update)

    monkeypatch.setattr(training.AgentTraining, "run", train_until_interrupted)
    monkeypatch.setattr(training, "_LARGEST_BATCH", 4)
    with pytest.raises(KeyboardInterrupt):
        run(loss, root, methods=METHODS)
    assert not (root / "summary.json").exists()
    trained.append("again")
    run(loss, root, methods=METHODS)
    assert trained == [*METHODS[:3], "again", *METHODS[3:]]
    for name in ("curves.npz", "curves.csv", "curves.png", "summary.json", CONFIG_FILE):
        assert (root / name).read_bytes() == (evaluation / name).read_bytes(), name


def test_the_number_of_ranks_does_not_change_a_number(loss, evaluation, tmp_path):
    # Six agents of three tasks on two ranks: one task's agents are on both.
    root = tmp_path / "results"
    arguments = ["--loss", loss, "--root_dir", root, "--methods", "evolved,ppo"]
    arguments += [f"--{name}={value}" for name, value in FLAGS.items()]
    result = execute(HOROVODRUN, "-np", 2, sys.executable, "-m", "epg_tf.evaluate", *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Held-out RandomReacher: 3 tasks x 2 seeds") == 1
    ours, theirs = curves_of(evaluation), curves_of(root)
    assert {"evolved", "ppo"} < set(theirs)
    for name, values in theirs.items():
        np.testing.assert_array_equal(values, ours[name], name)


@pytest.mark.parametrize(
    ("flag", "value", "label"),
    [
        ("ppo_learning_rate", 0.01, "PPO (steps of 0.01)"),
        ("ppo_num_passes", 3, "PPO (3 passes)"),
    ],
)
def test_ppo_may_learn_in_steps_and_passes_of_its_own(
    flag, value, label, loss, evaluation, tmp_path, capfd
):
    root = tmp_path / "results"
    run(loss, root, methods=["evolved", "ppo"], **{flag: value})
    assert re.search(rf"^{re.escape(label)} +-", capfd.readouterr().out, re.MULTILINE)
    ours, theirs = curves_of(evaluation), curves_of(root)
    np.testing.assert_array_equal(theirs["evolved"], ours["evolved"])
    assert (theirs["ppo"] != ours["ppo"]).any()
    sentence = refusal(capfd, loss, root, methods=["evolved", "ppo"])
    assert f"`--{flag}` is {value} there and absent here" in sentence


# What is refused: one sentence, an exit code, and nothing touched.


def refusal(capfd, loss, root, **flag_values):
    return sentence_of(capfd, lambda: run(loss, root, **flag_values))


@pytest.mark.parametrize(
    ("flag_values", "sentence"),
    [
        ({"num_tasks": 0}, "`--num_tasks` (=0) must be a positive integer."),
        ({"num_seeds": 0}, "`--num_seeds` (=0) must be a positive integer."),
        ({"num_updates": 0}, "`--num_updates` (=0) must be a positive integer."),
        ({"horizon_factor": 0.5}, "`--horizon_factor` (=0.5) must be a finite number, 1 or more."),
        ({"horizon_factor": np.nan}, "`--horizon_factor` (=nan) must be a finite number, 1 or"),
        (
            {"ppo_learning_rate": 0.0},
            "`--ppo_learning_rate` (=0.0) must be a finite positive number",
        ),
        ({"ppo_num_passes": 0}, "`--ppo_num_passes` (=0) must be a positive integer."),
        ({"methods": ["ppo", "sac"]}, "`--methods` (='sac') must be one of 'evolved',"),
        ({"methods": []}, "`--methods` (=) must be distinct, and at least one."),
        ({"methods": ["ppo", "ppo"]}, "`--methods` (=ppo,ppo) must be distinct, and at least one."),
        (
            {"gin_binding": ["meta_train.family = @RandomHopper()"]},
            "must fit the config: it has 5,025 parameters, and a loss for RandomHopper",
        ),
    ],
)
def test_bad_flags_are_refused(flag_values, sentence, loss, tmp_path, capfd):
    assert sentence in refusal(capfd, loss, tmp_path / "results", **flag_values)
    assert not list(tmp_path.iterdir())


def test_sac_is_refused_where_actions_are_finite(tmp_path, capfd):
    family = {"meta_train.family": "@DiscreteActions()"}
    loss = make_loss(tmp_path / "run", family | {"DiscreteActions.family": "@RandomReacher()"})
    sentence = refusal(capfd, loss, tmp_path / "results", methods=["ppo", "tf_agents_sac"])
    assert sentence.rstrip() == (
        "`--methods` (=ppo,tf_agents_sac) must not contain 'tf_agents_sac' where actions are not a "
        "box: DiscreteActions has 9 of them."
    )
    assert not (tmp_path / "results").exists()


def test_a_path_that_is_no_loss_is_refused(tmp_path, capfd):
    sentence = refusal(capfd, tmp_path / "nowhere", tmp_path / "results")
    assert f"`--loss` (={tmp_path / 'nowhere'}) must be the folder of a run or of an" in sentence
    assert not list(tmp_path.iterdir())


def test_a_folder_with_another_evaluation_is_refused_and_left_alone(loss, evaluation, capfd):
    before = everything_in(evaluation)
    sentence = refusal(capfd, loss, evaluation, num_tasks=2, methods=METHODS)
    assert "must not hold another result of evaluate: `--num_tasks` is 3 there and 2" in sentence
    sentence = refusal(capfd, loss, evaluation, horizon_factor=2.0, methods=METHODS)
    assert "`--num_updates` is 4 there and 8 here" in sentence
    assert everything_in(evaluation) == before


def test_a_folder_that_another_evaluation_is_writing_to_is_refused(loss, tmp_path, capfd):
    lock = FolderLock(tmp_path / "results")
    assert lock.take() is None
    said = refusal(capfd, loss, tmp_path / "results")
    assert said.endswith("must not be in use by another run.\n"), said
    assert [path.name for path in (tmp_path / "results").iterdir()] == [".lock"]
    lock.release()
    run(loss, tmp_path / "results", methods=["ppo"])
    assert curves_of(tmp_path / "results")


def test_a_folder_of_something_else_is_refused(loss, tmp_path, capfd):
    (tmp_path / "mine").write_text("mine")
    assert "must be a new or an empty folder" in refusal(capfd, loss, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# Losses that see the reward.


def test_a_loss_that_sees_the_reward_is_refused_unless_it_may(seeing_loss, tmp_path, capfd):
    sentence = refusal(capfd, seeing_loss, tmp_path / "results")
    assert f"`--loss` (={seeing_loss}) must not see the reward" in sentence
    assert "unless --give_reward is given" in sentence
    assert not list(tmp_path.iterdir())


def test_whoever_is_given_the_reward_is_said_to_be(seeing_loss, tmp_path, capfd):
    root = tmp_path / "results"
    run(
        seeing_loss,
        root,
        give_reward=True,
        methods=["evolved", "ppo"],
        num_tasks=1,
        num_seeds=1,
        num_updates=2,
    )
    label = "evolved loss, sees reward + PPO with α = 0.5"
    assert label in capfd.readouterr().out
    about = summary_of(root)["provenance"]
    assert about["labels"] == {"evolved": label, "ppo": "PPO"}
    assert (about["sees_reward"], about["guidance"]) == (True, 0.5)
