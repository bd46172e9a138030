"""Measures of lists and spaces: brute force on every word, published examples, chance, identity, intervals."""

import itertools

import numpy as np
import pytest
from scipy import stats

import wordgeo as wg
from wordgeo import _lists
from wordgeo.errors import OptionError
from wordgeo.query.graph import overlaps
from wordgeo.stability.intervals import frequency_bands, jackknife, word_bootstrap
from wordgeo.stability.lists import chance
from wordgeo.stability.spaces import space_distances

WORDS = [f"w{i}" for i in range(120)]


def space(seed, near=None, noise=0.4, dim=8, words=WORDS, counts=True):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(len(words), dim))
    if near is not None:
        vectors = near.vectors + noise * vectors
    return wg.from_arrays(words, vectors.astype(np.float32), range(len(words) * 3, 0, -3) if counts else None)


@pytest.fixture(scope="module")
def models():
    first = space(0)
    return [first, *(space(i, near=first) for i in range(1, 5))]


def lists_of(model, k):
    """Neighbours by sorting float64 cosines."""
    unit = model.vectors.astype(float) / np.linalg.norm(model.vectors.astype(float), axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -2)
    return np.argsort(-cosine, axis=1, kind="stable")[:, :k], cosine


def rbo_ext(a, b, p):
    """Equation 32 of Webber, Moffat & Zobel (2010) for lists of one length, term by term."""
    k = len(a)
    common = [len(set(a[:d]) & set(b[:d])) for d in range(1, k + 1)]
    return common[-1] / k * p**k + (1 - p) / p * sum(x / d * p**d for d, x in enumerate(common, 1))


def test_every_measure_of_every_word_is_the_direct_computation(models):
    k, p = 7, 0.8
    report = wg.stability(models, k=k, p=p)
    lists, cosines = zip(*(lists_of(model, k) for model in models), strict=True)
    pairs = list(itertools.combinations(range(5), 2))
    for w in range(len(WORDS)):
        sets = [set(each[w].tolist()) for each in lists]
        overlap = [len(sets[i] & sets[j]) / k for i, j in pairs]
        assert report.words.overlap[w] == pytest.approx(np.mean(overlap), rel=1e-12)
        jaccard = [len(sets[i] & sets[j]) / len(sets[i] | sets[j]) for i, j in pairs]
        assert report.words.jaccard[w] == pytest.approx(np.mean(jaccard), rel=1e-12)
        rbo = [rbo_ext(lists[i][w].tolist(), lists[j][w].tolist(), p) for i, j in pairs]
        assert report.words.rbo[w] == pytest.approx(np.mean(rbo), rel=1e-12)
        second = []
        for i, j in pairs:
            union = sorted(sets[i] | sets[j])
            a, b = cosines[i][w, union], cosines[j][w, union]
            second.append(a @ b / np.sqrt(a @ a * (b @ b)))
        assert report.words.second_order[w] == pytest.approx(np.mean(second), abs=1e-6)
        assert report.words.joint_overlap[w] == pytest.approx(len(set.intersection(*sets)) / k)
        assert report.words.joint_jaccard[w] == pytest.approx(len(set.intersection(*sets)) / len(set.union(*sets)))
    assert report.overlap.value == pytest.approx(report.words.overlap.mean())
    for band in report.bands:
        mine = np.array(report.words.band) == band.name
        assert band.words == mine.sum()
        for estimate in band.estimates:
            assert estimate.value == pytest.approx(getattr(report.words, estimate.name)[mine].mean())
    for a, b, value in report.pairs:
        assert value == pytest.approx(
            np.mean([len(set(x) & set(y)) / k for x, y in zip(lists[a], lists[b], strict=True)])
        )
    for point in report.curve:
        assert point.overlap == pytest.approx(
            np.mean([len(set(x[w][: point.k]) & set(y[w][: point.k])) / point.k
                     for x, y in itertools.combinations(lists, 2) for w in range(len(WORDS))])
        )  # fmt: skip


