"""Algorithm 1, lines 2-3 and 13-14: evolve phi over epochs, of which the first may be taught.

Everything random follows from (seed, epoch, worker), and every rank takes the same step from the
same n returns, so a seed gives the same phi whatever the number of ranks, interrupted or not.
"""

from __future__ import annotations

import dataclasses
import time
import zlib

import numpy as np

from epg_tf.checks import require_integer
from epg_tf.evaluation.held_out import compare_held_out, validation_return
from epg_tf.evolution import sampling
from epg_tf.evolution.ranks import Ranks
from epg_tf.evolution.strategy import EvolutionState, EvolutionStrategy
from epg_tf.inner_loop import InnerLoop, Lifetimes, LifetimeSeed
from epg_tf.run_folder import RunFolder
from epg_tf.schedules import Schedule, require_schedule
from epg_tf.stop import StopRequest
from epg_tf.tasks.family import TRAINING_TASK_SEEDS, TaskFamily
from epg_tf.teaching.teacher import PolicyGradientTeacher, Teaching, TeachingState
from epg_tf.worker_groups import WorkerGroups


@dataclasses.dataclass(frozen=True)
class MetaTraining:
    """The settings of a run; all but the last three fix its numbers.

    Attributes:
        family: p(M), the distribution of tasks.
        inner_loop: What a lifetime is like.
        strategy: How phi is searched.
        guidance: The weight alpha of Eq. 6 over epochs.
        num_workers: n, lifetimes per epoch.
        seed: Of everything random.
        num_updates: K over epochs, for lifetimes that grow; None for `InnerLoop.num_updates` in
            every epoch.
        teacher: Who teaches phi in the first epochs, before evolution goes on; None (the paper) for
            evolution alone.
        validate_every: Epochs from one look at phi itself, without noise, to the next: the
            interquartile mean of the final returns of n reward-free agents on validation tasks,
            which then also decides which loss is the best; 0 for none.
        start_from: A loss to start from, as --loss of the other commands takes one; None for a
            fresh one.
        num_epochs: E; may be raised to carry a finished run on.
        simulator_threads: Per rank, to live its workers on; None for the host's cores over its
            ranks.
        compare_at_end: Whether to end with lifetimes on held-out tasks, without reward, of the
            first and the last loss.

    Raises:
        ValueError: If a value is outside its range.
    """

    family: TaskFamily
    inner_loop: InnerLoop
    strategy: EvolutionStrategy
    guidance: Schedule
    num_workers: int = 32
    seed: int = 0
    num_updates: Schedule | None = None
    teacher: PolicyGradientTeacher | None = None
    validate_every: int = 0
    start_from: str | None = None
    num_epochs: int = 1
    simulator_threads: int | None = None
    compare_at_end: bool = False

    def __post_init__(self) -> None:
        require_integer("meta_train.num_epochs", self.num_epochs)
        require_integer("meta_train.seed", self.seed, at_least=0)
        require_integer("meta_train.num_workers", self.num_workers)
        if self.simulator_threads is not None:
            require_integer("meta_train.simulator_threads", self.simulator_threads, at_least=0)
        require_integer("meta_train.validate_every", self.validate_every, at_least=0)
        if self.teacher is not None:
            self.teacher.check(self.inner_loop)
        self.strategy.check_population(self.num_workers)
        require_schedule("meta_train.guidance", self.guidance, self.num_epochs, highest=1.0)
        rate = self.strategy.learning_rate
        if callable(rate):
            require_schedule("EvolutionStrategy.learning_rate", rate, self.num_epochs)
        if self.num_updates is not None:
            require_schedule("meta_train.num_updates", self.num_updates, self.num_epochs, lowest=1)

    def num_updates_in(self, epoch: int) -> int:
        """K in `epoch` (1, 2, ...)."""
        if self.num_updates is None:
            return self.inner_loop.num_updates
        return round(self.num_updates(epoch))

    def is_taught(self, epoch: int) -> bool:
        """Whether phi is taught in `epoch` (1, 2, ...), rather than evolved."""
        return self.teacher is not None and epoch <= self.teacher.num_epochs

    def is_validated(self, epoch: int) -> bool:
        """Whether phi itself is looked at after `epoch`."""
        return self.validate_every > 0 and epoch % self.validate_every == 0


