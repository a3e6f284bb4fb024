"""The analyses from the outside: what they leave behind, what they say, what they refuse."""

import contextlib
import csv
import io
import pathlib
import re
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from commands import SEEING, call, events_in, make_loss, scalars_in, summary_of
from refusals import sentence_of

from epg_tf import analyze, config, ranks
from epg_tf.evaluation.analysis.analysis import Analysis, Findings
from epg_tf.evaluation.analysis.mean_interval import geometric_mean_interval, mean_interval
from epg_tf.evaluation.analysis.summary import labels, sentences, summarise
from epg_tf.evolved_loss.load import load
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.seeds import HELD_OUT_TASK_SEEDS

INPUTS = ("observation", "action", "termination", "memory", "policy")
METHODS = ("evolved", "random_loss")
NUM_TASKS, NUM_UPDATES, BUFFER_SIZE = 3, 3, 48
BUFFER = {"InnerLoop.buffer_size": BUFFER_SIZE}
POSITION = 16 + 25  # the 25th of the newest 32
FLAGS = {"num_tasks": NUM_TASKS, "num_updates": NUM_UPDATES}
FILES = {
    "analyze.json",
    "events",
    "operative_config.gin",
    "summary.json",
    *(
        f"{name}.{kind}"
        for name in ("gradient_correlation", "policy_change", "sensitivity")
        for kind in ("png", "npz", "csv")
    ),
}


def run(path, root, **flag_values):
    """What `python -m epg_tf.analyze` does, in this process."""
    call(analyze, **(FLAGS | {"loss": str(path), "root_dir": str(root)} | flag_values))


@pytest.fixture(scope="module")
def loss(tmp_path_factory):
    return make_loss(tmp_path_factory.mktemp("loss") / "run", BUFFER)


@pytest.fixture(scope="module")
def seeing_loss(tmp_path_factory):
    return make_loss(tmp_path_factory.mktemp("seeing_loss") / "run", BUFFER | SEEING)


class Results(NamedTuple):
    """An analysis: its folder, what was found, and what was said."""

    root: pathlib.Path
    found: Findings
    said: str


@pytest.fixture(scope="module")
def analysed(loss, tmp_path_factory):
    root = tmp_path_factory.mktemp("analysis") / "results"
    found = []

    def keep(analysis, on_update, measure=Analysis.run):
        found.append(measure(analysis, on_update))
        return found[-1]

    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(Analysis, "run", keep)
        run(loss, root)
    return Results(root, found[-1], said.getvalue())


@pytest.fixture(scope="module")
def results(analysed):
    return analysed.root


def arrays_of(root, name):
    with np.load(root / f"{name}.npz") as file:
        return dict(file)


