"""Lifetimes that are cut off between two updates, and go on in another process's workers."""

import dataclasses

import numpy as np
import pytest

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.loss.learned_loss import LearnedLoss
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.discrete import DiscreteActions
from epg_tf.tasks.hopper import RandomHopper
from epg_tf.tasks.reacher import RandomReacher

PAPER = InnerLoop(num_updates=4, steps_per_update=64, buffer_size=96, num_minibatches=2)
LEAN = dataclasses.replace(PAPER, learned_loss=LearnedLoss(context_size=0))
FAST = InnerLoop(
    num_updates=4,
    steps_per_update=64,
    buffer_size=64,
    num_minibatches=4,
    num_passes=3,
    learned_loss=LearnedLoss(context_size=0, inputs=("observation", "policy")),
    backend="numba",
)


class CutOff(Exception):
    """What ends lifetimes in their middle."""


class Kept:
    """Keeps where lifetimes stand after `number` updates and cuts them off."""

    def __init__(self, number):
        self.number, self.arrays, self.offers = number, None, 0

    def load(self):
        return self.arrays

    def maybe_save(self, arrays):
        self.offers += 1
        if self.arrays is None and self.offers == self.number:
            self.arrays = arrays()
            raise CutOff


class StepByStep(RandomReacher):
    """Arms whose rules are not compiled."""

    rules = None

    def observe(self, *state, out=None):
        return RandomReacher().observe(*state, out=out)

    def terminated(self, *state):
        return RandomReacher().terminated(*state)


def lived(workers, phi, alpha, snapshotter=None):
    seeds = [LifetimeSeed(100 + worker, (3, worker)) for worker in range(len(phi))]
    return workers.live(phi, seeds, alpha, snapshotter=snapshotter)


@pytest.mark.parametrize(
    ("settings", "family", "alpha", "num_workers"),
    [
        (PAPER, RandomReacher(), 0.5, 4),
        (LEAN, StepByStep(), 0.0, 1),
        (LEAN, DiscreteActions(RandomReacher()), 0.0, 4),
        (dataclasses.replace(LEAN, train_memory=True), RandomHopper(), 0.0, 4),
        (FAST, RandomHopper(), 0.0, 1),
        (dataclasses.replace(PAPER, backend="numba"), RandomReacher(), 0.0, 2),
    ],
)
def test_lifetimes_that_are_cut_off_go_on_to_the_same_numbers(settings, family, alpha, num_workers):
    workers, others = (Workers(settings, family, num_workers) for _ in range(2))
    phi = np.stack([workers.draw_phi(worker) for worker in range(num_workers)])
    whole = lived(workers, phi, alpha)
    for number in (1, 3):
        snapshotter = Kept(number)
        with pytest.raises(CutOff):
            lived(workers, phi, alpha, snapshotter)
        lived(others, phi[::-1], alpha)  # whatever they did before
        rest = lived(others, phi, alpha, snapshotter)
        assert snapshotter.offers == settings.num_updates
        np.testing.assert_array_equal(rest.returns, whole.returns)
        np.testing.assert_array_equal(rest.diverged, whole.diverged)
        assert rest.episodes.completed == whole.episodes.completed
        assert rest.episodes.last_steps == whole.episodes.last_steps
        for name, array in vars(whole.agents).items():
            assert getattr(rest.agents, name).tobytes() == array.tobytes()
        for name, running in whole.statistics.items():
            assert rest.statistics[name].total.tobytes() == running.total.tobytes()


def test_what_was_collected_in_another_way_begins_again():
    compiled, by_steps = (Workers(FAST, family, 1) for family in (RandomReacher(), StepByStep()))
    phi = compiled.draw_phi(0)[np.newaxis]
    for workers, others in ((compiled, by_steps), (by_steps, compiled)):
        whole, snapshotter = lived(others, phi, 0.0), Kept(2)
        with pytest.raises(CutOff):
            lived(workers, phi, 0.0, snapshotter)
        snapshotter.offers = 0
        np.testing.assert_array_equal(lived(others, phi, 0.0, snapshotter).returns, whole.returns)
        assert snapshotter.offers == FAST.num_updates


def test_groups_go_on_each_from_where_it_stood():
    groups = WorkerGroups(FAST, RandomReacher(), 17, num_threads=2)
    phi = np.stack([groups.draw_phi(worker) for worker in range(17)])
    seeds = [LifetimeSeed(100 + worker, (3, worker)) for worker in range(17)]
    whole = groups.live(phi, seeds, 0.0)
    snapshotters = {(0, 9): Kept(1), (9, 17): Kept(3)}
    with pytest.raises(CutOff):
        groups.live(phi, seeds, 0.0, snapshotters=lambda *span: snapshotters[span])
    rest = groups.live(phi, seeds, 0.0, snapshotters=lambda *span: snapshotters[span])
    assert [snapshotter.offers for snapshotter in snapshotters.values()] == [4, 4]
    np.testing.assert_array_equal(rest.returns, whole.returns)
