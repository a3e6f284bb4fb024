"""The benchmark measures what it says, and all of it; how long things take is not tested."""

import importlib
import json
import math
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from benchmarks.speed import __main__ as benchmark
from benchmarks.speed import cost, parts, presets, processes, table
from benchmarks.speed.open_loop import OpenLoop, recorded
from benchmarks.speed.sizes import FAMILIES, FULL, QUICK, Sizes
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.ranks import Ranks

BENCHMARKS = pathlib.Path(__file__).parents[1] / "benchmarks"
SMALL = (
    "InnerLoop.steps_per_update = 32",
    "InnerLoop.buffer_size = 32",
    "InnerLoop.hidden_sizes = (4,)",
    "InnerLoop.num_minibatches = 1",
    "meta_train.num_workers = 2",
)
TINY = Sizes(
    workers=2,
    updates=3,
    repetitions=2,
    memory_updates=4,
    memory_lifetime=2,
    memory_apart=False,
    communication_ranks=(2, 8),
    communication_repetitions=3,
    cost_workers=(1, 2),
    cost_updates=(2, 3),
    cost_context_sizes=(2, 4),
    bindings=SMALL,
)
KEYS = {
    "share_of_limit",
    "share_of_limit_one_rank",
    "steps_per_second",
    "limit_steps_per_second",
    "scaling_two_ranks",
    "startup_seconds",
    "startup_seconds_warm",
    "rss_mb",
    "rss_growth_mb",
    "breakdown",
}


def start_here(program, num_ranks, arguments, environment):
    """`processes.start`, but in this process, as one rank."""
    measure = importlib.import_module(f"benchmarks.speed.{program}").measure
    arguments = json.loads(json.dumps(arguments))
    return json.loads(json.dumps(measure(Ranks(), **arguments)))


@pytest.fixture(scope="module")
def figures():
    todo = parts.list_parts(["reacher"], TINY)
    return parts.assemble(["reacher"], TINY, parts.run(todo, start_here))


def test_the_figures_are_all_there(figures):
    assert set(figures) >= KEYS | {"communication", "cost", "machine"}
    for name in ("share_of_limit", "share_of_limit_one_rank"):
        assert set(figures[name]) == {"reacher"}
        assert 0.0 < figures[name]["reacher"] < 1.2
    percent = [part["percent"] for part in figures["breakdown"]["reacher"].values()]
    assert len(percent) == 3 and math.isclose(sum(percent), 100.0)
    assert (
        0.0 < figures["startup"]["cold"]["first_step"] < figures["startup"]["cold"]["first_update"]
    )
    assert figures["rss_growth_updates"] == TINY.memory_updates
    assert set(figures["cost"]) == {"workers", "updates", "parameters"}
    json.dumps(figures, allow_nan=False)


def test_the_table_says_them(figures):
    text = table.render(figures)
    assert f"{figures['share_of_limit']['reacher']:.2f}" in text
    assert "an epoch's exchange: " in text and "cost against P" in text


def test_what_is_measured_of_all_families_and_what_with_quick():
    keys = [part.key for part in parts.list_parts(FAMILIES, FULL, profile="somewhere")]
    assert len(keys) == len(set(keys))
    for family in FAMILIES:
        assert {f"2 {family}", f"1 {family}", f"profile {family}"} <= set(keys)
    quick = parts.list_parts(["hopper"], QUICK)
    assert [part.num_ranks for part in quick] == [2, 1, 1, 1]
    assert {part.arguments["family"] for part in quick} == {"hopper"}


@pytest.mark.parametrize("family", ["reacher", "hopper"])
def test_the_limit_is_the_physics_of_the_lifetime_itself(family):
    num_steps, num_workers, num_updates = 32, 2, 3
    settings = presets.read(family, [*SMALL, f"InnerLoop.num_updates = {num_updates}"])
    workers = Workers(settings.inner_loop, settings.family, num_workers)
    phi, seeds = presets.first_epoch(settings, workers, range(num_workers))
    with recorded() as recordings:
        workers.live(phi, seeds, 0.0)
    limit = OpenLoop(recordings, num_threads=0, skip=num_steps)
    assert limit.num_steps == num_workers * num_steps * (num_updates - 1)
    assert limit.run() > 0.0
    arrived = limit.states[:, -1].reshape(num_workers, -1, limit.states.shape[2])
    following = np.stack(recordings[0].states[num_steps + 1 :], axis=1)
    same = (arrived[:, :-1] == following).all(axis=2)
    resets = following[..., 0] < arrived[:, :-1, 0]  # the clock is set back
    assert same.any() and (same | resets).all()