@pytest.mark.parametrize("k", [3, 10])
def test_what_is_known_of_models_before_changes_nothing(k, monkeypatch):
    words = [f"w{i}" for i in range(700)]
    base = space(1, words=words)
    models = [space(seed, base, words=words) for seed in range(2, 7)]
    models[2] = wg.from_arrays(words[::-1], models[2].vectors[::-1].copy())
    found = []
    for guesses in (0, 1, 3, 9):
        monkeypatch.setattr("wordgeo.stability.lists.GUESSES", guesses)
        report = wg.stability(models, k=k, ranks=(1, 600), curve=[12], spaces=False)
        found.append((report.overall, report.words.second_order.tobytes()))
    assert found == found[:1] * 4


def test_rbo_of_published_examples():
    """What the paper and the authors of the Python package rbo give: agreement depth by depth, identity 1, disjoint 0.

    Table 1 of Webber, Moffat & Zobel (2010) has the lists a b c d e f g and z c a v w x y, whose agreement at depths 1
    to 7 is 0, 0, 0.667, 0.5, 0.4, 0.333 and 0.286, and its averages 0, 0, 0.222, 0.292, 0.313, 0.317 and 0.312.

    With S = abcdefg... and T = the first two swapped, agreement is 0, 1, 1, ...: at p = 0.9 and depth 10 the sum
    (1 - p) Σ p^(d-1) A_d is 0.1 (0.9 + ... + 0.9⁹), and the extrapolated rest is p^10.
    """
    same = np.arange(10)[None, :]
    swapped = np.array([[1, 0, *range(2, 10)]])
    assert overlaps([same, same], p=0.9).rbo[0, 0] == 1
    assert overlaps([same, same + 10], p=0.9).rbo[0, 0] == 0
    by_hand = 0.1 * sum(0.9**d for d in range(1, 10)) + 0.9**10
    assert overlaps([same, swapped], p=0.9).rbo[0, 0] == pytest.approx(by_hand) == pytest.approx(0.9)
    first, second = (np.array([[ord(letter) for letter in text]]) for text in ("abcdefg", "zcavwxy"))
    agreement = [overlaps([first[:, :d], second[:, :d]]).overlap[0, 0] for d in range(1, 8)]
    assert np.round(agreement, 3).tolist() == [0, 0, 0.667, 0.5, 0.4, 0.333, 0.286]
    averages = [np.mean(agreement[:d]) for d in range(1, 8)]
    assert np.round(averages, 3).tolist() == [0, 0, 0.222, 0.292, 0.313, 0.317, 0.312]
    for p in (0.5, 0.9, 0.99):
        printed = np.array([0, 0, 0.667, 0.5, 0.4, 0.333, 0.286])
        extrapolated = printed[-1] * p**7 + (1 - p) * (p ** np.arange(7) @ printed)
        assert overlaps([first, second], p=p).rbo[0, 0] == pytest.approx(extrapolated, abs=5e-4)


@pytest.mark.parametrize("k", [1, 10])
def test_identical_models_are_exactly_stable(models, k):
    report = wg.stability([models[0]] * 3, k=k)
    assert [estimate.value for estimate in report.overall] == [1.0] * 6
    assert (report.words.second_order == 1).all()
    assert all(s.eigenspace == s.pip == 0 and s.knn == 1 for s in report.spaces)
    assert "10.0 are the same" in report.verdict or k == 1
    assert "are they the same?" in repr(report)
    assert "depends on frequency" not in report.verdict
    draw = np.random.default_rng(2).normal(size=(3000, 50)).astype(np.float32)
    twins = [wg.from_arrays([f"w{i}" for i in range(3000)], draw.copy()) for _ in range(2)]
    found = space_distances(twins, [np.arange(3000)] * 2)
    assert (found.eigenspace[0], found.pip[0], found.pip_relative[0]) == (0, 0, 0)


