"""The presets as the benchmark uses them: their lifetimes, cut short."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import numpy as np

from epg_tf import config
from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.outer_loop.settings import MetaTraining
from epg_tf.seeds import LifetimeSeed, training_seed

# Most epochs of a run on Reacher or Hopper come after guidance has ended; DirHopper's never ends.
GUIDANCE = collections.defaultdict(float, dir_hopper=0.5)


def read(family: str, bindings: Sequence[str] = ()) -> MetaTraining:
    """The preset of a family, at the guidance that most of its epochs have.

    Args:
        family: The name of its file in `gin/`.
        bindings: Changes to it.

    Returns:
        The settings of a run.
    """
    guidance = ["meta_train.guidance = @Constant()", f"Constant.value = {GUIDANCE[family]}"]
    return config.read([f"gin/{family}.gin"], [*guidance, *bindings])


def first_epoch(
    settings: MetaTraining, workers: Workers | WorkerGroups, share: Iterable[int]
) -> tuple[np.ndarray, list[LifetimeSeed]]:
    """What a run's first epoch gives to the workers `share`: their losses and their seeds."""
    seed, how = settings.seed, settings.strategy.sampling
    state = settings.strategy.init(workers.draw_phi(seed))
    seeds = [training_seed(seed, 1, worker, how) for worker in share]
    return settings.strategy.ask(state, seed, share), seeds
