"""Who is compared, on which tasks, and that PPO is an opponent."""

import dataclasses
import pathlib
from unittest import mock

import numpy as np
import pytest

from epg_tf import config
from epg_tf.evaluation import plot_style
from epg_tf.evaluation.learning_curves.comparison import Comparison
from epg_tf.evaluation.learning_curves.plot import plot_learning_curves
from epg_tf.evaluation.learning_curves.summary import fingerprint, labels, summarise, table
from epg_tf.evaluation.learning_curves.training import AgentTraining, Runs
from epg_tf.evolved_loss.load import EvolvedLoss
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.ranks import Ranks
from epg_tf.seeds import (
    HELD_OUT_TASK_SEEDS,
    TRAINING_TASK_SEEDS,
    VALIDATION_TASK_SEEDS,
    Stream,
    lifetime_key,
    task_seed,
)
from epg_tf.statistics import Bootstrap
from epg_tf.tasks.simulator import BatchSimulator


def make_loss(*bindings):
    settings = config.read(["tests/data/fast_reacher.gin"], bindings)
    phi = Workers(settings.inner_loop, settings.family, 1).draw_phi(3)
    return EvolvedLoss(pathlib.Path("run"), phi, settings, config.complete_config())


@pytest.fixture(scope="module")
def loss():
    return make_loss()


def test_held_out_tasks_are_none_that_training_can_draw(loss):
    comparison = Comparison(loss, num_tasks=500, num_seeds=2)
    drawn = {seed.task_seed for seed in comparison.seeds}
    assert drawn == set(comparison.task_seeds)
    assert len(drawn) == 500
    for trained_or_tuned_on in (TRAINING_TASK_SEEDS, VALIDATION_TASK_SEEDS):
        assert not any(seed in trained_or_tuned_on for seed in drawn)
        assert max(trained_or_tuned_on.start, HELD_OUT_TASK_SEEDS.start) >= min(
            trained_or_tuned_on.stop, HELD_OUT_TASK_SEEDS.stop
        )
    # And training draws from its own range, to either end of it.
    seeds = [
        task_seed(seed, epoch, 0, "independent", TRAINING_TASK_SEEDS)
        for seed in range(4)
        for epoch in range(500)
    ]
    assert all(seed in TRAINING_TASK_SEEDS for seed in seeds)
    assert max(seeds) > 0.99 * TRAINING_TASK_SEEDS.stop
    # Nor are an agent's own random numbers those of any agent in training.
    keys = {seed.key for seed in comparison.seeds}
    assert len(keys) == 1000
    assert lifetime_key(loss.settings.seed, 1, 0, "paired")[1] < HELD_OUT_TASK_SEEDS.start
    assert all(key[1] >= HELD_OUT_TASK_SEEDS.start for key in keys)


def test_agents_of_a_seed_have_the_same_tasks_and_streams_whatever_the_method(loss):
    comparison = Comparison(loss, num_tasks=3, num_seeds=2)
    tasks = [seed.task_seed for seed in comparison.seeds]
    assert tasks == list(np.repeat(HELD_OUT_TASK_SEEDS[:3], 2))
    more = Comparison(loss, num_tasks=4, num_seeds=2, methods=("ppo",))
    assert more.seeds[:6] == comparison.seeds


def test_what_ppo_learns_by_is_said_only_where_the_others_do_not(loss):
    comparison = Comparison(loss, ppo_learning_rate=3e-3, ppo_num_passes=10)
    assert comparison.ppo_inner_loop == dataclasses.replace(
        comparison.inner_loop, learning_rate=3e-3, num_passes=10
    )
    assert labels(comparison)["ppo"] == "PPO (steps of 0.003, 10 passes)"
    own = {"--ppo_learning_rate": 3e-3, "--ppo_num_passes": 10}
    assert fingerprint(comparison) == fingerprint(Comparison(loss)) | own
    settings = comparison.inner_loop
    same = Comparison(
        loss, ppo_learning_rate=settings.learning_rate, ppo_num_passes=settings.num_passes
    )
    assert fingerprint(same) == fingerprint(Comparison(loss))
    assert labels(same)["ppo"] == "PPO"


@pytest.mark.parametrize(
    ("bindings", "sees_reward", "given", "guidance"),
    [
        (["Constant.value = 0.5"], False, False, 0.0),
        (["Constant.value = 0.5"], False, True, 0.0),
        (["meta_train.guidance = @Linear()", "Linear.num_epochs = 40"], True, True, 1 / 40),
        ([], True, True, 0.0),
    ],
)
def test_without_leave_no_reward_is_used(bindings, sees_reward, given, guidance):
    if sees_reward:
        seen = ("observation", "action", "reward", "termination", "memory", "policy")
        bindings = [
            *bindings,
            f"LearnedLoss.inputs = {seen}",
            "InnerLoop.backend = 'tensorflow'",  # the other has no memory
        ]
    bindings += ["Linear.start = 1.0", "Linear.end = 0.0"] if "Linear" in str(bindings) else []
    comparison = Comparison(make_loss(*bindings), give_reward=given)
    assert comparison.loss.sees_reward == sees_reward
    np.testing.assert_allclose(comparison.loss.guidance, guidance, rtol=1e-6)


