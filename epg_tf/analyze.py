"""Analyses a loss: its agreement with PPO, its effect on policies, its sensitivity to inputs.

    python -m epg_tf.analyze --loss runs/reacher --root_dir runs/reacher/analysis

Two fresh agents learn on each held-out task (--num_tasks, 16 unless given): one with the evolved
loss, one with a random loss of its architecture. Neither sees rewards. But a loss that was evolved
to see rewards gets them, and the pictures say so. Three measurements accompany them:

  gradient_correlation   Spearman's correlation between the gradients of the loss and of PPO, with
                         respect to the policy, on the same steps (section 4.3 of the paper)
  policy_change          the KL divergence from each policy to the next (Fig. 6)
  sensitivity            the dependence of a step's loss on each kind of input, at each
                         position of the buffer (Fig. 9)

Each writes to --root_dir a picture (.png), every agent's numbers (.npz and .csv) and its part of
`summary.json` and of TensorBoard's `events`. The command runs in one process, without horovodrun.
"""

from __future__ import annotations

from epg_tf import command_line
from epg_tf.command_line import config_flags, held_out_flags, loss_flags, result_flags

_BAR = "{desc} {percentage:3.0f}%|{bar:20}| update {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"


@command_line.takes(config_flags, loss_flags, held_out_flags, result_flags)
def main() -> None:
    """Runs the command."""
    # Imported here so that --help and a mistyped flag do not wait for TensorFlow.
    import pathlib

    from epg_tf.evaluation.analysis.analysis import Analysis
    from epg_tf.evaluation.analysis.results import fingerprint, results_of
    from epg_tf.evaluation.analysis.summary import sentences, tables
    from epg_tf.evaluation.results_folder import ResultsFolder
    from epg_tf.run.progress import progress_bar

    with command_line.one_process("analyze"):
        num_tasks = held_out_flags.num_tasks(Analysis.num_tasks)
        analysis = Analysis(held_out_flags.read_loss(), num_tasks)
        root = pathlib.Path(config_flags.ROOT_DIR.value or "")
        folder = ResultsFolder(root, "analyze", fingerprint(analysis))
        folder.open()
    with progress_bar(analysis.inner_loop.num_updates, _BAR, desc=root.name) as bar:
        found = analysis.run(bar.update)
    results = results_of(analysis, found, command_line.as_typed("analyze"))
    folder.write(results)
    result_flags.write_result(results.summary)
    print("\n".join([sentences(results.summary), *tables(results.summary)]))
    print(f"Files: {root}. TensorBoard: tensorboard --logdir {root}")


if __name__ == "__main__":
    command_line.run(main, "loss", "root_dir", lives=True)
