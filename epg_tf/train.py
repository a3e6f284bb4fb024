"""Evolves a loss: meta-trains it on a family of tasks.

    python -m epg_tf.train --gin_file gin/reacher.gin --root_dir runs/reacher
    python -m epg_tf.train --gin_file gin/reacher.gin --root_dir runs/reacher --np 2
    horovodrun -np 32 python -m epg_tf.train --gin_file gin/reacher.gin --root_dir runs/reacher

--np starts ranks on this machine, and horovodrun on others too. --gin_binding changes a setting of
the preset, for instance --gin_binding "InnerLoop.num_updates=64". --seed, --num_epochs and
--num_workers are short for those of meta_train. The same command resumes the run in --root_dir.
--env Pendulum-v1 --vary m=0.7:1.3 takes an environment of gymnasium instead of a preset, whose
attribute m differs from task to task.
Ctrl-C stops it at the end of the current epoch; horovodrun ends it after five seconds, in the
middle of a longer epoch. `meta_train.start_from` names a loss to evolve
further, such as 'reacher'. --dry_run trains nothing, and prints the steps, time and memory that the
run needs.
"""

from __future__ import annotations

import ast
import pathlib
import re

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import config_flags, local_ranks, result_flags

_DRY_RUN = flags.DEFINE_bool(
    "dry_run",
    False,
    "Says what would run, how many environment steps it takes, how long they take here and how "
    "much memory, and writes nothing. It lives a few updates to find out.",
)

_ENV = flags.DEFINE_string(
    "env",
    None,
    "A gymnasium environment to evolve a loss for: its id, or a function as my_package:make_env.",
)
_VARY = flags.DEFINE_multi_string(
    "vary", [], "An attribute of --env that is drawn per task, as m=0.7:1.3; several times."
)
_SHORT_FORMS = [
    flags.DEFINE_integer(name, None, f"Short for --gin_binding 'meta_train.{name} = …'.")
    for name in ("seed", "num_epochs", "num_workers")
]


@command_line.takes(config_flags, result_flags, local_ranks)
def main() -> None:
    """Runs the command."""
    # Imported here so that --help and a mistyped flag do not wait for TensorFlow.
    import epg_tf.rivals.presets  # noqa: F401 so that their presets get a fitting sentence
    from epg_tf import config
    from epg_tf.evolved_loss.load import loss_to_start_from
    from epg_tf.inner_loop.footprint import require_memory
    from epg_tf.outer_loop.stop import StopRequest
    from epg_tf.ranks import RankLost, Ranks
    from epg_tf.run.folder import RunFolder
    from epg_tf.run.log import last_metrics
    from epg_tf.run.plan import format_plan, plan
    from epg_tf.run.training import train
    from epg_tf.seeds import TRAINING_TASK_SEEDS
    from epg_tf.teaching.expert_teacher import ExpertTeacher

    ranks = Ranks()
    with command_line.one_sentence(ranks):
        settings = config.read(*_presets())
        config_text = config.complete_config()
        settings.family.sample(TRAINING_TASK_SEEDS[0])  # raises before there is a folder
        require_memory(settings.inner_loop, settings.family, len(ranks.share(settings.num_workers)))
        if isinstance(settings.teacher, ExpertTeacher):
            ranks.share(settings.teacher.num_explorers, "ExpertTeacher.num_explorers")
        start = loss_to_start_from(settings)
    if _DRY_RUN.value:
        with command_line.one_sentence(ranks):
            planned = plan(settings, ranks)
        if ranks.is_first:
            result_flags.write_result(planned)
            print(format_plan(planned), flush=True)
        return
    with command_line.one_sentence(ranks):
        command = command_line.as_typed("train")
        root = config_flags.ROOT_DIR.value or ""
        run = RunFolder(root, settings, ranks, lambda: config_text, command)
    phi, made = (None, None) if start is None else (start.phi, start.made)
    stop = StopRequest(announce=ranks.is_first)
    try:
        is_done = train(settings, ranks, run, stop, phi, made)
    except RankLost as error:
        command_line.fail(str(error), command_line.RANK_LOST)
    if not is_done:
        raise SystemExit(stop.exit_code)
    if ranks.is_first:
        result_flags.write_result({"root_dir": root, **last_metrics(pathlib.Path(root))})
        print(
            f"The loss: {root}/export/latest; that of the best epoch: {root}/export/best.\n"
            f"Next: python -m epg_tf.evaluate --loss {root} --root_dir {root}/evaluation",
            flush=True,
        )


def _presets() -> tuple[list[str], list[str]]:
    """Returns the presets and bindings, with those that the short forms stand for.

    Raises:
        ValueError: If there is no preset, or --vary is not of an environment or not a range.
    """
    given = [flag for flag in _SHORT_FORMS if flag.value is not None]
    short_forms = [f"meta_train.{flag.name} = {flag.value}" for flag in given]
    ranges = {}
    for text in _VARY.value:
        found = re.fullmatch(r"([\w.]+)=([^:]+):([^:]+)", text)
        rule = f"`--vary` (={text}) must be as m=0.7:1.3, beside an --env."
        if found is None or _ENV.value is None:
            raise ValueError(rule)
        try:
            ranges[found[1]] = tuple(ast.literal_eval(end) for end in found.groups()[1:])
        except (ValueError, SyntaxError):
            raise ValueError(rule) from None
    if _ENV.value is None:
        files, bindings = config_flags.presets("gin/reacher.gin")
        return files, [*bindings, *short_forms]
    files = config_flags.GIN_FILE.value or ["gin/evolved/environment.gin"]
    environment = [f"GymnasiumTasks.id = {_ENV.value!r}", f"GymnasiumTasks.ranges = {ranges}"]
    return files, [*environment, *config_flags.GIN_BINDING.value, *short_forms]


if __name__ == "__main__":
    command_line.run(main, "root_dir", lives=True)
