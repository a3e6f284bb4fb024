import numpy as np
import pytest
from scipy import stats

from epg_tf.evaluation.analysis.mean_interval import geometric_mean_interval, mean_interval


def test_the_interval_is_students():
    values = np.random.default_rng(0).normal(size=(7, 3))
    mean, low, high = mean_interval(values)
    expected = stats.t.interval(0.95, 6, values.mean(axis=0), stats.sem(values))
    np.testing.assert_allclose(mean, values.mean(axis=0))
    np.testing.assert_allclose([low, high], expected)


def test_a_value_worked_out_by_hand():
    # s = 1, t_{0.975, 2} = 4.3027, and 4.3027 / sqrt(3) = 2.4841
    assert mean_interval(np.array([1.0, 2.0, 3.0])) == pytest.approx((2.0, -0.4841, 4.4841), 1e-4)


def test_what_is_not_there_is_left_out():
    values = np.array([[1.0, np.nan, np.nan], [np.nan, 4.0, np.nan], [3.0, np.nan, np.nan]])
    mean, low, high = mean_interval(values)
    np.testing.assert_array_equal(mean, [2.0, 4.0, np.nan])
    np.testing.assert_allclose([low[0], high[0]], mean_interval(np.array([1.0, 3.0]))[1:])
    assert np.isnan([low[1:], high[1:]]).all()  # of one value nobody knows how sure it is


def test_the_geometric_mean_is_the_means_of_the_logarithms():
    values = np.array([0.1, 1.0, 10.0, 0.0, np.nan])
    mean, low, high = geometric_mean_interval(values)
    assert mean == pytest.approx(1.0)
    assert low * high == pytest.approx(1.0)
    np.testing.assert_allclose(np.log([low, high]), mean_interval(np.log(values[:3]))[1:])
