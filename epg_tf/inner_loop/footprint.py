"""A lower bound on the memory of lifetimes, to refuse settings that cannot fit."""

from __future__ import annotations

import itertools
import os

from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.tasks.family import TaskFamily

_BYTES = 4  # of a float32
_COPIES = 4  # of an agent's parameters: themselves, their gradient, and Adam's two moments


def least_bytes(settings: InnerLoop, family: TaskFamily, num_workers: int) -> int:
    """Returns a lower bound on the bytes of W workers' agents, buffers and losses."""
    sizes = (family.observation_size, *settings.hidden_sizes, family.action_features)
    network = sum(inputs * outputs for inputs, outputs in itertools.pairwise(sizes))
    step = family.observation_size + family.action_features
    agent = 2 * network * _COPIES + settings.buffer_size * step
    loss = settings.learned_loss.hidden_size * step
    return num_workers * (agent + loss) * _BYTES


def require_memory(settings: InnerLoop, family: TaskFamily, num_workers: int) -> None:
    """Checks that the workers of a process fit into the memory of its host.

    Raises:
        ValueError: If they cannot.
    """
    needed = least_bytes(settings, family, num_workers)
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        raise ValueError(
            f"`meta_train.num_workers` (={num_workers} of a rank), `InnerLoop.buffer_size` "
            f"(={settings.buffer_size}), `InnerLoop.hidden_sizes` (={settings.hidden_sizes}) and "
            f"`LearnedLoss.hidden_size` (={settings.learned_loss.hidden_size}) must fit into the "
            f"host's memory: they take at least {needed / 1e9:,.0f} GB, and it has "
            f"{there / 1e9:,.0f}."
        )