def rows_of(root, name):
    with open(root / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


# What an analysis leaves behind.


def test_it_leaves_pictures_data_and_a_summary(results):
    assert {path.name for path in results.iterdir()} == FILES
    for path in results.glob("*.png"):
        height, width, _ = tf.io.decode_png(path.read_bytes()).shape
        assert height > 300
        assert width > 600
    written = config.read([str(results / "operative_config.gin")], [])
    assert written.inner_loop.num_updates == NUM_UPDATES  # what --num_updates asked for


@pytest.mark.parametrize(
    ("name", "column"), [("gradient_correlation", "correlation"), ("policy_change", "kl")]
)
def test_the_numbers_of_every_agent_are_there_twice(results, name, column):
    arrays = arrays_of(results, name)
    np.testing.assert_array_equal(arrays["task_seeds"], HELD_OUT_TASK_SEEDS[:NUM_TASKS])
    methods = [*METHODS, "ppo_halves"] if column == "correlation" else METHODS
    rows = rows_of(results, name)
    assert len(rows) == len(methods) * NUM_TASKS * NUM_UPDATES
    for row in rows:
        task = HELD_OUT_TASK_SEEDS.index(int(row["task_seed"]))
        assert float(row[column]) == arrays[row["method"]][task, int(row["update"]) - 1]
    for method in methods:
        assert arrays[method].shape == (NUM_TASKS, NUM_UPDATES)
        assert np.isfinite(arrays[method]).all()
    low, high = (-1.0, 1.0) if column == "correlation" else (0.0, 10.0)
    assert all(low < arrays[method].min() <= arrays[method].max() < high for method in methods)


def test_the_sensitivity_is_there_by_phase_and_kind_of_input(results):
    arrays = arrays_of(results, "sensitivity")
    assert tuple(arrays["inputs"]) == INPUTS
    assert arrays["position"] == POSITION
    rows = rows_of(results, "sensitivity")
    assert len(rows) == len(METHODS) * 2 * len(INPUTS) * BUFFER_SIZE
    for row in rows[:: BUFFER_SIZE // 2]:
        kind, position = INPUTS.index(row["input"]), int(row["position"])
        for part in ("total", "through_context"):
            of_agents = arrays[f"{row['method']}/{row['phase']}/{part}"]
            assert of_agents.shape == (NUM_TASKS, len(INPUTS), BUFFER_SIZE)
            expected = of_agents[:, kind, position].mean()
            assert float(row[part]) == pytest.approx(expected)
    for method in METHODS:
        total = arrays[f"{method}/late/total"]
        assert np.all(total[..., POSITION].sum(axis=1) > total.mean(axis=2).sum(axis=1))


def test_the_summary_is_made_of_these_numbers(results):
    summary = summary_of(results)
    correlations = arrays_of(results, "gradient_correlation")
    for method in (*METHODS, "ppo_halves"):
        expected = mean_interval(correlations[method].mean(axis=1))
        found = summary["gradient_correlation"][method]
        assert [found[name] for name in expected._fields] == pytest.approx(list(expected))
        assert found["share_positive"] == np.mean(correlations[method] > 0)
    changes = arrays_of(results, "policy_change")
    for method in METHODS:
        typical = np.exp(np.log(changes[method]).mean(axis=1))
        expected = geometric_mean_interval(typical)
        found = summary["policy_change"][method]
        assert [found[name] for name in expected._fields] == pytest.approx(list(expected))
        largest = np.exp(np.mean(np.log(changes[method].max(axis=1) / typical)))
        assert found["largest_over_mean"] == pytest.approx(largest)
    norms = arrays_of(results, "sensitivity")
    assert summary["sensitivity"]["position"] == POSITION
    found = summary["sensitivity"]["evolved"]["early"]["action"]
    of_action = norms["evolved/early/total"][:, INPUTS.index("action")].mean(axis=0)
    assert found["own_step"] == pytest.approx(of_action[POSITION])
    assert found["other_steps"] == pytest.approx(np.delete(of_action, POSITION).mean())
    about = summary["provenance"]
    assert about["phases"] == {"early": [2, 2], "late": [3, 3]}  # 64 steps fill 48
    assert about["diverged_agents"] == {"evolved": 0, "random_loss": 0}
    assert not about["sees_reward"]


def test_tensorboard_shows_the_same(results):
    changes = geometric_mean_interval(arrays_of(results, "policy_change")["evolved"]).mean
    scalars = {
        (method, tag, step): value
        for method in METHODS
        for tag, step, value in scalars_in(results / "events" / method)
    }
    for k, change in enumerate(changes, start=1):
        assert scalars["evolved", "analysis/policy_change", k] == pytest.approx(change)
        assert ("random_loss", "analysis/gradient_correlation", k) in scalars
    assert ("evolved", "analysis/sensitivity_late/memory", POSITION) in scalars
    names = ("gradient_correlation", "policy_change", "sensitivity", "findings", "config")
    shown = {tag for tag, _, _ in events_in(results / "events")}
    assert {f"analysis/{name}" for name in names} <= shown


def test_it_says_what_it_found(analysed):
    said = analysed.said
    assert said.startswith("Held-out RandomReacher: 3 tasks, 3 updates of 32 steps")
    correlation = summary_of(analysed.root)["gradient_correlation"]["evolved"]["mean"]
    assert re.search(rf"correlation with PPO's gradient¹ +{correlation:.2g} \[", said)
    assert "KL in nats" in said
    assert all(kind in said for kind in INPUTS)
    assert f"Files: {analysed.root}." in said


def test_the_same_command_again_leaves_the_same(analysed, loss, monkeypatch):
    root = analysed.root
    kept = [path for path in root.iterdir() if path.suffix in (".csv", ".json", ".png")]
    before = {path: path.read_bytes() for path in kept}
    for path in root.glob("policy_change*"):
        path.unlink()
    monkeypatch.setattr(Analysis, "run", lambda analysis, on_update: analysed.found)
    run(loss, root)
    assert {path: path.read_bytes() for path in kept} == before
    assert {path.name for path in root.iterdir()} == FILES
    assert len(list(root.glob("events/events*"))) == 1


def test_a_loss_that_sees_the_reward_is_analysed_and_it_is_said(seeing_loss, tmp_path, capfd):
    run(seeing_loss, tmp_path / "results", num_tasks=1, num_updates=2)
    summary = summary_of(tmp_path / "results")
    assert summary["provenance"]["sees_reward"]
    assert summary["provenance"]["guidance"] == 0.5
    assert summary["provenance"]["labels"]["evolved"] == (
        "evolved loss, sees reward + PPO with α = 0.5"
    )
    assert list(summary["sensitivity"]["evolved"]["late"]) == list(SEEING["LearnedLoss.inputs"])
    assert summary["gradient_correlation"]["evolved"]["low"] is None  # of one agent
    assert "The losses see the reward." in capfd.readouterr().out


# What is analysed.


def test_agents_are_paired_and_never_shown_a_reward(loss):
    analysis = Analysis(load(str(loss)), 2)
    assert [seed.task_seed for seed in analysis.seeds] == list(HELD_OUT_TASK_SEEDS[:2])
    assert analysis.loss.guidance == 0.0
    workers = Workers(analysis.inner_loop, analysis.loss.settings.family, 4)
    phi = analysis._phi(workers)
    np.testing.assert_array_equal(phi[:2], np.stack([analysis.loss.phi] * 2))
    np.testing.assert_array_equal(phi[2], workers.draw_phi(0))  # what the evolution started from
    assert np.any(phi[2] != phi[3])


def test_agents_that_diverged_are_left_out_and_counted(loss, analysed):
    bindings = [f"InnerLoop.num_updates = {NUM_UPDATES}"]
    analysis = Analysis(load(str(loss), (), bindings), NUM_TASKS)
    found = analysed.found
    diverged = {method: np.array([False, method == "evolved", False]) for method in METHODS}
    changes = {
        method: np.where(diverged[method][:, np.newaxis], np.inf, of)
        for method, of in found.policy_changes.items()
    }
    spoilt = found._replace(policy_changes=changes, diverged=diverged)
    summary = summarise(analysis, spoilt, [])
    assert summary["provenance"]["diverged_agents"] == {"evolved": 1, "random_loss": 0}
    assert labels(analysis)["evolved"] == "evolved loss, no reward"
    assert "evolved loss, no reward: 1 of 3 agents met a gradient" in sentences(summary)
    kept = found.correlations["evolved"][[0, 2]].mean()
    assert summary["gradient_correlation"]["evolved"]["mean"] == pytest.approx(kept)
    before = summary_of(analysed.root)
    assert summary["policy_change"]["random_loss"] == before["policy_change"]["random_loss"]


# What is refused: one sentence, an exit code, and nothing written.


def refusal(path, root, capfd, **flag_values):
    return sentence_of(capfd, lambda: run(path, root, **flag_values))


@pytest.mark.parametrize(
    ("flag_values", "says"),
    [
        ({"num_tasks": 0}, "`--num_tasks` (=0) must be a positive integer."),
        ({"num_updates": 0}, "`--num_updates` (=0) must be a positive integer."),
        ({"num_updates": 1}, "`InnerLoop.num_updates` (=1) must be at least 2, so that the buffer"),
        ({"loss": "gin"}, "`--loss` (=gin) must be the folder of a run or of an exported loss"),
        ({"gin_binding": ["meta_train.family = @RandomHopper()"]}, "must fit the config"),
        ({"gin_binding": ["InnerLop.num_updates = 3"]}, "'InnerLop'"),
    ],
)
def test_bad_input_is_refused(flag_values, says, loss, tmp_path, capfd):
    assert says in refusal(loss, tmp_path / "results", capfd, **flag_values)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_another_analysis_is_refused_and_left_as_it_is(results, loss, capfd):
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*")}
    sentence = refusal(loss, results, capfd, num_tasks=2)
    assert f"`--root_dir` (={results}) must not hold another result of analyze" in sentence
    assert "`--num_tasks` is 3 there and 2 here" in sentence
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*")} == before
    assert "must be a new or an empty folder" in refusal(loss, loss, capfd)


def test_several_ranks_are_refused(loss, tmp_path, capfd, monkeypatch):
    class TwoRanks:
        size, is_first = 2, True
        gather = staticmethod(lambda value: [value, value])
        broadcast = staticmethod(lambda value: value)

    monkeypatch.setattr(ranks, "Ranks", TwoRanks)
    sentence = refusal(loss, tmp_path / "results", capfd)
    assert "`horovodrun -np` (=2) must be 1: analyze is one process." in sentence
    assert not list(tmp_path.iterdir())
