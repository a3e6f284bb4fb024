"""The presets of the benchmark, with shortened lifetimes."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import numpy as np

from epg_tf import config
from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.seeds import LifetimeSeed, training_seed

# In most epochs of a run on Reacher or Hopper, guidance has ended; on DirHopper it never ends.
GUIDANCE = collections.defaultdict(float, dir_hopper=0.5)


def read(family: str, bindings: Sequence[str] = ()) -> MetaTraining:
    """Reads the preset of a family, with the guidance that most of its epochs have.

    Args:
        family: The name of its file in `gin/`.
        bindings: Changes to the preset.

    Returns:
        The settings of a run.
    """
    guidance = ["meta_train.guidance = @Constant()", f"Constant.value = {GUIDANCE[family]}"]
    return config.read([f"gin/{family}.gin"], [*guidance, *bindings])


def first_epoch(
    settings: MetaTraining, workers: Workers | WorkerGroups, share: Iterable[int]
) -> tuple[np.ndarray, list[LifetimeSeed]]:
    """Returns the losses and the seeds of the workers `share` in the first epoch of a run."""
    seed, how = settings.seed, settings.strategy.sampling
    state = settings.strategy.init(workers.draw_phi(seed))
    seeds = [training_seed(seed, 1, worker, how) for worker in share]
    return settings.strategy.ask(state, seed, share), seeds