def test_random_models_agree_by_chance_alone():
    """Means over 30 pairs of unrelated spaces lie within 4 standard errors of the exact expectation."""
    k, words = 10, [f"w{i}" for i in range(100)]
    expected = chance(100, k, 2)
    found = {name: [] for name in expected}
    for seed in range(30):
        report = wg.stability([space(2 * seed + 100 + i, dim=30, words=words) for i in (0, 1)], k=k, spaces=False)
        for name in found:
            found[name].append(getattr(report, name).value)
        assert report.overlap.chance == k / 99
    for name, values in found.items():
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        slack = 0.0 if name != "joint_jaccard" else 0.01  # a ratio of expectations, not the expectation of a ratio
        assert abs(np.mean(values) - expected[name]) < 4 * error + slack, name


def test_chance_is_the_expectation_over_random_lists():
    draw = np.random.default_rng(5)
    lists = [np.array([draw.choice(40, size=6, replace=False) for _ in range(20_000)]) for _ in range(3)]
    found, expected = overlaps(lists, p=0.7), chance(41, 6, 3, 0.7)
    for name in ("overlap", "jaccard", "rbo"):
        assert getattr(found, name).mean() == pytest.approx(expected[name], rel=0.02)
    assert found.joint_overlap.mean() == pytest.approx(expected["joint_overlap"], rel=0.05)


def test_models_with_other_words_and_dimensions(models):
    draw = np.random.default_rng(3)
    order = draw.permutation(120)
    other = wg.from_arrays([WORDS[i] for i in order if i % 5] + ["new"], np.vstack([
        [models[1].vectors[i] for i in order if i % 5], np.ones((1, 8))]))  # fmt: skip
    wide = wg.from_arrays(WORDS, np.hstack([models[2].vectors, np.zeros((120, 3), np.float32)]))
    report = wg.stability([models[0], other, wide], k=5, words=["w1", "w2", "w5", "nothing"])
    kept = [word for i, word in enumerate(WORDS) if i % 5]
    same = wg.stability(
        [wg.from_arrays(kept, model.vectors[[WORDS.index(w) for w in kept]]) for model in models[:3]], k=5,
        words=["w1", "w2"],
    )  # fmt: skip
    assert report.missing == ("w5", "nothing")
    assert report.words.words == ("w1", "w2")
    np.testing.assert_allclose(report.words.overlap, same.words.overlap)
    np.testing.assert_allclose(report.words.second_order, same.words.second_order)
    assert report.shared == 96
    assert report.shares == (96 / 120, 96 / 97, 96 / 120)
    assert any("dimensions: 8, 11" in note for note in report.tables()[0].notes)
    text = repr(report)
    assert "2 words are not in all models: w5, nothing" in text


def test_many_words_in_blocks_and_by_the_graph(monkeypatch):
    words = [f"w{i}" for i in range(700)]
    models = [space(i, words=words) for i in (1, 2)]
    models.append(space(3, near=models[0], words=words))
    whole = wg.stability(models, k=4)  # 700 words: the graph
    some = wg.stability(models, k=4, words=words[100:300])  # asked one by one
    np.testing.assert_array_equal(whole.words.overlap[100:300], some.words.overlap)
    monkeypatch.setattr("wordgeo.stability.lists.WORDS_A_BLOCK", 64)
    monkeypatch.setattr("wordgeo.stability.lists.SECOND_ORDER_WORDS", 24)
    for threads in (1, 2):
        assert wg.stability(models, k=4, threads=threads).to_dict() == whole.to_dict()
    assert wg.stability(models, k=4, ranks=(101, 300)).words.words == some.words.words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": 120}, "the models share 120 words"),
        ({"curve": [500]}, "a k of the curve is 500"),
        ({"p": 1.0}, "p is 1.0"),
        ({"words": ["no"]}, "none of the 1 words"),
        ({"words": []}, "words is empty"),
        ({"words": ["w1"], "ranks": (1, 2)}, "give one of them"),
        ({"ranks": (5, 2)}, "ranks are 5 to 2"),
        ({"ranks": (500, 600)}, "ranks are 500 to 600"),
        ({"level": 2}, "level is 2"),
    ],
)
def test_bad_options(models, options, message):
    with pytest.raises(OptionError, match=message):
        wg.stability(models, **options)


