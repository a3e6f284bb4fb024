"""The estimated cost of a run, before it starts: steps, time on this machine and memory."""

from __future__ import annotations

import datetime
import resource
import time
from typing import Any

from epg_tf.inner_loop.failed_steps import MOST, warn_of_failed_steps
from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.ranks import Ranks
from epg_tf.seeds import validation_seed

_TIMED_UPDATES = 4
_YEAR = 365.25 * 24 * 3600  # seconds
_MOST_EPOCHS = 100_000  # counted one by one; each later epoch counts like the last one


def plan(settings: MetaTraining, ranks: Ranks) -> dict[str, Any]:
    """Estimates the cost of a run from its first epoch on.

    Every rank times a few updates of its workers with a fresh loss.

    Args:
        settings: The settings of the run.
        ranks: The processes that would share the run.

    Returns:
        `family`, `num_parameters` of the loss, `num_epochs`, `taught_epochs`, `num_workers`,
        `num_ranks`, `env_steps` of training, `validation_env_steps`, `bytes_per_rank` (the peak so
        far) and `seconds` on this machine. `seconds` covers the steps of training and validation,
        but neither the fits by a teacher nor the final comparison.

    Raises:
        ValueError: If more than a fifth of the steps failed; in one sentence.
    """
    share, threads = ranks.share(settings.num_workers), ranks.threads(settings.threads_per_rank)
    workers = WorkerGroups(settings.inner_loop, settings.family, len(share), threads)
    phi = workers.draw_phi(settings.seed)
    seeds = [validation_seed(settings.seed, worker) for worker in share]

    def live(num_updates: int) -> tuple[float, int]:
        begun = time.perf_counter()
        lived = workers.live(phi[None].repeat(len(seeds), 0), seeds, 0.0, num_updates=num_updates)
        return time.perf_counter() - begun, int(lived.failed_steps.sum())

    live(1)  # compiles
    (once, _), (several, num_failed) = live(1), live(1 + _TIMED_UPDATES)
    num_lived = len(seeds) * (1 + _TIMED_UPDATES) * settings.inner_loop.steps_per_update
    failed = max(ranks.gather(num_failed / num_lived))
    if failed > MOST:
        raise ValueError(
            f"`meta_train.family` (={type(settings.family).__name__}) must have physics that the "
            f"simulator can step: {failed:.0%} of the steps failed."
        )
    warn_of_failed_steps(num_failed, num_lived)
    per_update = (several - once) / _TIMED_UPDATES
    if per_update <= 0.0:  # noise hides the updates of tiny lifetimes
        per_update = several / (1 + _TIMED_UPDATES)
    every, last = settings.validate_every, settings.num_epochs
    num_validations = last // every if every else 0
    env_steps = sum(map(settings.env_steps_in, range(1, min(last, _MOST_EPOCHS) + 1)))
    env_steps += max(0, last - _MOST_EPOCHS) * settings.env_steps_in(last)
    steps_per_update = settings.num_workers * settings.inner_loop.steps_per_update
    validation = num_validations * steps_per_update * settings.inner_loop.num_updates
    slowest = max(ranks.gather(per_update))
    return {
        "family": type(settings.family).__name__,
        "num_parameters": len(phi),
        "num_epochs": settings.num_epochs,
        "taught_epochs": min(last, settings.teacher.num_epochs) if settings.teacher else 0,
        "num_workers": settings.num_workers,
        "num_ranks": ranks.size,
        "env_steps": env_steps,
        "validation_env_steps": validation,
        "seconds": (env_steps + validation) / steps_per_update * slowest,
        "bytes_per_rank": max(ranks.gather(_held_bytes())),
    }


def format_plan(planned: dict[str, Any]) -> str:
    """Formats a plan for people."""
    taught = planned["taught_epochs"]
    seconds = planned["seconds"]
    duration = (
        f"{seconds / _YEAR:,.0f} years"
        if seconds > _YEAR
        else str(datetime.timedelta(seconds=round(seconds)))
    )
    return (
        f"Would train a loss of {planned['num_parameters']:,} parameters on {planned['family']}: "
        f"{planned['num_epochs']:,} epochs{f', {taught:,} of them taught' if taught else ''}, "
        f"{planned['num_workers']:,} workers on {planned['num_ranks']} "
        f"rank{'s' if planned['num_ranks'] > 1 else ''}.\n"
        f"Environment steps: {planned['env_steps']:,}, and {planned['validation_env_steps']:,} to "
        f"validate.\nLifetimes here: about {duration}"
        f"{', and what the teacher takes' if taught else ''}.\n"
        f"Memory: {planned['bytes_per_rank'] / 1e9:.1f} GB per rank, or more while it runs.\n"
        "Nothing was written."
    )


def _held_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
