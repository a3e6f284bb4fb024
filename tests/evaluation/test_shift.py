"""A sweep over one setting of the tasks: what it is read as, and what it leaves behind."""

import csv
import json

import numpy as np
import pytest
from refusals import sentence_of
from test_evaluate import make_loss, make_tf_agents_quick, run

from epg_tf import config
from epg_tf.evaluation.shift import values

LENGTHS = "RandomReacher.link_length=[0.5, 1, (1.0, 2.0)]"


def parse(text, preset="reacher"):
    return values.parse(text, config.read([f"gin/{preset}.gin"], []))


def test_numbers_stand_for_ranges_where_the_setting_is_one():
    shift = parse("RandomHopper.gravity=[1, 5.5, 20]", "hopper")
    assert shift.values == ((1, 1), (5.5, 5.5), (20, 20))
    assert shift.bindings[1] == "RandomHopper.gravity = (5.5, 5.5)"
    assert shift.names == ["1", "5.5", "20"]
    assert shift.places == [1.0, 5.5, 20.0]
    assert shift.trained_range == (2.0, 20.0)


def test_what_is_no_range_stays_what_it_is():
    shift = parse("RandomHopper.frame_skip = [1, 2, 4]", "hopper")
    assert shift.values == (1, 2, 4)
    assert shift.trained_range == (2.0, 2.0)
    mixed = parse(LENGTHS)
    assert mixed.values == ((0.5, 0.5), (1, 1), (1.0, 2.0))
    assert mixed.names == ["0.5", "1", "(1.0,2.0)"]
    assert mixed.places == [0.0, 1.0, 2.0] and mixed.trained_range is None


def test_factors_by_name_and_directions():
    masses = parse("RandomBody.mass=[{'tip': (1, 2)}, 3]", "own_robot")
    assert masses.values == ({"tip": (1, 2)}, (3, 3))
    ways = parse(
        "DirHalfCheetah.directions=[((1.0,0.0,0.0),), ((-1.0,0.0,0.0),)]",
        "evolved/dir_half_cheetah",
    )
    assert not ways.is_numeric and ways.trained_range is None


@pytest.mark.parametrize(
    "text",
    ["RandomReacher.link_length", "RandomReacher.link_length=1", "RandomReacher.link_length=[1]"]
    + ["RandomReacher.link_length=[1, 1.0]", "RandomReacher.link_length=[a, b]"],
)
def test_less_than_two_values_get_a_sentence(text):
    with pytest.raises(ValueError, match="must be a setting and two or more different values"):
        parse(text)


@pytest.mark.parametrize(
    "name", ["InnerLoop.num_updates", "RandomReacher.speed", "RandomHopper.mass"]
)
def test_a_setting_that_is_not_the_tasks_gets_those_there_are(name):
    with pytest.raises(
        ValueError, match="one of the loss's tasks' settings: RandomReacher.link_length"
    ):
        parse(f"{name}=[1, 2]")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A complete sweep's folder."""
    root = tmp_path_factory.mktemp("sweep") / "sweep"
    loss = make_loss(root.parent / "run")
    with pytest.MonkeyPatch.context() as patch:
        make_tf_agents_quick(patch)
        run(loss, root, shift=LENGTHS, methods=["evolved", "ppo"])
    return loss, root


def test_each_value_has_an_evaluation_of_its_own(sweep, capsys):
    loss, root = sweep
    run(
        loss,
        root.parent / "alone",
        methods=["evolved", "ppo"],
        gin_binding=["RandomReacher.link_length = (0.5, 0.5)"],
    )
    alone, swept = (
        np.load(place / "curves.npz") for place in (root.parent / "alone", root / "0.5")
    )
    for method in ("evolved", "ppo"):
        np.testing.assert_array_equal(alone[method], swept[method])
    assert sorted(path.name for path in root.iterdir() if path.is_dir()) == [
        "(1.0,2.0)",
        "0.5",
        "1",
    ]


def test_it_is_summed_up(sweep):
    _, root = sweep
    about = json.loads((root / "shift.json").read_text())
    assert about["setting"] == "RandomReacher.link_length" and about["trained_on"] == [0.5, 1.5]
    with (root / "shift.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["value"], row["method"]) for row in rows] == [
        (value, method) for value in ("0.5", "1", "(1.0,2.0)") for method in ("evolved", "ppo")
    ]
    for row in rows:
        summary = json.loads((root / row["value"] / "summary.json").read_text())
        assert float(row["final_iqm"]) == summary[row["method"]]["final_iqm"]
    assert (root / "shift.png").stat().st_size > 10_000


def test_given_again_it_prints_the_same_and_trains_nothing(sweep, capsys):
    loss, root = sweep
    before = (root / "0.5" / "curves.npz").stat().st_mtime_ns
    run(loss, root, shift=LENGTHS, methods=["evolved", "ppo"])
    printed = capsys.readouterr().out
    assert printed.startswith("RandomReacher.link_length  evolved loss, no reward")
    assert [line.split()[0] for line in printed.splitlines()[1:4]] == ["0.5", "1", "(1.0,2.0)"]
    assert (root / "0.5" / "curves.npz").stat().st_mtime_ns == before


def test_another_sweep_does_not_go_into_the_same_folder(sweep, capfd):
    loss, root = sweep
    other = {"shift": "RandomReacher.link_length=[1, 2]", "methods": ["evolved", "ppo"]}
    assert "--shift" in sentence_of(capfd, lambda: run(loss, root, **other))


def test_a_bad_value_is_found_before_anything_is_trained(tmp_path, sweep, capfd):
    loss, _ = sweep
    bad = {"shift": "RandomReacher.link_length=[1, -2]", "methods": ["evolved", "ppo"]}
    sentence = sentence_of(capfd, lambda: run(loss, tmp_path / "new", **bad))
    assert "link_length" in sentence and not (tmp_path / "new").exists()
