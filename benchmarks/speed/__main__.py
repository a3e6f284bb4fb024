"""Measures the speed of epg_tf on this machine, and its limits.

    python -m benchmarks.speed
    python -m benchmarks.speed --quick --families reacher --json speed.json

The main figure is a ratio of environment steps per second: whole lifetimes (acting, physics,
buffer, normaliser, updates) over the same physics alone. The latter is one call of mujoco.rollout
on the same cores. Other figures are the parts of an update, two ranks against one, start-up,
memory, communication between ranks, and the cost against W, K and P. The command starts its ranks
with horovodrun; leave the machine idle meanwhile. It takes some twenty minutes on two cores, three
of them for 32 ranks. --quick takes one minute for one family, without the cost and without more
than two ranks. Run the command in the root of a checkout: the installed package has no benchmark.
`benchmarks/against_commit.py` compares the speed with an older commit's, and
`benchmarks/against_libraries.py` measures other libraries.

With --profile DIR a lifetime of each family is profiled. DIR/<family>/python.txt is plain text,
DIR/<family>/python.pstats is for pstats or snakeviz. `tensorboard --logdir DIR/<family>` with
tensorboard-plugin-profile shows TensorFlow's side.
"""

from __future__ import annotations

import pathlib

from absl import flags

from benchmarks.speed import parts, processes, table
from benchmarks.speed.sizes import BODIES, FAMILIES, FULL, QUICK
from epg_tf import command_line
from epg_tf.command_line import result_flags
from epg_tf.run.progress import progress_bar

_FAMILIES = flags.DEFINE_string(
    "families", ",".join(FAMILIES), "Which presets to measure, separated by commas."
)
_QUICK = flags.DEFINE_bool("quick", False, "Fewer repetitions, no costs, no more than two ranks.")
_PROFILE = flags.DEFINE_string("profile", None, "A folder for profiles of a lifetime.")


@command_line.takes(result_flags)
def main() -> None:
    """Runs the command."""
    families = list(dict.fromkeys(name.strip() for name in _FAMILIES.value.split(",")))
    if not set(families) <= {*FAMILIES, *BODIES}:
        command_line.fail(
            f"`--families` (={_FAMILIES.value}) must be one or more of "
            f"{', '.join((*FAMILIES, *BODIES))}, separated by commas."
        )
    if not processes.horovodrun().exists():
        command_line.fail(f"`{processes.horovodrun()}` must exist; launch/setup.sh builds it.")
    profile = _made_folder("profile", _PROFILE.value)
    sizes = QUICK if _QUICK.value else FULL
    todo = parts.list_parts(families, sizes, profile)
    with progress_bar(len(todo), _BAR) as bar:

        def announce(title: str) -> None:
            bar.update(bool(bar.desc))
            bar.set_description_str(title)

        try:
            results = parts.run(todo, processes.start, announce)
            figures = parts.assemble(families, sizes, results)
        except RuntimeError as error:
            bar.close()
            command_line.fail(str(error), code=1)
        bar.update(1)
    print(table.render(figures))
    result_flags.write_result(figures)


_BAR = "{desc:24} {n}/{total} parts |{bar:20}| {elapsed}"


def _made_folder(flag: str, name: str | None) -> str | None:
    """Creates a folder and returns its full path; ends the process with a sentence on failure."""
    if name is None:
        return None
    try:
        pathlib.Path(name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        command_line.fail(f"`--{flag}` (={name}) must be a folder to write: {error.strerror}.")
    return str(pathlib.Path(name).resolve())


if __name__ == "__main__":
    command_line.run(main)
