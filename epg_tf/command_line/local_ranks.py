"""The flag --np of every command line that shares its work among ranks: ranks of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from absl import flags

from epg_tf import command_line

NP = flags.DEFINE_integer(
    "np", 1, "Starts as many ranks on this machine, which share the work. horovodrun starts others."
)
_SECONDS_TO_END = 10.0  # until the others of a rank that failed have noticed, or are ended


def require() -> None:
    """Starts the ranks if --np asks for several, and ends with them; returns within a rank.

    Raises:
        SystemExit: With the exit code of a rank that failed, else with 0.
    """
    if NP.value == 1 or "HOROVOD_RANK" in os.environ:
        return
    if NP.value < 1:
        command_line.fail(f"`--np` (={NP.value}) must be a positive integer.")
    try:
        from horovod.runner import gloo_run
        from horovod.runner.common.util.hosts import get_host_assignments, parse_hosts
        from horovod.runner.http.http_server import RendezvousServer
    except ImportError:
        command_line.fail(f"`--np` (={NP.value}) must be 1 without the extra epg_tf[horovod].")
    server = RendezvousServer()
    plan = get_host_assignments(parse_hosts(f"localhost:{NP.value}"), NP.value)
    launch = gloo_run.create_run_env_vars("127.0.0.1", ["lo"], server.start())
    server.init(plan)
    command = [sys.executable, *sys.orig_argv[1:]]
    environments = [os.environ | launch | gloo_run.create_slot_env_vars(slot) for slot in plan]
    ranks = [
        subprocess.Popen(command, env={name: str(value) for name, value in environment.items()})
        for environment in environments
    ]
    # A terminal sends Ctrl-C to the ranks too. They stop when they can, and this process then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: _send(ranks, signal.SIGTERM))
    raise SystemExit(_wait(ranks))


def _wait(ranks: Sequence[subprocess.Popen]) -> int:
    """Waits for all ranks; returns the exit code of one that failed, else 0."""
    deadline = float("inf")
    while any(rank.poll() is None for rank in ranks):
        if deadline == float("inf") and any(rank.returncode for rank in ranks):
            deadline = time.monotonic() + _SECONDS_TO_END
        if time.monotonic() > deadline:
            _send(ranks, signal.SIGKILL)
        time.sleep(0.1)
    # The highest is that of a rank that stopped on a signal. Another one may have lost it since.
    return max(_exit_code(rank.returncode) for rank in ranks)


def _exit_code(code: int) -> int:
    """Returns a shell's exit code for a rank that was asked to stop, or that was lost."""
    if code in (-signal.SIGINT, -signal.SIGTERM):  # before it could listen
        return 128 - code
    return command_line.RANK_LOST if code < 0 else code


def _send(ranks: Sequence[subprocess.Popen], number: int) -> None:
    for rank in ranks:
        rank.send_signal(number)
