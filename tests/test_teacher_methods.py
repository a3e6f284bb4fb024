"""Methods of `evaluate` that need the loss's teacher, from a run that has one to the refusals."""

import dataclasses
import itertools
import sys
from unittest import mock

import numpy as np
import pytest
from commands import HOROVODRUN, execute, make_loss, summary_of
from test_evaluate import curves_of, refusal, run
from test_train import TEACHERS
from test_train import run as train

from epg_tf import config
from epg_tf.evaluation import plot_style
from epg_tf.evaluation.learning_curves import training
from epg_tf.outer_loop.taught_epochs import TrainedTeacher
from epg_tf.rivals import cloned
from epg_tf.rivals.teacher import make_driver
from epg_tf.seeds import held_out_seed

METHODS = ["ppo", "teacher", "cloned"]


@pytest.fixture(scope="module", params=["critic", "expert"])
def taught(request, tmp_path_factory):
    """A run of one epoch, in which phi is taught."""
    root = tmp_path_factory.mktemp("taught") / "run"
    name = {"critic": "CriticTeacher", "expert": "ExpertTeacher"}[request.param]
    settings = TEACHERS[request.param] | {"meta_train.num_epochs": 1, f"{name}.num_epochs": 1}
    assert train(root, **settings)
    return root


@pytest.fixture(scope="module")
def evaluation(taught, tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluation") / "results"
    run(taught, root, methods=METHODS)
    return root


def test_a_teacher_and_its_clone_act_on_the_held_out_tasks(evaluation):
    curves, summary = curves_of(evaluation), summary_of(evaluation)
    assert all(curves[method].shape == curves["ppo"].shape for method in METHODS)
    assert summary["provenance"]["labels"] == {
        "ppo": "PPO",
        "teacher": "the teacher, sees the task",
        "cloned": "clone of the teacher (256 steps)",
    }
    assert len({curve[-1] for m in METHODS for curve in curves[m].reshape(6, -1)}) == 18
    # Without noise and without learning episodes differ by how they begin alone.
    assert summary["teacher"]["final_iqm"] > summary["ppo"]["final_iqm"]


def test_a_teacher_and_its_clone_do_the_same_in_other_batches_and_on_other_ranks(
    taught, evaluation, tmp_path, monkeypatch
):
    root, ours = tmp_path / "batches", curves_of(evaluation)
    monkeypatch.setattr(training, "_LARGEST_BATCH", 4)
    run(taught, root, methods=METHODS[1:])
    for method in METHODS[1:]:
        np.testing.assert_array_equal(curves_of(root)[method], ours[method])
    root = tmp_path / "ranks"
    arguments = ["--loss", taught, "--root_dir", root, "--methods", "teacher,cloned"]
    arguments += ["--num_tasks=3", "--num_seeds=2"]
    execute(HOROVODRUN, "-np", 2, sys.executable, "-m", "epg_tf.evaluate", *arguments)
    for method in METHODS[1:]:
        np.testing.assert_array_equal(curves_of(root)[method], ours[method])


def made_up(**bindings):
    """An expert with random networks, on many training tasks."""
    bindings = {
        "meta_train.teacher": "@ExpertTeacher()",
        "meta_train.num_workers": 16,
        "InnerLoop.num_updates": 8,
        "ExpertTeacher.hidden_sizes": (8,),
        "ExpertTeacher.sees": "('link_length',)",
    } | bindings
    values = [f"{name} = {value}" for name, value in bindings.items()]
    settings = config.read(["tests/data/fast_reacher.gin"], values)
    teacher, rng = settings.teacher, np.random.default_rng(0)
    state = dict(teacher.make_expert(settings.family).networks.draw(rng))
    state["weights"] = rng.normal(scale=0.7, size=state["weights"].shape)
    return TrainedTeacher(settings, state)


def test_a_clone_does_what_the_teacher_does_as_far_as_it_sees_why():
    for sees, least, most in ((), 0.0, 0.04), (("link_length",), 0.05, 1.0):
        teacher = made_up(**{"ExpertTeacher.sees": sees})
        weights, statistics = cloned.clone(teacher)
        seeds = [held_out_seed(0, task) for task in range(8)]
        lives = dataclasses.replace(teacher.run.inner_loop, steps_per_update=100, buffer_size=100)
        driver = make_driver(teacher, lives, teacher.run.family, seeds, explores=True)
        observation = driver.run().observation
        target = driver.policy.mean(observation).clip(-1.0, 1.0)
        hidden = statistics.normalise(observation.reshape(1, 800, -1))
        for kernel, bias in zip(weights[0:4:2], weights[1:4:2], strict=True):
            hidden = np.tanh(hidden @ kernel + bias)
        hidden = hidden @ weights[4] + weights[5]
        if teacher.run.inner_loop.mean_activation == "tanh":
            hidden = np.tanh(hidden)
        unexplained = np.mean(np.square(hidden[0] - target.reshape(800, -1))) / np.var(target)
        assert least <= unexplained <= most, sees


def test_an_expert_holds_an_action_as_long_as_it_did_while_it_learned():
    teacher = made_up(
        **{
            "meta_train.family": "@RandomHopper()",
            "ExpertTeacher.family": "@expert/RandomHopper()",
            "expert/RandomHopper.frame_skip": 6,
            "ExpertTeacher.sees": "('gravity',)",
        }
    )
    seeds = [held_out_seed(0, task) for task in range(3)]
    lives = dataclasses.replace(teacher.run.inner_loop, steps_per_update=400, buffer_size=400)
    driver = make_driver(teacher, lives, teacher.run.family, seeds, explores=True)
    lived = driver.run()
    assert lived.ended.any()
    for worker in range(3):
        starts = np.r_[0, np.flatnonzero(lived.ended[worker]) + 1, 400]
        expected = np.concatenate([np.arange(a, b, 3) for a, b in itertools.pairwise(starts)])
        changes = np.flatnonzero(np.diff(lived.action[worker], axis=0).any(axis=1)) + 1
        np.testing.assert_array_equal(changes, expected[1:])


# Levels of another evaluation.


def test_ppo_in_longer_lifetimes_is_a_line_in_the_picture(tmp_path, capfd):
    loss = make_loss(tmp_path / "run")
    longer, root = tmp_path / "longer", tmp_path / "results"
    run(loss, longer, methods=["evolved", "ppo"], num_updates=6)
    with mock.patch.object(plot_style, "png", wraps=plot_style.png) as png:
        run(loss, root, methods=["evolved"], converged=str(longer))
    end = summary_of(longer)["ppo"]["final_iqm"]
    (top, *_) = png.call_args.args[0].axes[-1:]
    lines = {line.get_label(): line for line in top.lines}
    assert list(lines) == ["evolved loss, no reward", "PPO after 6 updates"]
    np.testing.assert_array_equal(lines["PPO after 6 updates"].get_ydata(), [end, end])
    assert top.get_ylim()[0] < end < top.get_ylim()[1]
    assert summary_of(root)["provenance"]["converged"] == {
        "ppo": {"value": end, "label": "PPO after 6 updates"}
    }
    capfd.readouterr()
    assert "`PPO after 6 updates` is" in refusal(capfd, loss, root, methods=["evolved"])
    for changes, rule in (
        ({"converged": str(tmp_path)}, "the folder of a finished evaluation of PPO or another"),
        ({"num_tasks": 2}, "an evaluation of the same tasks: `--num_tasks` is 3 there and 2 here"),
        ({"num_updates": 6}, "of lifetimes longer than 6 updates: it has 6"),
        (
            {"gin_binding": ["RandomReacher.link_length = (1.0, 2.0)"]},
            "an evaluation of the same tasks: `RandomReacher.link_length` is",
        ),
    ):
        changes = {"converged": str(longer)} | changes
        sentence = refusal(capfd, loss, tmp_path / "other", **changes)
        assert f"`--converged` (={changes['converged']}) must be {rule}" in sentence
    assert not (tmp_path / "other").exists()


# Losses without a teacher.


@pytest.mark.parametrize("method", ["teacher", "cloned"])
@pytest.mark.parametrize("name", ["hopper_taught", "hopper_taught/run", "reacher"])
def test_a_loss_without_the_networks_of_its_teacher_is_refused(name, method, tmp_path, capfd):
    sentence = refusal(capfd, f"losses/{name}", tmp_path / "results", methods=["ppo", method])
    assert sentence.startswith("`--loss` (=")
    assert f"must be a run or a checkpoint with the networks of its teacher, which {method!r}" in (
        sentence
    )
    assert not list(tmp_path.iterdir())
