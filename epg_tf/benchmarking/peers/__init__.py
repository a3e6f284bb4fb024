"""What a user could step robots with instead, measured beside: EnvPool, gymnasium, SB3.

They live in a virtual environment of their own, because what they need does not go together with
what this project needs. One that cannot be installed or run is named with the reason.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import venv
from collections.abc import Mapping
from typing import Any, NamedTuple

_PROGRAM = pathlib.Path(__file__).with_name("stepping.py")
_INSTALL_SECONDS, _RUN_SECONDS = 900, 600


class Peer(NamedTuple):
    """A library that steps the same robots.

    Attributes:
        title: For the table.
        packages: What pip installs for it.
    """

    title: str
    packages: tuple[str, ...]


PEERS = {
    "envpool": Peer("EnvPool, stepping alone", ("envpool",)),
    "sync_vector_env": Peer("gymnasium's SyncVectorEnv, stepping alone", ("gymnasium[mujoco]",)),
    "async_vector_env": Peer("gymnasium's AsyncVectorEnv, stepping alone", ("gymnasium[mujoco]",)),
    "stable_baselines3": Peer(
        "Stable-Baselines3's PPO, rollouts alone", ("stable-baselines3", "gymnasium[mujoco]")
    ),
}


def measure(folder: pathlib.Path, num_envs: int, frame_skips: Mapping[str, int]) -> dict[str, Any]:
    """Installs the peers, unless they are there, and measures them one after the other.

    Args:
        folder: Of their virtual environment.
        num_envs: How many robots each steps at a time.
        frame_skips: MuJoCo steps per environment step, by robot: "reacher", "hopper".

    Returns:
        By peer: its `version`, and by robot environment steps per second; or an `error`.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    return {name: _measure_one(python, name, num_envs, frame_skips) for name in PEERS}


def _measure_one(
    python: pathlib.Path, name: str, num_envs: int, frame_skips: Mapping[str, int]
) -> dict[str, Any]:
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    asked = json.dumps({"peer": name, "num_envs": num_envs, "frame_skips": dict(frame_skips)})
    try:
        _run([*pip, *PEERS[name].packages], _INSTALL_SECONDS)
        return json.loads(_run([python, _PROGRAM, asked], _RUN_SECONDS))
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        return {"error": f"{error}"}


def _run(command: list[Any], seconds: float) -> str:
    """The last line that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        raise RuntimeError(said[-1] if said else f"exit code {done.returncode}")
    return (done.stdout.splitlines() or [""])[-1]
