"""The console scripts: `epg-train` is `python -m epg_tf.train`, and so on."""

import pathlib
import runpy
import sys


def run_door() -> None:
    """Runs the command that the script is named after."""
    name = pathlib.Path(sys.argv[0]).stem.removeprefix("epg-").replace("-", "_")
    runpy.run_module(f"epg_tf.{name}", run_name="__main__", alter_sys=True)
