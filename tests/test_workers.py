"""Test workers that have grown are replaced: every test still runs once, and failures count."""

import pathlib
import subprocess
import sys

import pytest

TESTS = """
import os, pathlib, pytest, time

@pytest.mark.parametrize("number", range(6))
def test_one(number, request):
    with pathlib.Path("ran.txt").open("a") as ran:
        ran.write(f"{os.getpid()} {request.node.nodeid}\\n")
    time.sleep(0.2)  # so that a request reaches the worker before it has run everything
    assert number != failing
"""


def run(folder, limit, failing, *arguments):
    """Runs eight files of 6 tests: the exit code, the summary, and (process, test) pairs."""
    (folder / "conftest.py").write_text(
        f"import workers\npytest_plugins = ['workers']\nworkers.LIMIT = {limit}\n"
    )
    for name in "abcdefgh":
        (folder / f"test_{name}.py").write_text(f"failing = {failing}\n{TESTS}")
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "4", "--dist", "loadfile", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(pathlib.Path(__file__).parent)},
        capture_output=True,
        text=True,
    )
    ran = [line.split() for line in (folder / "ran.txt").read_text().splitlines()]
    return ended.returncode, ended.stdout.splitlines()[-1], ran


@pytest.mark.parametrize(("limit", "is_replaced"), [(10**9, False), (1, True)])
def test_a_worker_that_has_grown_is_replaced_and_every_test_runs_once(tmp_path, limit, is_replaced):
    code, summary, ran = run(tmp_path, limit, failing=4)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert summary.startswith("8 failed, 40 passed")
    assert len(ran) == len({test for _, test in ran}) == 48
    assert (len({process for process, _ in ran}) > 4) == is_replaced


def test_other_ways_to_hand_out_tests_are_left_alone(tmp_path):
    code, summary, _ = run(tmp_path, 1, 4, "--dist", "load")
    assert code == pytest.ExitCode.TESTS_FAILED
    assert summary.startswith("8 failed, 40 passed")


def test_workers_are_not_replaced_once_the_run_is_to_stop(tmp_path):
    code, _, ran = run(tmp_path, 1, 2, "-x")
    assert code in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert len(ran) < 48
