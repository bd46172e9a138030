"""Intervals over word pairs against slow ways of computing the same; tests of differences; coverage."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from wordgeo.evaluation.clusters import PairBootstrap, holm, mcnemar
from wordgeo.evaluation.statistics import difference_of_spearman, wilson_interval


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
    draws = PairBootstrap(pairs, np.zeros(len(pairs), dtype=int), 1, 4000).draws(values)
    own = len(np.unique(pairs[pairs >= 0]))
    assert draws.mean() == pytest.approx(values.mean())
    assert draws.var() == pytest.approx(slow_variance(pairs, values) * own / (own - 1))


def test_single_pairs_draw_what_resampling_them_draws():
    values = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 1.0])
    pairs = np.stack([np.arange(10), np.full(10, -1)], axis=1)
    draws = PairBootstrap(pairs, np.zeros(10, dtype=int), 3, 500).draws(values)
    counts = np.random.default_rng([3, 0]).multinomial(10, np.full(10, 0.1), size=500)
    plain = counts @ values / 10
    assert np.corrcoef(draws, plain)[0, 1] == pytest.approx(1)
    assert draws.std() == pytest.approx(np.std(values) / math.sqrt(9))


def test_sections_are_resampled_each_for_itself():
    pairs = np.array([(i, j) for i in range(6) for j in range(6) if i != j])
    pairs = np.vstack([pairs, pairs + 6])
    strata = np.repeat([0, 1], 30)
    values = np.repeat([0.0, 1.0], 30)
    assert set(PairBootstrap(pairs, strata).draws(values)) == {0.5}  # sections stay as they are
    mixed = np.where(np.arange(60) % 4 == 0, 1 - values, values)
    whole = PairBootstrap(pairs, strata, 2).draws(mixed)
    parts = [PairBootstrap(pairs[strata == s], strata[strata == s], 2).draws(mixed[strata == s]) for s in (0, 1)]
    np.testing.assert_allclose(whole, (parts[0] + parts[1]) / 2)


def test_where_all_answers_are_alike_pairs_are_the_trials():
    pairs = np.array([(i, j) for i in range(5) for j in range(5) if i != j])
    bootstrap = PairBootstrap(pairs, np.zeros(20, dtype=int))
    assert bootstrap.interval(np.ones(20)) == wilson_interval(5, 5)
    assert bootstrap.interval(np.zeros(20)) == wilson_interval(0, 5)
    assert PairBootstrap(np.array([[0, -1]]), np.zeros(1, dtype=int)).interval(np.ones(1)) is None


def test_the_seed_decides():
    pairs = np.array([(i, j) for i in range(7) for j in range(7) if i != j])
    values = (np.arange(42) % 3 == 0).astype(float)
    strata = np.zeros(42, dtype=int)
    assert PairBootstrap(pairs, strata, 1).interval(values) == PairBootstrap(pairs, strata, 1).interval(values)
    assert PairBootstrap(pairs, strata, 1).interval(values) != PairBootstrap(pairs, strata, 2).interval(values)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("p", [0.1, 0.5])
def test_intervals_hold_the_truth_about_as_often_as_they_say(share, p):
    # 200 trials of 250 questions on 50 pairs; benchmarks/coverage.py has the whole grid.
    generator = np.random.default_rng(8)
    pairs = np.array([(i, (i + step) % 50) for i in range(50) for step in range(1, 6)])
    strata = np.zeros(250, dtype=int)
    hits = wilson = 0
    for trial in range(200):
        shared = generator.normal(size=50)[pairs].sum(axis=1)
        latent = math.sqrt(share / 2) * shared + math.sqrt(1 - share) * generator.normal(size=250)
        right = (latent < NormalDist().inv_cdf(p)).astype(float)
        low, high = PairBootstrap(pairs, strata, trial, 300).interval(right)
        hits += low <= p <= high
        low, high = wilson_interval(int(right.sum()), 250)
        wilson += low <= p <= high
    assert 0.88 <= hits / 200 <= 0.995
    if share:
        assert wilson < hits - 20  # what ignoring the pairs costs


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
