"""Noise and seeds follow from (seed, epoch, worker) alone."""

import itertools

import numpy as np
import pytest

from epg_tf.seeds import (
    HELD_OUT_TASK_SEEDS,
    SAMPLINGS,
    TRAINING_TASK_SEEDS,
    lifetime_key,
    noise,
    task_seed,
)

SIZE = 20_000
KEYS = list(itertools.product((0, 1, 2**31 + 7), (1, 2, 3000), (0, 2, 4, 30)))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_noise_is_standard_normal_and_the_same_every_time(sampling):
    epsilon = noise(3, 5, 7, SIZE, sampling)
    assert epsilon.dtype == np.float32
    np.testing.assert_array_equal(epsilon, noise(3, 5, 7, SIZE, sampling))
    assert abs(epsilon.mean()) < 5 / np.sqrt(SIZE)
    assert abs(np.var(epsilon) - 1.0) < 5 * np.sqrt(2 / SIZE)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_every_seed_epoch_and_worker_has_noise_task_and_lifetime_of_its_own(sampling):
    assert len({noise(*key, 4, sampling).tobytes() for key in KEYS}) == len(KEYS)
    assert len({task_seed(*key, sampling, TRAINING_TASK_SEEDS) for key in KEYS}) == len(KEYS)
    assert len({lifetime_key(*key, sampling) for key in KEYS}) == len(KEYS)
    all_noise = np.stack([noise(*key, SIZE, sampling) for key in KEYS])
    correlations = np.corrcoef(all_noise) - np.eye(len(KEYS))
    assert np.abs(correlations).max() < 5 / np.sqrt(SIZE)


def test_both_of_a_pair_get_opposite_noise_on_the_same_task_and_lifetime():
    for first in (0, 6, 30):
        second = first + 1
        np.testing.assert_array_equal(
            noise(1, 2, first, 50, "paired"), -noise(1, 2, second, 50, "paired")
        )
        seeds = [task_seed(1, 2, w, "paired", TRAINING_TASK_SEEDS) for w in (first, second)]
        assert seeds[0] == seeds[1]
        assert lifetime_key(1, 2, first, "paired") == lifetime_key(1, 2, second, "paired")


def test_neighbours_share_nothing_in_independent_sampling():
    for first in (0, 6, 30):
        second = first + 1
        ours, theirs = (noise(1, 2, w, SIZE, "independent") for w in (first, second))
        assert abs(np.corrcoef(ours, theirs)[0, 1]) < 5 / np.sqrt(SIZE)
        seeds = [task_seed(1, 2, w, "independent", TRAINING_TASK_SEEDS) for w in (first, second)]
        assert seeds[0] != seeds[1]
        assert lifetime_key(1, 2, first, "independent") != lifetime_key(1, 2, second, "independent")


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_training_never_draws_a_held_out_task(sampling):
    seeds = np.array(
        [task_seed(0, e, w, sampling, TRAINING_TASK_SEEDS) for e in range(1, 21) for w in range(32)]
    )
    assert seeds.min() >= TRAINING_TASK_SEEDS.start
    assert seeds.max() < min(TRAINING_TASK_SEEDS.stop, HELD_OUT_TASK_SEEDS.start)
    # They spread over all of it: both ends are near, which 300 even draws miss once in 10^13.
    spread = (seeds - TRAINING_TASK_SEEDS.start) / len(TRAINING_TASK_SEEDS)
    assert spread.min() < 0.1
    assert spread.max() > 0.9
