"""The output of a run: progress bar, metrics.jsonl and TensorBoard."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from epg_tf.inner_loop.failed_steps import warn_of_failed_steps
from epg_tf.outer_loop.checkpoint import Checkpoint
from epg_tf.outer_loop.meta_train import EpochRecord
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.run import dashboard
from epg_tf.run.epoch_records import EpochRecords
from epg_tf.text import number

# Metrics that only some runs or some epochs have.
_NOT_ALWAYS = (
    "outer_learning_rate",
    "noise_std",
    "relative_step",
    "pair_correlation",
    "validation_return",
    "teaching_error",
    "teaching_target",
    "teaching_explained",
    "critic_error",
    "expert_return",
)


class Reporter:
    """The writer of a run's records, on rank 0.

    Attributes:
        records: The records that it has in common with the run of a rival.
    """

    def __init__(
        self,
        root: pathlib.Path,
        settings: MetaTraining,
        num_ranks: int,
        checkpoint: Checkpoint,
        config_text: str,
        command: Sequence[str] = (),
    ):
        """Opens the records of a run at a checkpoint.

        Args:
            root: The run's folder.
            settings: The settings of the run.
            num_ranks: The number of processes that share the run.
            checkpoint: The latest or initial checkpoint.
            config_text: The complete config, as gin.
            command: The command line.
        """
        self._root = root
        self._settings = settings
        epoch = checkpoint.state.epoch
        self._epoch = epoch + 1  # the one in progress
        start = None if epoch else settings.start_from
        about = (
            f"{settings.num_workers} workers on {num_ranks} rank{'s' * (num_ranks > 1)}, "
            f"{type(settings.family).__name__}, loss of {len(checkpoint.state.phi):,} parameters"
            f"{f', which begins as {start}' if start else ''}"
        )
        self.records = EpochRecords(
            root,
            settings,
            "meta_train",
            epoch,
            about,
            config_text,
            command,
            lambda: dashboard.write_start(config_text, command),
            num_ranks,
            settings.compare_at_end,
        )

    def show_steps(self, num_steps: int) -> None:
        """Advances the bar by environment steps of the epoch in progress."""
        self.records.advance(num_steps / self._settings.env_steps_in(self._epoch))

    def record_epoch(self, record: EpochRecord) -> None:
        """Writes an epoch to metrics.jsonl, TensorBoard and the bar; see docs/files.md."""
        checkpoint, workers, logs = record.checkpoint, record.workers, record.logs
        state, returns = checkpoint.state, workers["returns"]
        # The returns of agents that did not diverge; NaN if all did.
        finite = returns[np.isfinite(returns)] if np.isfinite(returns).any() else np.array([np.nan])
        metrics = {
            "epoch": state.epoch,
            "env_steps": checkpoint.env_steps,
            "num_updates": self._settings.num_updates_in(state.epoch),
            "seconds": logs["seconds"],
            "return_mean": float(np.mean(finite)),
            "return_median": float(np.median(finite)),
            "return_std": float(np.std(finite)),
            "return_min": float(np.min(finite)),
            "return_max": float(np.max(finite)),
            "guidance": logs["guidance"],
            **{name: logs.get(name, np.nan) for name in _NOT_ALWAYS},
            "phi_norm": logs["phi_norm"],
            "gradient_norm": logs["gradient_norm"],
            "diverged_workers": int(workers["diverged"].sum()),
            "failed_steps": int(workers["failed_steps"].sum()),
            "env_steps_per_second": record.num_steps / logs["seconds"],
            "physics_seconds": float(np.mean(workers["physics_seconds"])),
            "update_seconds": float(np.mean(workers["update_seconds"])),
        }
        warn_of_failed_steps(metrics["failed_steps"], record.num_steps)
        shown = {}
        if logs["guidance"]:
            shown["guidance"] = f"{logs['guidance']:.2f}"
        if "validation_return" in logs:
            shown["validation"] = f"{logs['validation_return']:.4g}"
        if "teaching_explained" in logs:
            shown["taught: explained"] = f"{logs['teaching_explained']:.2%}"
        self._epoch = state.epoch + 1

        def write_events() -> None:
            dashboard.write_metrics(metrics)
            tf.summary.histogram("phi", state.phi)
            tf.summary.histogram("returns", finite)

        self.records.add(metrics, checkpoint.best_return, write_events, shown)

    def say_comparison(self, result: dict) -> None:
        """Prints the held-out returns with the first and with the last loss."""
        first, last = (float(np.median(result[name])) for name in ("first", "last"))
        self.records.bar.close()
        with self.records.events.as_default(step=result["epoch"]):
            tf.summary.scalar("held_out/final_return_first_loss", first)
            tf.summary.scalar("held_out/final_return_last_loss", last)
        self.records.say(
            f"Median final return of reward-free agents on {len(result['last'])} held-out tasks: "
            f"{number(first)} with the loss of the start, {number(last)} with the loss of epoch "
            f"{result['epoch']}. TensorBoard: tensorboard --logdir {self._root}"
        )
