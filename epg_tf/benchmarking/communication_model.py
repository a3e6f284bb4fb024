"""What the ranks spend on one another at the end of an epoch, for numbers of ranks beyond reach.

Two things grow with the ranks. The allgather of a few numbers per worker, whose time is modelled as

    seconds(ranks) = latency * hops(ranks) + bytes / bandwidth

with `hops` log2(ranks), of a tree, or ranks - 1, of a ring, whichever fits the measured times
better. And `tell`, in which every rank rebuilds the noise of all n workers, so n times the measured
time for one. Ranks that were measured on fewer cores than ranks took turns on them, which the
latency then contains: on a cluster it is the network's instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

COLUMNS = 6  # what `outer_loop` gathers of each worker, float64
HOPS = {"tree": lambda ranks: math.log2(ranks), "ring": lambda ranks: ranks - 1.0}


def exchanged_bytes(ranks: int, workers: int) -> int:
    """The size of an epoch's table, with so many workers on each rank."""
    return ranks * workers * COLUMNS * 8


class Model(NamedTuple):
    """Seconds of an allgather against the number of ranks.

    Attributes:
        shape: A key of `HOPS`.
        latency: Seconds per hop.
        bandwidth: Bytes per second.
    """

    shape: str
    latency: float
    bandwidth: float

    def seconds(self, ranks: int, workers: int) -> float:
        """The time of an epoch's exchange, with so many workers on each rank."""
        transfer = exchanged_bytes(ranks, workers) / self.bandwidth
        return self.latency * HOPS[self.shape](ranks) + transfer


def fit(seconds: Mapping[int, float], workers: int, bandwidth: float) -> Model:
    """The model that comes closest, in proportion, to measured times.

    Args:
        seconds: By number of ranks, each 2 or more.
        workers: Per rank.
        bandwidth: Bytes per second.

    Returns:
        The model; the logarithms of its times have the least squared error.
    """
    models = []
    for shape, hops in HOPS.items():
        on_hops = {
            ranks: max(value - exchanged_bytes(ranks, workers) / bandwidth, 0.1 * value)
            for ranks, value in seconds.items()
        }
        latency = math.exp(np.mean([math.log(v / hops(ranks)) for ranks, v in on_hops.items()]))
        models.append(Model(shape, latency, bandwidth))
    return min(
        models,
        key=lambda model: sum(
            math.log(model.seconds(ranks, workers) / value) ** 2 for ranks, value in seconds.items()
        ),
    )
