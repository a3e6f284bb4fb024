"""What a run says of itself: progress bar, metrics.jsonl and TensorBoard."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tqdm

from epg_tf.evolution.checkpoint import Checkpoint

if TYPE_CHECKING:
    from epg_tf.outer_loop import MetaTraining

_BAR = "{desc} {percentage:3.0f}%|{bar:20}| epoch {n:.1f}/{total} [{elapsed}<{remaining}{postfix}]"


class Reporter:
    """Rank 0's records of a run."""

    def __init__(
        self,
        root: pathlib.Path,
        settings: MetaTraining,
        num_ranks: int,
        checkpoint: Checkpoint,
        config_text: str,
    ):
        """Opens the records of a run that stands at `checkpoint`.

        Args:
            root: The run's folder.
            settings: The run's.
            num_ranks: How many processes share it.
            checkpoint: Where it stands.
            config_text: The complete config.
        """
        self._root = root
        self._settings = settings
        self._metrics = root / "metrics.jsonl"
        self._forget_after(checkpoint.state.epoch)
        (root / "operative_config.gin").write_text(config_text)
        self._events = tf.summary.create_file_writer(str(root / "events"))
        with self._events.as_default(step=checkpoint.state.epoch):
            # TensorBoard renders Markdown: four spaces make it code.
            tf.summary.text("config", "\n".join("    " + line for line in config_text.splitlines()))
        epoch = checkpoint.state.epoch
        self.say(
            f"{'Going on from' if epoch else 'Starting at'} epoch {epoch} of {settings.num_epochs}: "
            f"{settings.num_workers} workers on {num_ranks} rank{'s' * (num_ranks > 1)}, "
            f"{type(settings.family).__name__}, loss of {len(checkpoint.state.phi):,} parameters.\n"
            f"Watch it with: tensorboard --logdir {root}"
        )
        self._bar = tqdm.tqdm(
            total=settings.num_epochs,
            initial=min(epoch, settings.num_epochs),
            desc=root.name,
            bar_format=_BAR,
            mininterval=0.5 if sys.stderr.isatty() else 15.0,
            file=sys.stderr,
        )

    def show_update(self, k: int) -> None:
        """Moves the bar by one of an epoch's K updates."""
        del k
        self._bar.update(1.0 / self._settings.inner_loop.num_updates)

    def record_epoch(
        self,
        checkpoint: Checkpoint,
        gathered: dict[str, np.ndarray],
        logs: dict[str, float],
        steps: int,
    ) -> None:
        """Writes one epoch to metrics.jsonl, TensorBoard and the bar; see WORKSPACE.md's glossary."""
        returns, state = gathered["returns"], checkpoint.state
        metrics = {
            "epoch": state.epoch,
            "env_steps": checkpoint.env_steps,
            "seconds": logs["seconds"],
            "return_mean": float(np.mean(returns)),
            "return_median": float(np.median(returns)),
            "return_std": float(np.std(returns)),
            "return_min": float(np.min(returns)),
            "return_max": float(np.max(returns)),
            "guidance": logs["guidance"],
            "phi_norm": logs["phi_norm"],
            "gradient_norm": logs["gradient_norm"],
            "diverged_workers": int(gathered["diverged"].sum()),
            "env_steps_per_second": steps / logs["seconds"],
            "physics_seconds": float(np.mean(gathered["physics_seconds"])),
            "update_seconds": float(np.mean(gathered["update_seconds"])),
        }
        with open(self._metrics, "a") as file:
            # JSON has no NaN: a number that is none is null.
            clean = {k: None if v != v or abs(v) == np.inf else v for k, v in metrics.items()}
            file.write(json.dumps(clean) + "\n")
        with self._events.as_default(step=state.epoch):
            for name, value in metrics.items():
                if name != "epoch":
                    tf.summary.scalar(name, value)
            tf.summary.histogram("phi", state.phi)
            tf.summary.histogram("returns", returns[np.isfinite(returns)])
        self._events.flush()
        self._bar.n = state.epoch
        self._bar.set_postfix(
            {
                "return": f"{metrics['return_median']:.4g}",
                "best": f"{checkpoint.best_return:.4g}",
                "guidance": f"{logs['guidance']:.2f}",
                "steps/s": f"{metrics['env_steps_per_second']:,.0f}",
            },
            refresh=sys.stderr.isatty(),
        )
        self._bar.update(0)

    def say_comparison(self, result: dict) -> None:
        """One line: what the loss taught at the start, and what it teaches now."""
        first, last = (float(np.median(result[name])) for name in ("first", "last"))
        self._bar.close()
        with self._events.as_default(step=result["epoch"]):
            tf.summary.scalar("held_out/final_return_first_loss", first)
            tf.summary.scalar("held_out/final_return_last_loss", last)
        self.say(
            f"Median final return of reward-free agents on {len(result['last'])} held-out tasks: "
            f"{first:,.1f} with the loss of the start, {last:,.1f} with the loss of epoch "
            f"{result['epoch']}. TensorBoard: tensorboard --logdir {self._root}"
        )

    def close(self) -> None:
        """Ends the bar and the events file."""
        self._bar.close()
        self._events.close()

    def _forget_after(self, epoch: int) -> None:
        """Drops what was written of epochs that no checkpoint remembers."""
        if not self._metrics.exists():
            return
        kept = []
        for line in self._metrics.read_text().splitlines():
            try:
                if json.loads(line)["epoch"] <= epoch:
                    kept.append(line + "\n")
            except ValueError:  # cut short when the run was killed
                continue
        self._metrics.write_text("".join(kept))

    def say(self, text: str) -> None:
        """Prints a line."""
        print(text, flush=True)
