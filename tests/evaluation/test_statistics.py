"""What many runs say together: by hand, by loops, and by scipy."""

import numpy as np
import pytest
from scipy import stats

from epg_tf.statistics import (
    Bootstrap,
    area_under,
    first_update_reaching,
    iqm,
    iqm_curve,
    probability_of_improvement,
)

NAN, INF = np.nan, np.inf


def test_the_interquartile_mean_by_hand():
    # Of eight numbers the two best and the two worst go: (3 + 4 + 5 + 6) / 4.
    assert iqm(np.array([[8.0, 1.0, 6.0, 3.0], [2.0, 7.0, 4.0, 5.0]])) == 4.5
    assert iqm(np.array([[-1e9, 3.0, 4.0, 5.0, 6.0, 1e9, 7.0, 2.0]])) == 4.5
    assert iqm(np.array([[1.0], [2.0], [6.0]])) == 3.0  # too few to leave any out


def test_the_interquartile_mean_by_scipy():
    scores = np.random.default_rng(0).normal(size=(32, 4))
    assert iqm(scores) == stats.trim_mean(scores.ravel(), 0.25)
    inner = np.sort(scores.ravel())[32:96]
    np.testing.assert_allclose(iqm(scores), inner.mean(), rtol=1e-12)


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_what_is_not_finite_ranks_worst(bad):
    assert iqm(np.array([[8.0, bad, 6.0, 3.0], [bad, 7.0, 4.0, 5.0]])) == 4.5
    assert iqm(np.array([[8.0, bad, 6.0, bad], [bad, 7.0, 4.0, 5.0]])) == -INF
    curves = np.array([[[1.0, bad, 3.0], [1.0, 2.0, 3.0]]])
    np.testing.assert_array_equal(area_under(curves), [[-INF, 2.0]])
    assert probability_of_improvement(np.array([[bad, 1.0]]), np.array([[bad, 0.0]])) == 0.625


def test_bootstrap_intervals_by_hand():
    # Two tasks with one run each: means of two draws out of {0, 1} are 0, 1/2, 1/2 and 1.
    bootstrap = Bootstrap.draw(2, 1)
    assert tuple(bootstrap.estimate(np.array([[0.0], [1.0]]))) == (0.5, 0.0, 1.0)
    assert tuple(bootstrap.estimate(np.array([[3.0], [3.0]]))) == (3.0, 3.0, 3.0)
    means = bootstrap.tasks.mean(axis=(1, 2))
    for mean, probability in ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25)):
        assert abs(np.mean(means == mean) - probability) < 0.04  # four standard errors


def test_a_resample_draws_tasks_and_then_seeds_within_each():
    scores = np.arange(15.0).reshape(5, 3)
    bootstrap = Bootstrap.draw(5, 3, num_resamples=200, seed=1)
    by_loop = []
    for tasks, seeds in zip(bootstrap.tasks, bootstrap.seeds, strict=True):
        drawn = [scores[task, s] for (task,), row in zip(tasks, seeds, strict=True) for s in row]
        by_loop.append(stats.trim_mean(drawn, 0.25))
    estimate = bootstrap.estimate(scores)
    assert estimate.iqm == iqm(scores) == 7.0
    # The 5th of 200 in order has 2.5 % of them up to it, and the 195th 97.5 %.
    assert (estimate.low, estimate.high) == tuple(np.sort(by_loop)[[4, 194]])
    assert set(bootstrap.tasks.ravel()) == set(range(5))
    assert set(bootstrap.seeds.ravel()) == set(range(3))


@pytest.mark.parametrize("varies", ["task", "seed"])
def test_with_one_source_of_chance_the_interval_is_scipys(varies):
    values = np.random.default_rng(2).normal(size=40)
    shape = (40, 1) if varies == "task" else (1, 40)
    estimate = Bootstrap.draw(*shape, num_resamples=20_000).estimate(values.reshape(shape))
    theirs = stats.bootstrap(
        (values,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=20_000,
        method="percentile",
        random_state=np.random.default_rng(3),
    ).confidence_interval
    np.testing.assert_allclose([estimate.low, estimate.high], theirs, atol=0.02)


def test_more_seeds_do_not_hide_that_there_are_few_tasks():
    of_tasks = np.random.default_rng(4).normal(size=(8, 1))
    one, many = (
        Bootstrap.draw(8, seeds).estimate(np.repeat(of_tasks, seeds, axis=1)) for seeds in (1, 64)
    )
    assert many.high - many.low > 0.8 * (one.high - one.low)


def test_a_diverged_minority_leaves_the_interval_finite():
    scores = np.random.default_rng(5).normal(size=(16, 4))
    scores[3, 1] = NAN
    assert np.isfinite(Bootstrap.draw(16, 4).estimate(scores)).all()
    scores[:8] = -INF
    assert tuple(Bootstrap.draw(16, 4).estimate(scores))[:2] == (-INF, -INF)


def test_a_curves_estimate_is_that_of_every_update():
    curves = np.random.default_rng(6).normal(size=(6, 3, 4))
    bootstrap = Bootstrap.draw(6, 3)
    estimate = bootstrap.estimate_curve(curves)
    for k in range(4):
        assert tuple(part[k] for part in estimate) == tuple(bootstrap.estimate(curves[..., k]))
    np.testing.assert_array_equal(estimate.iqm, iqm_curve(curves))


def test_the_bootstrap_is_the_same_every_time():
    ours, again = Bootstrap.draw(4, 2), Bootstrap.draw(4, 2)
    np.testing.assert_array_equal(ours.tasks, again.tasks)
    np.testing.assert_array_equal(ours.seeds, again.seeds)


def test_the_probability_of_improvement_by_hand():
    scores = np.array([[1.0, 2.0], [5.0, 5.0]])
    over = np.array([[0.0, 2.0], [5.0, 9.0]])
    # First task: won, lost, won, tied; second: tied, lost, tied, lost.
    assert probability_of_improvement(scores, over) == (2.5 / 4 + 1.0 / 4) / 2
    assert probability_of_improvement(over, over) == 0.5


def test_the_probability_of_improvement_by_scipy():
    rng = np.random.default_rng(7)
    scores, over = rng.integers(5, size=(2, 6, 4)).astype(float)
    u = [stats.mannwhitneyu(x, y).statistic / 16 for x, y in zip(scores, over, strict=True)]
    np.testing.assert_allclose(probability_of_improvement(scores, over), np.mean(u))


def test_the_first_update_that_reaches_a_level():
    curve = np.array([-3.0, -1.0, -2.0, 0.0])
    assert first_update_reaching(curve, -1.5) == 2
    assert first_update_reaching(curve, 0.0) == 4
    assert first_update_reaching(curve, 0.1) is None
    assert first_update_reaching(np.array([-INF, -1.0]), -1.0) == 2
    assert first_update_reaching(curve, -INF) is None