def test_a_diverged_agent_is_counted():
    loss = make_loss("InnerLoop.num_updates = 2", "InnerLoop.hidden_sizes = (4,)")
    loss = dataclasses.replace(loss, phi=np.full_like(loss.phi, 1e30))
    comparison = Comparison(loss, ("evolved", "ppo"), num_tasks=2, num_seeds=1, num_updates=2)
    runs = AgentTraining(comparison, Ranks()).run("evolved", mock.Mock())
    assert runs.diverged.tolist() == [[True], [True]]
    assert runs.curves.shape == (2, 1, 2)


def test_ppo_learns(loss):
    """On the nominal arm PPO gets from about -105 to about -55 in 7,680 steps."""
    settings = dataclasses.replace(
        loss.settings,
        family=dataclasses.replace(loss.settings.family, link_length=(1.0, 1.0)),
        inner_loop=dataclasses.replace(loss.settings.inner_loop, learning_rate=3e-3),
    )
    comparison = Comparison(
        dataclasses.replace(loss, settings=settings), num_tasks=8, num_seeds=1, num_updates=60
    )
    curves = AgentTraining(comparison, Ranks()).run("ppo", mock.Mock()).curves[:, 0]
    assert np.median(curves[:, 0]) < -95.0
    assert np.median(curves[:, -1]) > -65.0


def broken_runs(comparison):
    """Runs in which the random losses come to no number, or to a very low one."""
    rng = np.random.default_rng(0)
    shape = (comparison.num_tasks, comparison.num_seeds, comparison.num_updates)
    climbing = np.linspace(-110.0, -80.0, shape[2]) + rng.normal(size=shape)
    falling = -100.0 * 1.3 ** np.arange(shape[2]) * np.ones(shape)
    falling[:, 0, 10:] = np.nan
    falling[0, :, 10:] = -np.inf
    diverged = ~np.isfinite(falling).all(axis=2)
    return {
        "evolved": Runs(climbing + 5.0, np.zeros(shape[:2], bool)),
        "random_loss": Runs(falling, diverged),
        "ppo": Runs(climbing, np.zeros(shape[:2], bool)),
    }


def test_returns_that_are_not_finite_break_nothing(loss):
    comparison = Comparison(
        loss, ("evolved", "random_loss", "ppo"), num_tasks=3, num_seeds=2, num_updates=20
    )
    runs, bootstrap = broken_runs(comparison), Bootstrap.draw(3, 2)
    summary = summarise(comparison, runs, bootstrap, ["command"])
    random = summary["random_loss"]
    assert random["final_iqm"] is random["final_low"] is random["auc_iqm"] is None
    assert random["updates_to_reach_ppo"] is None
    assert random["probability_over_ppo"] == 0.0
    assert summary["provenance"]["diverged_runs"] == {"evolved": 0, "random_loss": 4, "ppo": 0}
    text = table(summary)
    assert "not finite [not finite, " in text
    assert text.endswith(
        "random loss, no reward: 4 of 6 agents met a gradient or a return that was not finite."
    )
    # In the picture PPO stays readable, and what leaves it at the bottom is said.
    curves = {method: of.curves for method, of in runs.items()}
    estimates = {method: bootstrap.estimate_curve(of) for method, of in curves.items()}
    names = summary["provenance"]["labels"]
    figure = plot_learning_curves("Title", np.arange(20), curves, estimates, names, ["a", "b", "c"])
    assert plot_style.png(figure).startswith(b"\x89PNG")
    for axis in figure.axes:
        low, high = axis.get_ylim()
        assert -150.0 < low < np.min(curves["ppo"])
        assert np.max(curves["evolved"]) < high < -60.0
        assert "not finite" in axis.texts[0].get_text()


def test_longer_lives_are_looked_at_where_the_loss_was_to_have_taught_too(loss):
    longer = Comparison(loss, ("evolved", "random_loss", "ppo"), 3, 2, num_updates=80)
    assert longer.early_update == loss.settings.inner_loop.num_updates == 16
    runs, bootstrap = broken_runs(longer), Bootstrap.draw(3, 2)
    summary = summarise(longer, runs, bootstrap, ["command"])
    at = bootstrap.estimate(runs["ppo"].curves[..., 15])
    assert [summary["ppo"][f"early_{name}"] for name in at._fields] == list(at)
    assert "after 16 updates" in table(summary)
    as_long = Comparison(loss, ("evolved", "ppo"), 3, 2, num_updates=16)
    assert as_long.early_update is None
    summary = summarise(as_long, {m: runs[m] for m in as_long.methods}, bootstrap, ["command"])
    assert "early_iqm" not in summary["ppo"] and "after" not in table(summary)


def test_agents_without_an_action_hold_still(loss):
    """They get what a simulator says that is never given a torque; two episodes in 128 steps."""
    comparison = Comparison(loss, ("no_action", "ppo"), num_tasks=2, num_seeds=1, num_updates=1)
    on_update = mock.Mock()
    runs = AgentTraining(comparison, Ranks()).run("no_action", on_update)
    assert on_update.call_count == 1 and not runs.diverged.any()
    family = loss.settings.family
    for seed, curve in zip(comparison.seeds, runs.curves[:, 0], strict=True):
        task, resets = family.sample(seed.task_seed), seed.generator(Stream.RESETS)
        simulator = BatchSimulator(family, [task], [resets])
        steps = [simulator.step(np.zeros((1, 2))).reward[0] for _ in range(50)]
        simulator.reset()
        steps += [simulator.step(np.zeros((1, 2))).reward[0] for _ in range(50)]
        np.testing.assert_allclose(curve, [sum(steps) / 2], rtol=1e-6)