def test_models_without_common_words(models):
    other = wg.from_arrays([f"x{i}" for i in range(20)], np.ones((20, 8)))
    with pytest.raises(OptionError, match="the models share 0 words; give models of the same language"):
        wg.stability([models[0], other])


def test_one_model_has_nothing_to_agree_with(models):
    with pytest.raises(OptionError, match="two or more"):
        wg.stability(models[:1])


def test_distances_of_spaces_are_the_definitions(models):
    """The traces and norms as the papers write them, with matrices of words × words."""
    a, b = models[0], space(9, dim=5)
    found = space_distances([a, b], [np.arange(120)] * 2)
    x, y = a.vectors.astype(float), b.vectors.astype(float)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    v, t, _ = np.linalg.svd(y, full_matrices=False)
    sigma = (u * s**6) @ u.T + (v * t**6) @ v.T
    trace = np.trace((u @ u.T + v @ v.T - 2 * v @ v.T @ u @ u.T) @ sigma) / np.trace(sigma)
    assert found.eigenspace[0] == pytest.approx(trace, rel=1e-9)
    pip = np.linalg.norm(x @ x.T - y @ y.T)
    assert found.pip[0] == pytest.approx(pip, rel=1e-9)
    assert found.pip_relative[0] == pytest.approx(pip / np.hypot(np.linalg.norm(x @ x.T), np.linalg.norm(y @ y.T)))
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))
    turned = wg.from_arrays(WORDS, x @ turn)
    same = space_distances([a, turned], [np.arange(120)] * 2)
    assert same.eigenspace[0] < 1e-6
    assert same.pip_relative[0] < 1e-3


def test_whole_spaces_have_means_with_intervals(models):
    report = wg.stability(models, k=3)
    assert [estimate.name for estimate in report.whole] == ["eigenspace", "knn", "pip", "pip_relative"]
    five = wg.stability(models, k=5)
    assert [each.knn for each in report.spaces] == pytest.approx([x for _, _, x in five.pairs])  # of 5, whatever k is
    for estimate in report.whole:
        values = {(each.first, each.second): getattr(each, estimate.name) for each in report.spaces}
        assert estimate.value == pytest.approx(np.mean(list(values.values())))
        without = [np.mean([x for pair, x in values.items() if m not in pair]) for m in range(5)]
        half = stats.t.ppf(0.975, 4) * np.sqrt(4 / 5 * np.sum((without - np.mean(without)) ** 2))
        assert (estimate.low, estimate.high) == pytest.approx((estimate.value - half, estimate.value + half))
    assert report.whole[1].chance == 5 / 119
    assert wg.stability(models[:4], k=3).whole[0].low is None
    assert wg.stability(models, k=3, spaces=False).whole == ()


def test_jackknife_is_leaving_out_one_by_one():
    draw = np.random.default_rng(1)
    values = np.triu(draw.random((6, 6)), 1)
    values += values.T
    without = [np.delete(np.delete(values, m, 0), m, 1)[np.triu_indices(5, 1)].mean() for m in range(6)]
    spread = 5 / 6 * np.sum((without - np.mean(without)) ** 2)
    low, high = jackknife(values.sum() / 2, values.sum(axis=1))
    half = stats.t.ppf(0.975, 5) * np.sqrt(spread)
    assert (high - low) / 2 == pytest.approx(half)
    assert (high + low) / 2 == pytest.approx(values[np.triu_indices(6, 1)].mean())
    assert jackknife(np.float64(1), np.ones(4)) is None


