"""Intervals over word pairs against slow ways of computing the same; tests of differences; coverage."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from wordgeo.evaluation.clusters import PairBootstrap, holm, mcnemar
from wordgeo.evaluation.statistics import difference_of_spearman, wilson_interval


def everyone(n):
    """Each of n pairs asked by each other one."""
    return np.array([(i, j) for i in range(n) for j in range(n) if i != j])


def one_each(n):
    """Questions of one pair."""
    return np.stack([np.arange(n), np.full(n, -1)], axis=1)


def own(pairs, values, seed=1, resamples=2000):
    """The bootstrap of one stratum and one column."""
    return PairBootstrap(pairs, np.zeros(len(pairs), dtype=int), seed, resamples).of(values[:, np.newaxis])


def slow_variance(pairs, values):
    """Σ over all two questions that share a pair of the products of their deviations."""
    e = (values - values.mean()) / len(values)
    total = 0.0
    for q, one in enumerate(pairs):
        for r, other in enumerate(pairs):
            if {p for p in one if p >= 0} & {p for p in other if p >= 0}:
                total += e[q] * e[r]
    return max(total, float((e**2).sum()))


@pytest.mark.parametrize("kind", ["both ways", "one way", "single", "mixed"])
def test_spread_is_that_of_questions_that_share_pairs(kind):
    generator = np.random.default_rng(4)
    pairs = np.array([(i, j) for i in range(9) for j in range(9) if (i < j if kind == "one way" else i != j)])
    if kind == "single":
        pairs[:, 1] = -1
    if kind == "mixed":
        pairs[::3, 1] = -1
    values = (generator.normal(size=9)[pairs[:, 0]] + generator.normal(size=len(pairs)) > 0).astype(float)
    found = own(pairs, values)
    size = len(np.unique(pairs[pairs >= 0]))
    assert found.size() == [size]
    assert found.draws().mean() == pytest.approx(values.mean())
    assert found.draws().var() == pytest.approx(slow_variance(pairs, values) * size / (size - 1))


def test_single_pairs_draw_what_resampling_them_draws():
    values = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1.0])
    draws = own(one_each(10), values, 3, 500).draws()[:, 0]
    picks = np.random.default_rng([3, 0]).integers(10, size=(500, 10))
    plain = values[picks].mean(axis=1)
    assert np.corrcoef(draws, plain)[0, 1] == pytest.approx(1)
    assert draws.std() == pytest.approx(np.std(values) / math.sqrt(9))


def test_sections_are_resampled_each_for_itself():
    pairs = np.vstack([everyone(6), everyone(6) + 6])
    strata = np.repeat([0, 1], 30)
    values = np.repeat([0.0, 1.0], 30)[:, np.newaxis]
    assert set(PairBootstrap(pairs, strata).of(values).draws()[:, 0]) == {0.5}  # sections stay as they are
    mixed = np.where(np.arange(60)[:, np.newaxis] % 4 == 0, 1 - values, values)
    whole = PairBootstrap(pairs, strata, 2).of(mixed)
    parts = [PairBootstrap(pairs[strata == s], strata[strata == s], 2).of(mixed[strata == s]) for s in (0, 1)]
    np.testing.assert_allclose(whole.draws(), (parts[0].draws() + parts[1].draws()) / 2)
    for s in (0, 1):
        np.testing.assert_allclose(whole.draws([s]), parts[s].draws())
        np.testing.assert_array_equal(whole.intervals(strata=[s]), parts[s].intervals())


def test_columns_are_as_if_each_were_alone():
    generator = np.random.default_rng(7)
    pairs, strata = everyone(8), np.zeros(56, dtype=int)
    values = generator.integers(0, 2, size=(56, 3)).astype(float)
    counted = generator.random((56, 3)) < 0.7
    both = PairBootstrap(pairs, strata).of(values, counted)
    for j in range(3):
        alone = PairBootstrap(pairs, strata).of(values[:, [j]], counted[:, [j]])
        np.testing.assert_allclose(both.intervals()[:, j], alone.intervals()[:, 0])
        assert both.means[0, j] == pytest.approx(values[counted[:, j], j].mean())
        kept = PairBootstrap(pairs[counted[:, j]], strata[counted[:, j]]).of(values[counted[:, j]][:, [j]])
        np.testing.assert_allclose(both.variances[0, j], kept.variances[0, 0])


def test_where_all_answers_are_alike_pairs_are_the_trials():
    for values, right in ((np.ones(20), 5), (np.zeros(20), 0)):
        assert tuple(own(everyone(5), values).intervals()[:, 0]) == pytest.approx(wilson_interval(right, 5))
    assert np.isnan(own(one_each(1), np.ones(1)).intervals()).all()
    assert np.isnan(own(one_each(1), np.ones(1)).differences()[0]).all()


def test_intervals_are_wilsons_for_as_many_questions_as_they_are_worth():
    """One question a pair, and a normal distribution of resamples: Wilson with P - 1 trials, and t for z."""
    values = (np.arange(400) % 5 == 0).astype(float)
    low, high = own(one_each(400), values, resamples=40_000).intervals()[:, 0]
    t, n = stats.t.ppf(0.975, 399), 399
    middle, scale = 0.2 + t * t / 2 / n, 1 + t * t / n
    half = t * math.sqrt(0.16 / n + t * t / 4 / n / n)
    assert (low, high) == pytest.approx(((middle - half) / scale, (middle + half) / scale), abs=2e-3)


def test_what_pairs_contribute_may_cancel_out():
    pairs = np.array([[0, 1], [2, 3], [1, 0], [3, 2]])
    low, high = own(pairs, np.array([1.0, 1.0, 0.0, 0.0])).intervals()[:, 0]
    assert 0 < low < 0.5 < high < 1


def test_differences_are_of_any_values():
    values = np.random.default_rng(3).normal(0.5, 1, size=60)
    (low, high), (p_value,) = (x.T[0] if x.ndim > 1 else x for x in own(one_each(60), values).differences())
    plain = stats.ttest_1samp(values, 0)
    assert (low, high) == pytest.approx(tuple(plain.confidence_interval(0.95)), abs=0.05)
    assert p_value == pytest.approx(plain.pvalue, abs=0.01)


def test_the_seed_decides():
    values = (np.arange(42) % 3 == 0).astype(float)
    first, again, other = (own(everyone(7), values, seed).intervals().tolist() for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_intervals_hold_the_truth_about_as_often_as_they_say(share, p):
    # 1,000 trials of 250 questions on 50 pairs; benchmarks/coverage.py has the whole grid.
    generator = np.random.default_rng(8)
    pairs = np.array([(i, (i + step) % 50) for i in range(50) for step in range(1, 6)])
    shared = generator.normal(size=(50, 1000))[pairs].sum(axis=1)
    latent = math.sqrt(share / 2) * shared + math.sqrt(1 - share) * generator.normal(size=(250, 1000))
    right = (latent < NormalDist().inv_cdf(p)).astype(float)
    low, high = PairBootstrap(pairs, np.zeros(250, dtype=int)).of(right).intervals()
    hits = ((low <= p) & (p <= high)).mean()
    assert 0.92 <= hits <= 0.985
    if share:
        ends = np.array([wilson_interval(int(count), 250) for count in right.sum(axis=0)])
        assert ((ends[:, 0] <= p) & (p <= ends[:, 1])).mean() < hits - 0.1  # what ignoring the pairs costs


def test_mcnemar_is_the_binomial_test_of_those_that_differ():
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 9) == mcnemar(9, 1) == pytest.approx(2 * sum(math.comb(10, k) for k in (0, 1)) / 1024)


def test_holm_adjusts_and_keeps_the_order():
    assert holm([]) == []
    assert holm([0.01, 0.02, 0.03, 0.04]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    assert holm([0.9, 0.001]) == pytest.approx([0.9, 0.002])
    assert holm([0.5, 0.6]) == [1.0, 1.0]


def test_differences_of_spearman_are_paired():
    generator = np.random.default_rng(5)
    judged = generator.normal(size=80)
    first, second = judged + generator.normal(size=80), judged + 0.2 * generator.normal(size=80)
    found = difference_of_spearman(judged, first, second)
    assert found.first == pytest.approx(stats.spearmanr(judged, first)[0])
    assert found.second == pytest.approx(stats.spearmanr(judged, second)[0])
    assert 0 < found.low < found.second - found.first < found.high and found.p_value < 0.01
    same = difference_of_spearman(judged, first, first)
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)
    picks = np.random.default_rng(1).integers(80, size=(300, 80))
    plain = [stats.spearmanr(judged[i], second[i])[0] - stats.spearmanr(judged[i], first[i])[0] for i in picks]
    few = difference_of_spearman(judged, first, second, resamples=300)
    assert (few.low, few.high) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])))
    assert difference_of_spearman(judged[:2], first[:2], second[:2]) is None
    assert difference_of_spearman(judged, np.ones(80), second) is None
