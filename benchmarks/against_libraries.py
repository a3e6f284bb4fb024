"""Measures other libraries that step such robots: EnvPool, gymnasium, Stable-Baselines3.

    python benchmarks/against_libraries.py FOLDER

FOLDER gets a virtual environment, because these libraries need other versions than this project.
For a library that cannot be installed or run, the reason is printed.
"""

import json
import pathlib
import subprocess
import sys
import venv

PACKAGES = {
    "envpool": ["envpool"],
    "sync_vector_env": ["gymnasium[mujoco]"],
    "async_vector_env": ["gymnasium[mujoco]"],
    "stable_baselines3": ["stable-baselines3", "gymnasium[mujoco]"],
}
ASKED = {"num_envs": 32, "frame_skips": {"reacher": 2, "hopper": 2}}


def last_line(command, timeout=900):
    """Runs a command and returns the last line that it prints."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    if done.returncode:
        raise RuntimeError(said[-1] if said else f"exit code {done.returncode}")
    return (done.stdout.splitlines() or [""])[-1]


def main(folder):
    """Prints steps per second by library and robot."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    stepping = pathlib.Path(__file__).with_name("stepping.py")
    for name, packages in PACKAGES.items():
        try:
            last_line([python, "-m", "pip", "--quiet", "install", *packages])
            found = json.loads(last_line([python, stepping, json.dumps({"peer": name, **ASKED})]))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"{name}: {error}")
            continue
        speeds = ", ".join(f"{robot} {found[robot]:,.0f}/s" for robot in ASKED["frame_skips"])
        print(f"{name} {found['version']}: {speeds}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: against_libraries.py FOLDER")
    main(pathlib.Path(sys.argv[1]))