@pytest.mark.parametrize("models", [5, 10])
def test_jackknife_covers_the_mean_over_all_models(models):
    """Of 2,000 ensembles drawn from a population of models whose agreement varies, 93 % to 99.5 % cover its mean.

    The overlap of two models is 0.6 + a_i + a_j plus noise of the pair: models that are noisier than others agree less
    with all. The jackknife errs on the safe side (Efron & Stein 1981), the more so the less models differ.
    """
    draw = np.random.default_rng(models)
    first, second = np.triu_indices(models, 1)
    hits = 0
    for _ in range(2000):
        own = draw.normal(0, 0.02, size=models)
        pairs = 0.6 + own[first] + own[second] + draw.normal(0, 0.01, size=len(first))
        of_model = np.array([pairs[(first == m) | (second == m)].sum() for m in range(models)])
        low, high = jackknife(pairs.sum(), of_model)
        hits += low <= 0.6 <= high
    assert 0.93 <= hits / 2000 <= 0.995


def test_bootstrap_over_words_covers_their_mean():
    draw = np.random.default_rng(2)
    hits = 0
    for i in range(100):
        low, high = word_bootstrap(draw.beta(2, 1, size=(200, 1)), seed=i)
        hits += low[0] <= 2 / 3 <= high[0]
    assert 86 <= hits <= 100  # 95 ± 4 standard errors
    assert word_bootstrap(np.ones((1, 1))) is None


@pytest.mark.parametrize("words", [2, 7, 1000])
def test_words_are_drawn_by_the_halves_of_numbers(words):
    numbers = np.random.PCG64(words).random_raw((40, (words + 1) // 2))
    counts = np.full((40, words), np.nan)
    _lists.count_draws(numbers, counts)
    halves = np.stack([numbers & 0xFFFFFFFF, numbers >> 32], axis=2).reshape(40, -1)[:, :words]
    drawn = (halves * np.uint64(words) >> np.uint64(32)).astype(np.int64)
    assert counts.tolist() == [np.bincount(each, minlength=words).tolist() for each in drawn]
    assert stats.chisquare(counts.sum(axis=0)).pvalue > 1e-4


def test_bands():
    bands = frequency_bands(np.array([500, 40, 29, 3, 2, 1], dtype=np.uint64), np.arange(6))
    assert bands.names == ("1–2", "3–9", "10–29", "30–99", "300+")
    assert bands.of.tolist() == [4, 3, 2, 1, 0, 0]
    ranks = frequency_bands(None, np.array([0, 5, 11]))
    assert (ranks.by, ranks.names, ranks.of.tolist()) == ("rank", ("10+", "3–9", "1–2"), [2, 1, 0])


def test_intervals_need_five_models(models):
    few, many = wg.stability(models[:4], k=5), wg.stability(models, k=5)
    assert few.overlap.low is None
    assert few.words.low is None
    assert few.needed is None
    assert "4 are too few, 5 are needed" in repr(few)
    assert many.overlap.low < many.overlap.value < many.overlap.high
    assert many.joint_overlap.low is None
    assert (many.words.low <= many.words.overlap).all()
    assert "interval over models" in many.verdict
    halves = dict(zip(many.needed.runs, many.needed.overall, strict=True))
    assert halves[5] == pytest.approx((many.overlap.high - many.overlap.low) / 2)
    assert list(many.needed.overall) == sorted(many.needed.overall, reverse=True)
    assert few.overlap.word_low < few.overlap.value < few.overlap.word_high


def test_the_report_as_json_and_table(models):
    report = wg.stability(models, k=5)
    found = report.to_dict()
    assert found["verdict"] == report.verdict
    assert len(found["words"]["overlap"]) == 120
    (table,) = report.words.tables()
    assert table.columns[:4] == ("word", "rank", "count", "overlap")
    with pytest.raises(AttributeError):
        report.nothing  # noqa: B018
