"""Evaluates a loss: trains fresh agents with it, and with PPO, on tasks that nobody trained on.

    python -m epg_tf.evaluate --loss runs/reacher --root_dir runs/reacher/evaluation
    horovodrun -np 2 python -m epg_tf.evaluate --loss runs/hopper --root_dir runs/hopper/evaluation

Some methods train the same number of agents on the same held-out tasks (--num_tasks, 32 unless
given, with --num_seeds on each) for the same number of environment steps: the evolved loss and
fresh losses of its architecture, both without reward, and two PPOs with reward, ours (the networks
and minibatches of the agents with the losses, and their step size and number of passes unless
--ppo_learning_rate and --ppo_num_passes say what suits it better) and TF-Agents' own. With
--methods evolved,ppo,tf_agents_sac,no_action, TF-Agents' SAC too, which reuses every step and takes
longer, and agents that never act. For a run that keeps its teacher's networks, `teacher` is the
expert or the critic's actor itself, and `cloned` a policy of the agents' kind that is fitted to it;
neither learns. RL², E-RL², MAML and ES-MAML (--methods evolved,ppo,rl2,maml)
see the reward too, and have been meta-trained before, as losses are, by `epg_tf.train_rival`:
--rivals runs/rl2_reacher,runs/maml_reacher says where. Of each its best state on validation tasks
counts.

With --converged runs/X_long, the folder of a finished evaluation on the same tasks with longer
lifetimes, `curves.png` has a line where PPO, SAC and the like ended there.

In --root_dir: `summary.json` and the table that is printed (interquartile means of the final return
and of the area under the learning curve, with 95% intervals; how likely an agent is to beat PPO's
on the same task; the updates needed to reach what PPO ends with), `curves.png`, `curves.csv` and
`curves.npz` with every agent's curve, and TensorBoard's `events`. Interrupted, the same command
goes on with the methods that are missing.

How the agents learn is the loss's own config's, unless --gin_binding changes it. --horizon_factor 4
makes their lifetimes four times as long as those that the loss was evolved for.

With --shift "RandomHopper.gravity=[1, 5, 10, 20, 30]" all of this is done for each of these values,
in a folder of its own, and `shift.png`, `shift.csv` and `shift.json` set the final returns side by
side: what becomes of a loss on tasks unlike those that it was evolved on.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from typing import TYPE_CHECKING, Any

from absl import flags

from epg_tf import command_line
from epg_tf.command_line import config_flags, held_out_flags, loss_flags, result_flags
from epg_tf.evaluation.methods import DEFAULT_METHODS

if TYPE_CHECKING:
    import pathlib

    from epg_tf.evaluation.learning_curves.comparison import Comparison
    from epg_tf.evaluation.learning_curves.results import EvaluationResults
    from epg_tf.evaluation.learning_curves.training import Runs
    from epg_tf.ranks import Ranks

flags.adopt_module_key_flags(config_flags)
flags.adopt_module_key_flags(loss_flags)
flags.adopt_module_key_flags(held_out_flags)
flags.adopt_module_key_flags(result_flags)
_METHODS = flags.DEFINE_list(
    "methods",
    list(DEFAULT_METHODS),
    "What to compare; ppo must be among them.",
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
_CONVERGED = flags.DEFINE_string(
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


def main(argv: list[str]) -> None:
    """Does what the flags say."""
    if len(argv) > 1:
        command_line.fail(f"`{argv[1]}` is not a flag; see --help.")
    result_flags.require_json_file()
    # Here and not above: --help and a mistyped flag should not wait for TensorFlow.
    import pathlib

    from epg_tf.evaluation.learning_curves.summary import fingerprint, table
    from epg_tf.evaluation.results_folder import ResultsFolder
    from epg_tf.evaluation.shift import results, values
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
        with command_line.one_sentence(ranks):
            if ranks.is_first:
                what = {**fingerprint(comparison), "--shift": _SHIFT.value}
                ResultsFolder(root, "evaluate", what).open()
        summaries = [
            _evaluate(shifted, root / name, ranks, f"{shift.setting} = {name}")
            for name, shifted in zip(shift.names, each, strict=True)
        ]
        result = dict(zip(shift.names, summaries, strict=True))
        text = results.write(root, shift, summaries) if ranks.is_first else ""
    if ranks.is_first:
        result_flags.write_result(result)
        print(text)
        print(f"Files: {root}. TensorBoard: tensorboard --logdir {root}", flush=True)


def _compare(ranks: Ranks, *bindings: str) -> Comparison:
    """What the flags ask for, with a few settings changed."""
    from epg_tf import config
    from epg_tf.evaluation.learning_curves.comparison import Comparison
    from epg_tf.evaluation.learning_curves.converged import read_levels
    from epg_tf.evolved_loss.load import load
    from epg_tf.rivals.meta_training.trained import load_rivals

    with command_line.one_sentence(ranks):
        # Before the loss, whose config is to stand.
        rivals = load_rivals(_RIVALS.value, config.read_rival)
        loss = load(
            loss_flags.LOSS.value or "",
            config_flags.GIN_FILE.value,
            [*config_flags.GIN_BINDING.value, *bindings],
        )
    # A run that still goes on may have written another epoch between two ranks' reading.
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
    """Trains what is missing in a folder, and reads there what came of it."""
    from epg_tf.evaluation.learning_curves.results import EvaluationResults
    from epg_tf.evaluation.learning_curves.summary import fingerprint
    from epg_tf.evaluation.results_folder import ResultsFolder
    from epg_tf.run.lock import FolderLock

    results, lock = EvaluationResults(root, comparison), FolderLock(root)
    with command_line.one_sentence(ranks):
        if ranks.is_first:
            folder = ResultsFolder(root, "evaluate", fingerprint(comparison))
            if not results.finished:
                if problem := lock.take():
                    raise ValueError(problem)
                folder.open()
    if not ranks.broadcast(results.finished):
        runs = _train_what_is_missing(comparison, ranks, results, title)
        if ranks.is_first:
            results.write(runs, ["python", "-m", "epg_tf.evaluate", *sys.argv[1:]])
    lock.release()
    return ranks.broadcast(results.summary() if ranks.is_first else {})


def _lifetime(num_updates: int) -> int:
    """K: the config's, or that of --num_updates, times --horizon_factor."""
    from epg_tf.checks import require_integer

    if held_out_flags.NUM_UPDATES.value is not None:
        num_updates = held_out_flags.NUM_UPDATES.value
        require_integer("--num_updates", num_updates)
    factor = _HORIZON_FACTOR.value
    if not (math.isfinite(factor) and factor >= 1.0):
        raise ValueError(f"`--horizon_factor` (={factor:g}) must be a finite number, 1 or more.")
    return round(num_updates * factor)


def _train_what_is_missing(
    comparison: Comparison, ranks: Ranks, results: EvaluationResults, title: str
) -> dict[str, Runs]:
    """Trains the methods that the folder does not have yet, with a progress bar on rank 0."""
    from epg_tf.evaluation.learning_curves.training import AgentTraining
    from epg_tf.run.progress import progress_bar

    runs = ranks.broadcast(results.known() if ranks.is_first else None)
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
                    results.keep(method, runs[method])
    return runs


if __name__ == "__main__":
    flags.mark_flags_as_required(["loss", "root_dir"])  # here, so that importers need not have them
    command_line.run(main, lives=True)
