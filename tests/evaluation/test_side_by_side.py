"""Several runs beside one another: what the table, the page and the picture say."""

import base64
import json
import re
import shutil

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver
from refusals import sentence_of

from epg_tf import report
from epg_tf.evaluation.report.plot_runs import plot_runs
from epg_tf.evaluation.report.run_report import RunReport
from epg_tf.evaluation.report.several_runs import read_runs, run_folders, table_of_runs
from epg_tf.files import SHIPPED
from epg_tf.statistics import Estimate

RUNS = {  # seed, learning rate, what the comparison at the end found
    "base": (0, 0.001, [-30.0, -10.0, -20.0, -20.0]),
    "fast": (0, 0.005, [-8.0] * 4),
    "seed_1": (1, 0.001, None),
}


def add_run(folder, seed, rate, held_out):
    folder.mkdir(parents=True)
    (folder / "operative_config.gin").write_text("# read by people and by gin alone\n")
    settings = {"meta_train.family": "RandomReacher", "meta_train.seed": seed}
    settings["InnerLoop.learning_rate"] = rate
    (folder / "config.json").write_text(json.dumps(settings))
    names = "return_mean return_median return_std return_min return_max guidance phi_norm"
    rows = [
        dict.fromkeys(names.split(), 0.0)
        | {
            "epoch": epoch,
            "env_steps": 1000 * epoch,
            "seconds": 1800.0,
            "return_median": -100.0 / epoch,
            "diverged_workers": 0,
            "env_steps_per_second": 1.0,
        }
        for epoch in (1, 2)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if held_out is not None:
        result = {"epoch": 2, "first": [-1e4] * 4, "last": held_out}
        (folder / "held_out.json").write_text(json.dumps(result))


@pytest.fixture
def root(tmp_path):
    for name, values in RUNS.items():
        add_run(tmp_path / "runs" / name, *values)
    return tmp_path / "runs"


def make_report(root):
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(root_dir=str(root)):
        report.main(["report"])


def test_each_run_is_told_by_what_it_does_not_share_with_most(root):
    table = table_of_runs(read_runs(run_folders(root))[0])
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == list(RUNS)
    assert [row[0] for row in rows.values()] == [
        "–",
        "`InnerLoop.learning_rate` = 0.005",
        "`meta_train.seed` = 1",
    ]
    assert rows["base"][1:5] == ("2", "2,000", "1.0", "-50.00")
    # The middle half of -30, -20, -20 and -10; four draws of -10 or of -30 are rare.
    found = [float(n) for n in re.findall(r"-?[\d.]+", rows["base"][5])]
    assert found[0] == -20.0
    assert -30.0 <= found[1] < found[0] < found[2] <= -10.0
    assert rows["fast"][5] == "-8.000 [-8.000, -8.000]"
    assert rows["seed_1"][5] == "–"


def test_a_comparison_of_an_earlier_epoch_is_not_the_last_losss(root):
    (root / "fast" / "held_out.json").write_text(
        json.dumps({"epoch": 1, "first": [-1.0], "last": [-1.0]})
    )
    rows = {row[0]: row for row in table_of_runs(read_runs(run_folders(root))[0]).rows}
    assert rows["fast"][-1] == "–"


def test_a_folder_of_runs_gives_a_page_a_picture_and_a_table(root, capfd):
    make_report(root)
    said = capfd.readouterr().out
    assert "| fast | `InnerLoop.learning_rate` = 0.005 | 2 | 2,000 |" in said
    page = (root / "report.html").read_text()
    assert "3 runs on RandomReacher" in page
    assert page.count("data:image/png;base64,") == 1
    picture = base64.b64encode((root / "runs.png").read_bytes()).decode()
    assert f"data:image/png;base64,{picture}" in page
    before = (root / "report.html").read_bytes()
    make_report(root)
    assert (root / "report.html").read_bytes() == before


def test_a_run_in_its_first_epoch_is_left_out_and_named(root, capfd):
    (root / "seed_1" / "metrics.jsonl").write_text("")
    (root / "evaluation").mkdir()  # what other commands write has a config too
    (root / "evaluation" / "operative_config.gin").write_text("")
    make_report(root)
    sentence = f"`seed_1` (={root / 'seed_1'}) must hold a run with at least one whole epoch."
    assert sentence in capfd.readouterr().out
    page = (root / "report.html").read_text()
    assert "2 runs on RandomReacher" in page
    assert "must hold a run with at least one whole epoch" in page


def test_a_folder_without_a_whole_epoch_is_refused(root, capfd):
    for name in RUNS:
        (root / name / "metrics.jsonl").write_text("")
    sentence = sentence_of(capfd, lambda: make_report(root))
    assert "must hold a run with at least one whole epoch" in sentence
    assert not (root / "report.html").exists()


def test_runs_of_several_families_are_refused(root, capfd):
    config = root / "fast" / "config.json"
    config.write_text(config.read_text().replace("RandomReacher", "RandomHopper"))
    sentence = sentence_of(capfd, lambda: make_report(root))
    assert (
        "must hold runs of one family of tasks, not of RandomHopper and RandomReacher" in sentence
    )


@pytest.mark.parametrize(
    ("medians", "finals"),
    [
        ([[-1e5, -1e3, -30.0, -20.0], [-1e4, -200.0]], [-20.0, -900.0]),
        ([[20.0, 300.0, 500.0], [100.0, 140.0, 120.0]], [400.0, 130.0]),  # as Hoppers'
        ([[0.0, 0.0], [0.0, 0.0]], [0.0, None]),
        ([[-5.0], [np.nan]], [None, None]),
    ],
)
def test_every_point_is_in_the_picture(medians, finals):
    curves = {f"run {i}": (np.arange(1, len(m) + 1), np.array(m)) for i, m in enumerate(medians)}
    estimates = {
        f"run {i}": None if f is None else Estimate(f, f - 1.0, f + 1.0)
        for i, f in enumerate(finals)
    }
    figure = plot_runs("title", curves, estimates)
    figure.canvas.draw()
    left, right = figure.axes
    low, high = left.get_ylim()
    assert all(low <= y <= high for m in medians for y in m if np.isfinite(y))
    assert low < high
    assert [len(line.get_xdata()) for line in left.lines] == [len(m) for m in medians]
    assert right.get_visible() == any(f is not None for f in finals)
    ends = right.get_xlim()
    assert all(ends[0] <= f <= ends[1] for f in finals if f is not None)


def test_runs_that_differ_in_their_seed_get_median_range_and_success_rate(tmp_path):
    finals = (-10.0, -20.0, -10.5, -9.0)
    for seed, final in enumerate(finals):
        add_run(tmp_path / f"seed_{seed}", seed, 0.001, [final] * 4)
    runs, _ = read_runs(run_folders(tmp_path))
    assert table_of_runs(runs).caption.endswith(
        " Over 4 seeds the median is -10.25 and the range -20.00 to -9.000; 3 of 4 reach 90 % of "
        "the median."
    )


def test_the_final_return_is_that_of_the_evaluation_where_there_is_one(tmp_path):
    shutil.copytree(SHIPPED / "losses" / "reacher" / "run", tmp_path / "run")
    (tmp_path / "run" / "evaluation").mkdir()
    evolved = {"final_iqm": -7.0, "final_low": -8.0, "final_high": -6.0}
    for crc32, expected in ((0, None), (None, Estimate(-7.0, -8.0, -6.0))):
        losses = RunReport.read(tmp_path / "run").records.losses()
        about = {"phi_crc32": next(iter(losses)) if crc32 is None else crc32}
        summary = json.dumps({"evolved": evolved, "provenance": about})
        (tmp_path / "run" / "evaluation" / "summary.json").write_text(summary)
        assert RunReport.read(tmp_path / "run").final_return == expected
