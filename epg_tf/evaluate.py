"""Evaluates a loss: trains fresh agents with it, and with PPO, on held-out tasks.

    python -m epg_tf.evaluate --loss runs/reacher --root_dir runs/reacher/evaluation
    python -m epg_tf.evaluate --loss runs/hopper --root_dir runs/hopper/evaluation --np 2

Each method trains --num_seeds agents on each of the same --num_tasks held-out tasks (32 unless
given), for the same number of environment steps. By default the methods are the evolved loss and
fresh losses of its architecture, without reward, and two PPOs with reward, ours and TF-Agents'.
Ours has the networks and minibatches of the agents with the losses. It has their step size and
passes too, unless --ppo_learning_rate and --ppo_num_passes are given. Other methods, as in
--methods evolved,ppo,rl2:

  tf_agents_sac        TF-Agents' SAC, which reuses every step and takes longer.
  no_action            Agents that never act.
  teacher, cloned      The expert or the critic's actor, and a policy of the agents' kind that is
                       fitted to it. Neither learns. The run must keep its teacher's networks.
  rl2, e_rl2,          RL², E-RL², MAML and ES-MAML, meta-trained on rewards by epg_tf.train_rival.
  maml, es_maml        Their runs: --rivals runs/rl2_reacher,runs/maml_reacher. The state with the
                       best validation counts.

--root_dir gets `summary.json`, the table that is printed, `curves.png`, `curves.csv`, `curves.npz`
with every agent's curve, and TensorBoard's `events`. The table has interquartile means, with 95%
intervals, of the final return and of the area under the learning curve. It also has the probability
to beat PPO's agent on the same task, and the updates needed to reach PPO's final return. After an
interruption the same command trains the missing methods. --converged runs/X_long names a finished
evaluation on the same tasks with longer lifetimes: `curves.png` shows where PPO and SAC ended.

The loss's config determines the agents' learning, unless --gin_binding changes it. Lifetimes are
four times as long with --horizon_factor 4. --shift "RandomHopper.gravity=[1, 5, 10, 20, 30]" tests
a loss outside its training distribution. It repeats the evaluation for each value, in a subfolder,
and compares the final returns in `shift.png`, `shift.csv` and `shift.json`.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import (
    config_flags,
    held_out_flags,
    local_ranks,
    loss_flags,
    result_flags,
)
from epg_tf.evaluation.methods import DEFAULT_METHODS

if TYPE_CHECKING:
    import pathlib

    from epg_tf.evaluation.learning_curves.comparison import Comparison
    from epg_tf.evaluation.learning_curves.training import Runs
    from epg_tf.ranks import Ranks

_METHODS = flags.DEFINE_list(
    "methods",
    list(DEFAULT_METHODS),
    "What to compare.",
)
_NUM_SEEDS = flags.DEFINE_integer("num_seeds", 4, "Agents per task and method.")
_HORIZON_FACTOR = flags.DEFINE_float("horizon_factor", 1.0, "Multiplies K.")
_GIVE_REWARD = flags.DEFINE_bool(
    "give_reward",
    False,
    "Lets the losses see the reward, which a loss evolved to see it needs, and helps them with the "
    "guidance (alpha in Eq. 6) that was left when the evolution ended. Labels then say so.",
)

_SHIFT = flags.DEFINE_string(
    "shift", None, "A setting of the tasks and values for it; see above. Numbers stand for ranges."
)

_RIVALS = flags.DEFINE_list(
    "rivals", [], "Folders of runs of epg_tf.train_rival, one for each such method."
)
_CONVERGED = flags.DEFINE(
    command_line.PathParser(),
    "converged",
    None,
    "The folder of a finished evaluation of the same tasks with longer lifetimes: PPO's and SAC's "
    "final returns there become horizontal lines in the picture.",
)
_PPO_LEARNING_RATE = flags.DEFINE_float(
    "ppo_learning_rate", None, "Step size of our PPO; by default that of the loss's agents."
)
_PPO_NUM_PASSES = flags.DEFINE_integer(
    "ppo_num_passes",
    None,
    "Passes of our PPO over the newest steps; by default as many as the loss's agents make.",
)

_BAR = "{desc} {percentage:3.0f}%|{bar:20}| update {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"


@command_line.takes(config_flags, loss_flags, held_out_flags, result_flags, local_ranks)
def main() -> None:
    """Runs the command."""
    # Imported here so that --help and a mistyped flag do not wait for TensorFlow.
    import pathlib

    from epg_tf.evaluation.learning_curves.summary import fingerprint, table
    from epg_tf.evaluation.results_folder import ResultsFolder
    from epg_tf.evaluation.shift import values
    from epg_tf.evaluation.shift.results import results_of
    from epg_tf.ranks import Ranks

    ranks = Ranks()
    root = pathlib.Path(config_flags.ROOT_DIR.value or "")
    comparison = _compare(ranks)
    if _SHIFT.value is None:
        summary = result = _evaluate(comparison, root, ranks)
        text = table(summary) if ranks.is_first else ""
    else:
        with command_line.one_sentence(ranks):
            shift = values.parse(_SHIFT.value, comparison.loss.settings)
        each = [_compare(ranks, binding) for binding in shift.bindings]
        folder = None
        with command_line.one_sentence(ranks):
            if ranks.is_first:
                what = {**fingerprint(comparison), "--shift": _SHIFT.value}
                folder = ResultsFolder(root, "evaluate", what)
                folder.open()
        summaries = [
            _evaluate(shifted, root / name, ranks, f"{shift.setting} = {name}")
            for name, shifted in zip(shift.names, each, strict=True)
        ]
        result = dict(zip(shift.names, summaries, strict=True))
        text = ""
        if folder is not None:
            of_sweep, text = results_of(shift, summaries)
            folder.write(of_sweep)
    if ranks.is_first:
        result_flags.write_result(result)
        print(text)
        print(f"Files: {root}. TensorBoard: tensorboard --logdir {root}", flush=True)


def _compare(ranks: Ranks, *bindings: str) -> Comparison:
    """Returns the comparison that the flags ask for, with additional bindings."""
    from epg_tf.evaluation.learning_curves.comparison import Comparison
    from epg_tf.evaluation.learning_curves.converged import read_levels
    from epg_tf.evolved_loss.load import load
    from epg_tf.rivals.meta_training.trained import load_rivals

    with command_line.one_sentence(ranks):
        # Before the loss, because the config read last is the one that counts.
        rivals = load_rivals(_RIVALS.value)
        loss = load(
            loss_flags.LOSS.value or "",
            config_flags.GIN_FILE.value,
            [*config_flags.GIN_BINDING.value, *bindings],
        )
    # A run in progress may write another epoch between the readings of two ranks.
    loss, rivals = ranks.broadcast((loss, rivals))
    with command_line.one_sentence(ranks):
        comparison = Comparison(
            loss,
            tuple(_METHODS.value),
            held_out_flags.num_tasks(Comparison.num_tasks),
            _NUM_SEEDS.value,
            _lifetime(loss.settings.inner_loop.num_updates),
            _GIVE_REWARD.value,
            _PPO_LEARNING_RATE.value,
            _PPO_NUM_PASSES.value,
            rivals,
        )
        comparison.check_ranks(ranks)
        if _CONVERGED.value is not None:
            about = loss.settings.family, comparison.num_tasks, comparison.num_updates
            levels = read_levels(_CONVERGED.value, *about)
            comparison = dataclasses.replace(comparison, converged=levels)
    return comparison


def _evaluate(
    comparison: Comparison, root: pathlib.Path, ranks: Ranks, title: str = ""
) -> dict[str, Any]:
    """Trains the methods that a folder lacks, and returns its summary."""
    from epg_tf.evaluation.learning_curves.results import results_of
    from epg_tf.evaluation.learning_curves.summary import fingerprint
    from epg_tf.evaluation.results_folder import ResultsFolder
    from epg_tf.run.lock import FolderLock

    folder, lock = None, FolderLock(root)
    with command_line.one_sentence(ranks):
        if ranks.is_first:
            folder = ResultsFolder(root, "evaluate", fingerprint(comparison))
            if folder.summary is None:
                if problem := lock.take():
                    raise ValueError(problem)
                folder.open()
    summary = ranks.broadcast(folder.summary if folder is not None else None)
    if summary is None:
        runs = _train_what_is_missing(comparison, ranks, root, title)
        if folder is not None:
            folder.write(results_of(comparison, runs, command_line.as_typed("evaluate")))
            summary = folder.summary
        summary = ranks.broadcast(summary)
    lock.release()
    return summary


def _lifetime(num_updates: int) -> int:
    """Returns K: the config's or that of --num_updates, times --horizon_factor."""
    from epg_tf.checks import PositiveInt, require

    if held_out_flags.NUM_UPDATES.value is not None:
        num_updates = held_out_flags.NUM_UPDATES.value
        require("--num_updates", num_updates, PositiveInt)
    factor = _HORIZON_FACTOR.value
    if not (math.isfinite(factor) and factor >= 1.0):
        raise ValueError(f"`--horizon_factor` (={factor:g}) must be a finite number, 1 or more.")
    return round(num_updates * factor)


def _train_what_is_missing(
    comparison: Comparison, ranks: Ranks, root: pathlib.Path, title: str
) -> dict[str, Runs]:
    """Trains the methods that the folder lacks, with a progress bar on rank 0; returns all runs."""
    from epg_tf.evaluation.learning_curves.results import keep_runs, known_runs
    from epg_tf.evaluation.learning_curves.training import AgentTraining
    from epg_tf.run.progress import progress_bar

    runs = ranks.broadcast(known_runs(root, comparison.methods) if ranks.is_first else None)
    training = AgentTraining(comparison, ranks)
    updates = training.num_batches * comparison.num_updates
    with progress_bar(
        updates * len(comparison.methods),
        _BAR,
        initial=updates * len(runs),
        disable=not ranks.is_first,
    ) as bar:
        for method in comparison.methods:
            if method not in runs:
                bar.set_description_str(f"{title} {method:13}".lstrip())
                runs[method] = training.run(method, bar.update)
                if ranks.is_first:
                    keep_runs(root, method, runs[method])
    return runs


if __name__ == "__main__":
    command_line.run(main, "loss", "root_dir", lives=True)
