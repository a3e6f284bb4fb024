"""launch/supervise.sh: what it starts again, and what not."""

import pathlib
import signal
import subprocess
import time

import pytest

PROJECT = pathlib.Path(__file__).parent.parent
SUPERVISE = PROJECT / "launch" / "supervise.sh"


def counting(tmp_path, then):
    """A command that writes down that it was started, and then does something."""
    return ["bash", "-c", f"echo x >> {tmp_path}/starts; n=$(wc -l < {tmp_path}/starts); {then}"]


def starts(tmp_path):
    return len((tmp_path / "starts").read_text().splitlines())


def supervise(*arguments):
    return subprocess.run(
        [SUPERVISE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_fails_is_started_again_until_it_ends_well(tmp_path):
    result = supervise("3", "0", "--", *counting(tmp_path, "exit $((n < 3))"))
    assert (result.returncode, starts(tmp_path)) == (0, 3)
    assert result.stderr.count("supervise: exit code 1; starting again in 0 s") == 2


def test_what_always_fails_is_given_up(tmp_path):
    result = supervise("2", "0", "--", *counting(tmp_path, "exit 137"))
    assert (result.returncode, starts(tmp_path)) == (137, 3)
    assert result.stderr.endswith("exit code 137 once more; given up after 2 restarts.\n")


@pytest.mark.parametrize("code", [0, 2, 130, 143])
def test_what_ended_on_purpose_is_not_started_again(code, tmp_path):
    result = supervise("--", *counting(tmp_path, f"exit {code}"))
    assert (result.returncode, starts(tmp_path), result.stderr) == (code, 1, "")


def test_a_signal_reaches_the_command_and_ends_the_supervision(tmp_path):
    then = "trap 'echo heard; exit 1' TERM; while true; do sleep 0.1; done"
    with subprocess.Popen(
        [SUPERVISE, "--", *counting(tmp_path, then)], stdout=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "starts").exists():
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert out == "heard\n" and process.returncode == 1 and starts(tmp_path) == 1


@pytest.mark.parametrize("arguments", [[], ["--"], ["x", "--", "true"], ["1", "x", "--", "true"]])
def test_a_wrong_call_gets_its_usage(arguments):
    result = supervise(*arguments)
    assert result.returncode == 2 and "usage: launch/supervise.sh" in result.stderr
