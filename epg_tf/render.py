"""Shows a loss: films of agents before, during and after they learn with it.

    python -m epg_tf.render --loss runs/reacher --root_dir runs/reacher/videos

Fresh agents learn without reward on held-out tasks (--num_tasks, 4 unless given, 9 at most), one on
each. The films show them before their first update, halfway, and after their last. All start from
the same initial states, with the same action noise, and play in real time. Below each agent stands
the return of its episode so far.

--root_dir gets the films `before`, `during` and `after`, and `learning` with all of them side by
side, each as MP4 and as GIF. `bodies.png` shows randomised bodies of the family (Fig. 3 of the
paper). For robots that travel, `exploration.png` and `.npz` have their positions over the lifetime
beside those of PPO (Fig. 8). `summary.json` has the returns.

A loss that was evolved to see the reward gets it, with the guidance at the end of its evolution.
The pictures then say so. Drawing needs EGL or OSMesa; MUJOCO_GL, if set, decides which, else the
first that works does. A separate process draws, without TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import config_flags, held_out_flags, loss_flags, result_flags

if TYPE_CHECKING:
    from epg_tf.rendering.process import RenderProcess

_SECONDS = flags.DEFINE_float("seconds", 4.0, "The length of the films.")

_BAR = "{desc:9} {percentage:3.0f}%|{bar:20}| [{elapsed}<{remaining}]"


@command_line.takes(config_flags, loss_flags, held_out_flags, result_flags)
def main() -> None:
    """Runs the command."""
    # Imported here so that --help and a mistyped flag do not wait for them.
    from epg_tf.rendering.process import RenderingError, RenderProcess

    try:
        with RenderProcess() as process:  # before TensorFlow, to fail early
            _render(process)
    except RenderingError as error:
        command_line.fail(str(error))


def _render(process: RenderProcess) -> None:
    import pathlib

    from epg_tf.evaluation.films.plan import FilmPlan
    from epg_tf.evaluation.films.writer import FilmWriter, table
    from epg_tf.evaluation.results_folder import ResultsFolder
    from epg_tf.run.progress import progress_bar

    with command_line.one_process("render"):
        num_tasks = held_out_flags.num_tasks(FilmPlan.num_tasks)
        plan = FilmPlan(held_out_flags.read_loss(), num_tasks, _SECONDS.value)
        if plan.family.simulator_type is not None:
            raise ValueError(f"`--loss` (={loss_flags.LOSS.value}) must be of MuJoCo models.")
        root = pathlib.Path(config_flags.ROOT_DIR.value or "")
        folder = ResultsFolder(root, "render", plan.fingerprint)
        folder.open()
    writer = FilmWriter(plan)
    with progress_bar(writer.num_ticks, _BAR) as bar:

        def tick(doing: str) -> None:
            bar.set_description_str(doing, refresh=False)
            bar.update()

        summary = writer.write(folder, process, tick, command_line.as_typed("render"))
    result_flags.write_result(summary)
    print(table(summary))
    if not writer.travels:
        print("There is no exploration.png: this robot stays in its place.")
    print(f"Files in {root}: {', '.join(summary['files'])}.", flush=True)


if __name__ == "__main__":
    command_line.run(main, "loss", "root_dir", lives=True)
