"""Workers on several threads give what they give on one."""

import numpy as np
import pytest

from epg_tf.inner_loop.groups import WorkerGroups
from epg_tf.inner_loop.lifetime import Workers
from epg_tf.inner_loop.settings import InnerLoop
from epg_tf.seeds import LifetimeSeed
from epg_tf.tasks.reacher import RandomReacher

SHORT = InnerLoop(num_updates=3, steps_per_update=64, buffer_size=64)
WORKERS = 17


@pytest.fixture(scope="module")
def groups():
    return WorkerGroups(SHORT, RandomReacher(), WORKERS, num_threads=2)


def losses_and_seeds(population):
    phi = np.stack([population.draw_phi(worker) for worker in range(WORKERS)])
    return phi, [LifetimeSeed(worker, (3, worker)) for worker in range(WORKERS)]


def test_groups_are_even_and_not_too_small(groups):
    assert [group.num_workers for group in groups.groups] == [9, 8]
    for num_threads, sizes in ((0, [9]), (1, [9]), (8, [9])):
        few = WorkerGroups(SHORT, RandomReacher(), 9, num_threads)
        assert [group.num_workers for group in few.groups] == sizes


def test_threads_change_nothing(groups):
    calls = []
    alone = Workers(SHORT, RandomReacher(), WORKERS)
    expected = alone.live(*losses_and_seeds(alone), 0.5)
    lifetimes = groups.live(*losses_and_seeds(groups), 0.5, lambda update: calls.append(update.k))
    assert calls == [1, 2, 3]
    np.testing.assert_array_equal(lifetimes.returns, expected.returns)
    np.testing.assert_array_equal(lifetimes.final_returns, expected.final_returns)
    np.testing.assert_array_equal(lifetimes.diverged, expected.diverged)
    assert lifetimes.episodes.completed == expected.episodes.completed
    assert lifetimes.episodes.last_steps == expected.episodes.last_steps
    assert lifetimes.episodes.of_lifetimes() == expected.episodes.of_lifetimes()
    for name, running in expected.statistics.items():
        np.testing.assert_array_equal(lifetimes.statistics[name].mean, running.mean)
        np.testing.assert_array_equal(lifetimes.statistics[name].std, running.std)


def test_an_error_in_a_thread_reaches_the_caller(groups):
    phi, seeds = losses_and_seeds(groups)
    with pytest.raises(ValueError, match="task_seed"):
        groups.live(phi, [*seeds[:-1], LifetimeSeed(-1, (0,))], 0.0)
