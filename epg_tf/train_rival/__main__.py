"""Meta-trains a rival of evolved losses on a family of tasks: RL², E-RL², MAML or ES-MAML.

    python -m epg_tf.train_rival --gin_file gin/rivals/rl2_reacher.gin --root_dir runs/rl2_reacher

--gin_binding changes a setting of the preset, for instance
--gin_binding "train_rival.num_epochs=100" --gin_binding "RL2.trial_steps=4096". The same command
resumes the run in --root_dir; Ctrl-C stops it at the end of the current epoch. To compare the
result with a loss, use `epg_tf.evaluate --methods evolved,ppo,rl2 --rivals runs/rl2_reacher`. The
command runs in one process.
"""

from __future__ import annotations

import sys

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import config_flags

flags.adopt_module_key_flags(config_flags)


def main(argv: list[str]) -> None:
    """Runs the command."""
    if len(argv) > 1:
        command_line.fail(f"`{argv[1]}` is not a flag; see --help.")
    # Imported here so that --help and a mistyped flag do not wait for TensorFlow.
    from epg_tf import config
    from epg_tf.command_line.held_out_flags import refuse_ranks
    from epg_tf.outer_loop.stop import StopRequest
    from epg_tf.ranks import Ranks
    from epg_tf.rivals.learners import make_learner
    from epg_tf.rivals.meta_training.folder import RivalFolder
    from epg_tf.rivals.meta_training.training import train
    from epg_tf.seeds import TRAINING_TASK_SEEDS

    ranks = Ranks()
    with command_line.one_sentence(ranks):
        refuse_ranks(ranks.size, "train_rival")
        if not config_flags.GIN_FILE.value:
            raise ValueError(
                "`--gin_file` (=none) must name a preset, such as gin/rivals/rl2_reacher.gin."
            )
        settings = config.read_rival(config_flags.GIN_FILE.value, config_flags.GIN_BINDING.value)
        settings.family.sample(TRAINING_TASK_SEEDS[0])  # raises before there is a folder
        command = ["python", "-m", "epg_tf.train_rival", *sys.argv[1:]]
        root = config_flags.ROOT_DIR.value or ""
        run = RivalFolder(root, settings, config.complete_config(), command)
    learner = make_learner(settings.rival, settings.family, settings.num_threads)
    stop = StopRequest(announce=True)
    if not train(settings, learner, run, stop):
        raise SystemExit(stop.exit_code)


if __name__ == "__main__":
    flags.mark_flag_as_required("root_dir")  # here: importers do not need it
    command_line.run(main)
