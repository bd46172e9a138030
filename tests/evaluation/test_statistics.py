"""Intervals against published values, SciPy, and slow ways of computing the same."""

import numpy as np
import pytest
from scipy import stats

from wordgeo.evaluation.statistics import RESAMPLES, bootstrap_intervals, correlations, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_values_of_newcombe_1998(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.999])
def test_wilson_equals_scipy(level):
    for trials in (1, 2, 3, 17, 1000, 19544):
        for successes in {0, 1, trials // 3, trials - 1, trials}:
            expected = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
            assert wilson_interval(successes, trials, level) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-12)


def test_wilson_ends_are_exact_at_the_borders_and_absent_without_trials():
    assert {wilson_interval(0, n)[0] for n in range(1, 300)} == {0.0}
    assert {wilson_interval(n, n)[1] for n in range(1, 300)} == {1.0}
    assert wilson_interval(0, 0) is None


def test_bootstrap_equals_the_plain_loop_over_scipy_on_the_same_draws():
    generator = np.random.default_rng(7)
    x = generator.integers(0, 6, 40).astype(float)  # many ties
    y = x + generator.normal(size=40).round(1)
    picks = np.random.default_rng(3).integers(40, size=(200, 40))
    for interval, measure in zip(
        bootstrap_intervals(x, y, seed=3, resamples=200), (stats.spearmanr, stats.pearsonr), strict=True
    ):
        plain = [measure(x[pick], y[pick])[0] for pick in picks]
        assert interval == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=1e-12)


@pytest.mark.filterwarnings("ignore:An input array is constant")
def test_resamples_with_one_value_only_are_left_out():
    x, y = np.array([0.1, 0.1, 0.7]), np.array([0.2, 0.9, 0.5])  # the mean of three times 0.1 is not 0.1
    picks = np.random.default_rng(1).integers(3, size=(500, 3))
    for interval, measure in zip(
        bootstrap_intervals(x, y, level=0.2, resamples=500), (stats.spearmanr, stats.pearsonr), strict=True
    ):
        values = np.array([measure(x[pick], y[pick])[0] for pick in picks])
        assert np.isnan(values).sum() > 5
        ends = np.quantile(values[~np.isnan(values)], [0.4, 0.6])
        assert interval == pytest.approx(tuple(ends), abs=1e-9)


def test_bootstrap_in_blocks_draws_what_one_block_draws(monkeypatch):
    x, y = np.random.default_rng(1).normal(size=(2, 50))
    whole = bootstrap_intervals(x, y, seed=5)
    monkeypatch.setattr("wordgeo.evaluation.statistics.NUMBERS_A_BLOCK", 333)
    assert bootstrap_intervals(x, y, seed=5) == whole
    assert bootstrap_intervals(x, y, seed=6) != whole
    assert RESAMPLES == 2000


def test_bootstrap_covers_the_true_correlation_about_as_often_as_it_says():
    # 400 samples of 60 pairs from a normal with correlation .6, whose Spearman coefficient is 6/pi asin(.3).
    generator = np.random.default_rng(11)
    truth = 6 / np.pi * np.arcsin(0.3)
    hits = 0
    for seed in range(400):
        x = generator.normal(size=60)
        y = 0.6 * x + 0.8 * generator.normal(size=60)
        low, high = bootstrap_intervals(x, y, seed=seed, resamples=400)[0]
        hits += low <= truth <= high
    assert 0.90 <= hits / 400 <= 0.985  # four standard errors around .95, less the little it is known to lack


def test_correlations_are_those_of_scipy():
    x, y = np.random.default_rng(2).normal(size=(2, 30))
    spearman, pearson = correlations(x, y)
    assert (spearman.value, spearman.p_value) == pytest.approx(tuple(stats.spearmanr(x, y)))
    assert (pearson.value, pearson.p_value) == pytest.approx(tuple(stats.pearsonr(x, y)))
    assert spearman.low < spearman.value < spearman.high
    wide = correlations(x, y, level=0.99)[0]
    assert wide.low < spearman.low and wide.high > spearman.high


@pytest.mark.parametrize(
    ("x", "y"), [([], []), ([1.0], [2.0]), ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 4.0], [0.0, 0.0, 0.0])]
)
@pytest.mark.filterwarnings("error")
def test_what_is_not_defined_is_none(x, y):
    for found in correlations(np.array(x), np.array(y)):
        assert (found.value, found.p_value, found.low, found.high) == (None,) * 4


@pytest.mark.filterwarnings("error")
def test_two_pairs_have_a_coefficient_and_no_interval():
    for found in correlations(np.array([1.0, 2.0]), np.array([0.1, 0.3])):
        assert found.value == pytest.approx(1.0) and found.low is None and found.high is None
