"""Meta-trains a rival of evolved losses on a family of tasks: RL², E-RL², MAML or ES-MAML.

    python -m epg_tf.train_rival --gin_file gin/rivals/rl2_reacher.gin --root_dir runs/rl2_reacher

--gin_binding changes a setting of the preset, for instance
--gin_binding "train_rival.num_epochs=100" --gin_binding "RL2.trial_steps=4096". The same command
resumes the run in --root_dir; Ctrl-C stops it at the end of the current epoch. To compare the
result with a loss, use `epg_tf.evaluate --methods evolved,ppo,rl2 --rivals runs/rl2_reacher`. The
command runs in one process.
"""

from __future__ import annotations

from epg_tf import command_line
from epg_tf.command_line import config_flags


@command_line.takes(config_flags)
def main() -> None:
    """Runs the command."""
    # Imported here so that --help and a mistyped flag do not wait for TensorFlow.
    from epg_tf import config
    from epg_tf.outer_loop.stop import StopRequest
    from epg_tf.rivals import presets
    from epg_tf.rivals.learners import make_learner
    from epg_tf.rivals.meta_training.folder import RivalFolder
    from epg_tf.rivals.meta_training.training import train
    from epg_tf.seeds import TRAINING_TASK_SEEDS

    with command_line.one_process("train_rival"):
        settings = presets.read(*config_flags.presets("gin/rivals/rl2_reacher.gin"))
        settings.family.sample(TRAINING_TASK_SEEDS[0])  # raises before there is a folder
        command = command_line.as_typed("train_rival")
        root = config_flags.ROOT_DIR.value or ""
        run = RivalFolder(root, settings, config.complete_config(), command)
    learner = make_learner(settings.rival, settings.family, settings.num_threads)
    stop = StopRequest(announce=True)
    if not train(settings, learner, run, stop):
        raise SystemExit(stop.exit_code)


if __name__ == "__main__":
    command_line.run(main, "root_dir")