def meta_train(
    settings: MetaTraining,
    ranks: Ranks,
    run: RunFolder,
    start_phi: np.ndarray | None = None,
    start_made: str | None = None,
) -> bool:
    """Evolves a loss, or goes on where the run stands.

    Args:
        settings: The run's.
        ranks: The processes that share its workers.
        run: Where it is written down.
        start_phi: The loss that `settings.start_from` names, [P].
        start_made: How that loss came to be; see `Checkpoint.made`.

    Returns:
        Whether all epochs are done; False if a signal has stopped it at the end of an earlier one.
    """
    share = ranks.share(settings.num_workers)
    threads = settings.simulator_threads  # each steps, and teaches, a group of the workers
    workers = WorkerGroups(
        settings.inner_loop,
        settings.family,
        len(share),
        ranks.threads() if threads is None else threads,
    )
    if start_phi is None:
        start_phi = workers.draw_phi(settings.seed)
    start = settings.strategy.init(start_phi)
    teaching: Teaching | None = None
    with run, StopRequest(announce=ranks.is_first) as stop:
        checkpoint = ranks.broadcast(run.open(start, start_made))
        for epoch in range(checkpoint.state.epoch + 1, settings.num_epochs + 1):  # line 2
            began = time.perf_counter()
            before = checkpoint.state
            if settings.is_taught(epoch):  # not in the paper
                teaching = teaching or Teaching(settings, ranks)
                taught_so_far = TeachingState.from_checkpoint(checkpoint)
                guidance = teaching.guidance(epoch)
                lifetimes = teaching.live(taught_so_far, epoch, run.show_update)
                gathered = _gather(ranks, lifetimes, before, stop.requested)
                taught_so_far, logs = teaching.fit(taught_so_far, epoch)
                state, arrays = (
                    settings.strategy.init(taught_so_far.fit.phi, epoch),
                    taught_so_far.as_arrays(),
                )
            else:
                teaching, arrays = None, None
                guidance = settings.guidance(epoch)
                phi = settings.strategy.ask(before, settings.seed, share)  # lines 3-4
                seeds = [_lifetime_seed(settings, epoch, worker) for worker in share]
                lifetimes = workers.live(  # lines 5-12
                    phi, seeds, guidance, run.show_update, settings.num_updates_in(epoch)
                )
                gathered = _gather(ranks, lifetimes, before, stop.requested)  # line 13
                state, logs = settings.strategy.tell(  # line 14
                    before, settings.seed, gathered["returns"]
                )
            if settings.is_validated(epoch):
                logs["validation_return"] = validation_return(
                    workers, ranks, share, settings, state.phi
                )
            logs |= {"guidance": guidance, "seconds": time.perf_counter() - began}
            checkpoint = run.record_epoch(checkpoint, state, gathered, logs, arrays)
            if gathered["stop"].any() and epoch < settings.num_epochs:
                return False
        if not ranks.allgather(np.array([stop.requested])).any() and settings.compare_at_end:
            last_phi = checkpoint.state.phi
            run.record_comparison(
                checkpoint,
                lambda: compare_held_out(workers, ranks, share, settings, start.phi, last_phi),
            )
    return True


def _lifetime_seed(settings: MetaTraining, epoch: int, worker: int) -> LifetimeSeed:
    """Line 5: the task of a worker, and the random numbers of its lifetime."""
    how = settings.strategy.sampling
    return LifetimeSeed(
        sampling.task_seed(settings.seed, epoch, worker, how, TRAINING_TASK_SEEDS),
        sampling.lifetime_key(settings.seed, epoch, worker, how),
    )


def _gather(
    ranks: Ranks, lifetimes: Lifetimes, state: EvolutionState, stop: bool
) -> dict[str, np.ndarray]:
    """Line 13: what every rank must know of every worker, [n] each."""
    num_workers = len(lifetimes.returns)
    columns = {
        "returns": lifetimes.returns,
        "diverged": lifetimes.diverged,
        "physics_seconds": np.full(num_workers, lifetimes.physics_seconds),
        "update_seconds": np.full(num_workers, lifetimes.update_seconds),
        "stop": np.full(num_workers, stop),
        "checksum": np.full(num_workers, zlib.crc32(state.phi.tobytes())),
    }
    table = ranks.allgather(np.stack(list(columns.values()), axis=1).astype(np.float64))
    gathered = dict(zip(columns, table.T, strict=True))
    if len(set(gathered["checksum"])) > 1:
        raise RuntimeError("the ranks hold different phi; are all hosts of the same kind?")
    return gathered
