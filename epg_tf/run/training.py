"""A whole run: from its start or latest checkpoint to its last epoch, with records."""

from __future__ import annotations

import numpy as np

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.outer_loop.meta_train import meta_train
from epg_tf.outer_loop.partial_epochs import PartialEpochs
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.outer_loop.stop import StopRequest
from epg_tf.outer_loop.validation import compare_held_out
from epg_tf.ranks import Ranks
from epg_tf.run.folder import RunFolder


def train(
    settings: MetaTraining,
    ranks: Ranks,
    run: RunFolder,
    stop: StopRequest,
    start_phi: np.ndarray | None = None,
    start_made: str | None = None,
) -> bool:
    """Evolves a loss from the start of the run or from its latest checkpoint.

    Args:
        settings: The settings of the run.
        ranks: The processes that share its workers.
        run: The folder of the run.
        stop: The request to stop that a signal makes.
        start_phi: The loss that `settings.start_from` names, [P]; None for a fresh one.
        start_made: The origin of that loss; see `Checkpoint.made`.

    Returns:
        True if all epochs are done; False if a signal stopped the run after an earlier one.
    """
    share, threads = ranks.share(settings.num_workers), ranks.threads(settings.threads_per_rank)
    workers = WorkerGroups(settings.inner_loop, settings.family, len(share), threads)
    first_phi = workers.draw_phi(settings.seed) if start_phi is None else start_phi
    start = settings.strategy.init(first_phi)
    with run, stop:
        checkpoint = ranks.broadcast(run.open(start, start_made))
        partial_epochs = None
        if settings.family.simulator_type is None:  # others cannot be saved in between
            partial_epochs = PartialEpochs(run.partial_epochs, lambda: stop.requested)
        records = meta_train(
            settings,
            ranks,
            workers,
            checkpoint,
            run.show_steps,
            lambda: stop.requested,
            partial_epochs,
        )
        for record in records:
            run.record_epoch(record)
            if ranks.is_first and partial_epochs is not None:
                partial_epochs.remove_until(record.checkpoint.state.epoch)
            if record.stopped:
                return False
            checkpoint = record.checkpoint
        stops = ranks.allgather(np.array([stop.requested])).any()
        if settings.compare_at_end and not stops:
            losses = {"first": start.phi, "last": checkpoint.state.phi}
            run.record_comparison(
                checkpoint,
                lambda: compare_held_out(workers, ranks, settings.seed, share, losses),
            )
    return True
