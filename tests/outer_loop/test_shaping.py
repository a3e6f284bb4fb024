"""Fitness shaping, against values worked out by hand and SciPy's own ranks."""

import numpy as np
import pytest
from scipy import stats

from epg_tf.outer_loop.shaping import (
    SHAPINGS,
    centred_ranks,
    pair_ranks,
    raw_returns,
)

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("returns", "weights"),
    [
        ([3.0, 1.0, 2.0], [0.5, -0.5, 0.0]),
        # Ties share the mean of their ranks: 5 is first, both 4s are second and a half.
        ([4.0, 5.0, 4.0, 1.0, 0.0], [0.125, 0.5, 0.125, -0.25, -0.5]),
        ([7.0, 7.0, 7.0], [0.0, 0.0, 0.0]),
        ([NAN, -1e30, 2.0], [-0.5, 0.0, 0.5]),
        ([NAN, 1.0, NAN, 2.0, 3.0], [-0.375, 0.0, -0.375, 0.25, 0.5]),
        ([-INF, 0.0, INF], [-0.25, 0.5, -0.25]),
        ([NAN, NAN], [0.0, 0.0]),
        ([5.0], [0.0]),
    ],
)
def test_centred_ranks_of_ties_and_of_what_is_not_a_number(returns, weights):
    np.testing.assert_allclose(centred_ranks(np.array(returns)), weights, atol=1e-15)


def test_centred_ranks_see_only_the_order():
    returns = np.random.default_rng(0).normal(size=33)
    weights = centred_ranks(returns)
    np.testing.assert_array_equal(weights, centred_ranks(np.exp(3 * returns)))
    np.testing.assert_allclose(weights, (stats.rankdata(returns) - 1) / 32 - 0.5, atol=1e-15)
    assert (weights.min(), weights.max()) == (-0.5, 0.5)
    assert abs(weights.sum()) < 1e-12


@pytest.mark.parametrize(
    ("returns", "weights"),
    [
        ([1.0, 3.0, 110.0, 100.0], [-0.25, 0.25, 0.5, -0.5]),  # differences of -2 and 10
        ([1.0, 1.0, 5.0, 6.0], [0.0, 0.0, -0.5, 0.5]),
        ([NAN, 1.0, 7.0, 2.0], [-0.25, 0.25, 0.5, -0.5]),  # as if it were 0, one below the worst
        ([NAN, INF, NAN, NAN], [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_pair_ranks_compare_within_pairs_alone(returns, weights):
    np.testing.assert_allclose(pair_ranks(np.array(returns)), weights, atol=1e-15)


def test_raw_returns_are_eq_5_and_no_better_than_the_worst_where_not_finite():
    returns = np.array([2.0, NAN, -3.0, INF, -INF])
    np.testing.assert_array_equal(raw_returns(returns), [2.0, -3.0, -3.0, -3.0, -3.0])
    np.testing.assert_array_equal(raw_returns(np.array([NAN, NAN])), [0.0, 0.0])
    finite = np.array([0.25, -7.0, 3.0])
    np.testing.assert_array_equal(raw_returns(finite), finite)


@pytest.mark.parametrize("name", SHAPINGS)
def test_every_shaping_keeps_what_it_is_given(name):
    returns = np.array([1.0, NAN, 3.0, 2.0])
    before = returns.copy()
    weights = SHAPINGS[name](returns)
    np.testing.assert_array_equal(returns, before)
    assert np.isfinite(weights).all()
    assert weights[2] == weights.max() > weights[1]