def test_the_exponent_is_that_of_the_larger_sizes():
    sizes = [1, 2, 4, 8, 16]
    np.testing.assert_allclose(cost.exponent(sizes, [5.0, 5.0, 4.0, 8.0, 16.0]), 1.0)
    np.testing.assert_allclose(cost.exponent(sizes[::-1], [s**2 for s in sizes[::-1]]), 2.0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--families=robot"], "`--families` (=robot) must be one or more of reacher, hopper"),
        (["--families="], "`--families` (=) must be one or more of"),
        (["--json=/nowhere/figures.json"], "`--json` (=/nowhere/figures.json) must be a file"),
        (["--profile=/dev/null/profile"], "`--profile` (=/dev/null/profile) must be a folder"),
        (["all"], "`all` is not a flag"),
    ],
)
def test_a_bad_value_is_told_in_a_sentence(arguments, sentence, capsys, monkeypatch):
    monkeypatch.setattr(processes, "start", lambda *_: pytest.fail("has begun to work"))
    monkeypatch.setattr(processes, "horovodrun", lambda: pathlib.Path(sys.executable))
    with flagsaver.flagsaver(), pytest.raises(SystemExit) as stopped:
        benchmark.main(flags.FLAGS(["benchmark", *arguments]))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"epg_tf: {sentence}") and error.count("\n") == 1


def test_a_program_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"`memory` on 1 rank\(s\) has failed:(.|\n)*TypeError"):
        processes.start("memory", 1, {"nonsense": 1})


def test_the_pages_name_the_command_and_its_flags():
    for page in ("README.md", "CONTRIBUTING.md", "docs/speed.md"):
        assert "python -m benchmarks.speed" in (BENCHMARKS.parent / page).read_text()
    lines = (BENCHMARKS.parent / "docs/speed.md").read_text() + str(benchmark.__doc__)
    commands = re.findall(r"(?m)^ +python -m benchmarks\.speed(.*)$", lines)
    assert len(commands) == 3
    with flagsaver.flagsaver():
        for command in commands:
            assert flags.FLAGS(["benchmark", *command.split()]) == ["benchmark"]


def test_a_checkout_is_measured_with_its_own_benchmark(tmp_path):
    package_of = runpy.run_path(str(BENCHMARKS / "against_commit.py"))["package_of"]
    assert package_of(BENCHMARKS.parent) == "benchmarks.speed"
    assert package_of(tmp_path) == ""
    (tmp_path / "epg_tf" / "benchmarking").mkdir(parents=True)
    assert package_of(tmp_path) == "epg_tf.benchmarking"


def test_help_comes_before_tensorflow():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "benchmarks.speed", "--help"],
        capture_output=True,
        text=True,
    )
    assert "--families" in done.stdout and "mujoco.rollout" in done.stdout
    assert "tensorflow" not in done.stderr


def test_a_library_that_cannot_be_installed_is_named_with_the_reason(monkeypatch, tmp_path, capsys):
    def last_line(command, timeout=900):
        if "envpool" in command:
            raise RuntimeError("no wheel for an abacus")
        return "" if "install" in command else '{"version": "1.0", "reacher": 10.0, "hopper": 5.0}'

    libraries = runpy.run_path(str(BENCHMARKS / "against_libraries.py"))
    main = libraries["main"]
    monkeypatch.setitem(main.__globals__, "last_line", last_line)
    monkeypatch.setattr("venv.create", lambda *arguments, **options: None)
    main(tmp_path)
    said = capsys.readouterr().out
    assert "envpool: no wheel for an abacus" in said
    assert "stable_baselines3 1.0: reacher 10/s, hopper 5/s" in said


def test_gymnasiums_vectors_step_as_asked():
    asked = json.dumps({"peer": "sync_vector_env", "num_envs": 2, "frame_skips": {"hopper": 2}})
    command = [sys.executable, BENCHMARKS / "stepping.py", asked]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert json.loads(said.stdout)["hopper"] > 0.0
