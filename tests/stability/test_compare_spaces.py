"""Alignment, translation and shape against brute force; change against a null: uniform p, no false calls, power."""

import itertools

import numpy as np
import pytest
from scipy import stats

import wordgeo as wg
from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.stability import compare_spaces, isometry, read_dictionary
from wordgeo.stability.alignment import procrustes
from wordgeo.stability.change import PairValues, benjamini_hochberg, change_of, joined_bands, judge, null_p_values
from wordgeo.stability.shape import bottleneck
from wordgeo.vocabulary import Vocabulary

SIZE, DIM = 400, 12
WORDS = [f"w{i}" for i in range(SIZE)]
COUNTS = (50_000 / np.arange(1, SIZE + 1)).astype(int) + 5


def turn(draw, dim=DIM):
    return np.linalg.qr(draw.normal(size=(dim, dim)))[0]


@pytest.fixture(scope="module")
def base():
    return np.random.default_rng(0).normal(size=(SIZE, DIM))


def pair(base, seed, changed=(), share=1.0):
    """Two spaces of the same words, turned and noisy, rare words more so; `changed` move a `share` of the way."""
    draw = np.random.default_rng(seed)
    spaces = []
    noise = 2 / np.log(COUNTS)[:, None]
    level = 1 + 0.1 * draw.normal()  # some pairs are noisier than others as a whole
    for side in (0, 1):
        vectors = base.copy()
        if side and len(changed):
            vectors[changed] = (1 - share) * base[changed] + share * base[np.roll(changed, 1)]
        vectors = vectors + level * noise * draw.normal(size=vectors.shape)
        spaces.append(wg.from_arrays(WORDS, vectors @ turn(draw), COUNTS))
    return spaces


def test_a_rotation_is_found_again(base):
    draw = np.random.default_rng(1)
    rotation = turn(draw)
    a, b = wg.from_arrays(WORDS, base), wg.from_arrays(WORDS, base @ rotation)
    found = wg.align(a, b, center=False)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-5)
    assert found.residual < 1e-5
    assert found.cosine == pytest.approx(1, abs=1e-6)
    assert found.anchors == SIZE
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(DIM), atol=1e-12)
    moved = wg.from_arrays(WORDS, (base / np.linalg.norm(base, axis=1, keepdims=True)) @ rotation)
    assert wg.align(a, moved, anchors="frequent").residual < 1e-5


def test_procrustes_is_scipys(base):
    from scipy.linalg import orthogonal_procrustes

    other = np.random.default_rng(2).normal(size=base.shape)
    np.testing.assert_allclose(procrustes(base, other), orthogonal_procrustes(base, other)[0], atol=1e-12)


def test_centring_takes_the_mean_away(base):
    a = wg.from_arrays(WORDS, base)
    b = wg.from_arrays(WORDS, base / np.linalg.norm(base, axis=1, keepdims=True) + 3)
    found = wg.align(a, b)
    for space in (found.source, found.target):
        np.testing.assert_allclose(np.linalg.norm(space.vectors, axis=1), 1, rtol=1e-5)
    assert found.centred
    assert abs(found.source.vectors.mean(axis=0)).max() < 0.1


def languages(base, noise=0.3):
    """Two "languages": the same meanings in other words, order and axes."""
    draw = np.random.default_rng(4)
    french = [f"f{i}" for i in range(SIZE)]
    order = draw.permutation(SIZE)
    turned = (base + noise * draw.normal(size=base.shape)) @ turn(draw)
    return wg.from_arrays(WORDS, base), wg.from_arrays([french[i] for i in order], turned[order]), french


def test_csls_is_the_definition(base):
    a, b, french = languages(base)
    found = wg.align(a, b, anchors=list(zip(WORDS[:100], french[:100], strict=True)))
    x, y = found.source.vectors.astype(float), found.target.vectors.astype(float)
    cosine = x @ y.T
    reach_x = np.sort(cosine, axis=1)[:, -10:].mean(axis=1)
    reach_y = np.sort(cosine, axis=0)[-10:].mean(axis=0)
    score = 2 * cosine - reach_x[:, None] - reach_y
    for word in ("w3", "w200"):
        i = WORDS.index(word)
        (answer,) = found.translate([word], k=5)
        best = np.argsort(-score[i], kind="stable")[:5]
        assert answer.indices.tolist() == best.tolist()
        np.testing.assert_allclose(answer.scores, score[i, best], atol=1e-5)
    (plain,) = found.translate(["w3"], k=3, method="cosine")
    assert plain.indices.tolist() == np.argsort(-cosine[3], kind="stable")[:3].tolist()


def test_precision_of_a_dictionary(base):
    a, b, french = languages(base)
    train = list(zip(WORDS[:60], french[:60], strict=True))
    found = wg.align(a, b, anchors=train)
    test = [*zip(WORDS[60:], french[60:], strict=True), ("w61", "other"), ("unknown", "f3"), ("w5", "unknown")]
    report = found.precision(test)
    assert (report.words, report.asked) == (342, 340)
    right = [french[int(w[1:])] in found.translate([w], k=k)[0].words for k in (1, 5, 10) for w in WORDS[60:]]
    assert report.precision == pytest.approx(np.reshape(right, (3, -1)).mean(axis=1))
    assert report.precision[0] > 0.5
    assert report.precision[0] <= report.precision[1] <= report.precision[2]
    assert all(low < x < high or x == 1 for low, x, high in zip(report.low, report.precision, report.high, strict=True))
    with pytest.raises(OptionError, match="no pair of the dictionary"):
        found.precision([("no", "non")])


def test_refinement_repairs_a_small_dictionary(base):
    a, b, french = languages(base, noise=0.5)
    pairs = list(zip(WORDS[:14], french[:14], strict=True))
    test = list(zip(WORDS[100:], french[100:], strict=True))
    before = wg.align(a, b, anchors=pairs).precision(test).precision[0]
    after = wg.align(a, b, anchors=pairs, refine=5)
    assert after.rounds == 6
    assert after.precision(test).precision[0] > before


def test_bad_alignments(base):
    a = wg.from_arrays(WORDS, base)
    with pytest.raises(OptionError, match="12 and 5 dimensions"):
        wg.align(a, wg.from_arrays(WORDS, base[:, :5]))
    with pytest.raises(OptionError, match="0 words are in both"):
        wg.align(a, wg.from_arrays([f"x{i}" for i in range(SIZE)], base))
    with pytest.raises(OptionError, match="anchors is 'some'"):
        wg.align(a, a, anchors="some")


def test_dictionaries_are_read(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("cat\tchat\ndog chien\n\nnew york\tnew_york\n")
    assert read_dictionary(path) == [("cat", "chat"), ("dog", "chien"), ("new york", "new_york")]
    for text, error in (("cat\n", "line 1: 1 words"), ("a b\nc d e\n", "line 2: 3 words"), ("\n", "no pair")):
        path.write_text(text)
        with pytest.raises(FormatError, match=error):
            read_dictionary(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="UTF-8"):
        read_dictionary(path)
    with pytest.raises(NotFoundError):
        read_dictionary(tmp_path / "none")


def slow_bottleneck(first, second):
    """The least of the largest costs over all matchings, points of either side also to the diagonal."""
    n, m = len(first), len(second)
    best = np.inf
    for size in range(min(n, m) + 1):
        for mine in itertools.combinations(range(n), size):
            for others in itertools.permutations(range(m), size):
                costs = [abs(first[i] - second[j]) for i, j in zip(mine, others, strict=True)]
                costs += [first[i] / 2 for i in range(n) if i not in mine]
                costs += [second[j] / 2 for j in range(m) if j not in others]
                best = min(best, max(costs, default=0))
    return best


def test_bottleneck_distance_is_the_best_of_all_matchings():
    draw = np.random.default_rng(6)
    for _ in range(60):
        first, second = (np.sort(draw.random(draw.integers(1, 5)) * draw.choice([0.3, 1, 3])) for _ in range(2))
        assert bottleneck(first, second) == pytest.approx(slow_bottleneck(first, second), abs=1e-12)


def test_shapes(base):
    draw = np.random.default_rng(7)
    a, same = wg.from_arrays(WORDS, base), wg.from_arrays(WORDS, base @ turn(draw))
    rows = np.arange(SIZE)
    found = isometry(wg.align(a, same), rows, rows)
    assert found.residual < 1e-5
    assert found.relational == pytest.approx(1, abs=1e-6)
    assert found.eigenvector == pytest.approx(0, abs=1e-6)
    assert found.bottleneck == pytest.approx(0, abs=1e-5)
    noisy, other = (
        wg.from_arrays(WORDS, x) for x in (base + draw.normal(size=base.shape), draw.normal(size=base.shape))
    )
    near, far = (isometry(wg.align(a, each), rows, rows) for each in (noisy, other))
    assert 0 < near.residual < far.residual
    assert 0.9 > near.relational > 0.1 > abs(far.relational)
    with pytest.raises(OptionError, match="no shape"):
        isometry(wg.align(a, same), rows[:2], rows[:2])


def test_benjamini_hochberg_is_scipys():
    p = np.random.default_rng(8).random(200) ** 2
    np.testing.assert_allclose(benjamini_hochberg(p), stats.false_discovery_control(p))


def test_p_values_are_the_count_of_the_null_in_the_band():
    """The definition word by word: less the level of the band over its spread, then less the word's own mean in the
    other pairs over its deviation there, counted among those of all null pairs."""
    draw = np.random.default_rng(5)
    bands = np.repeat([0, 1], [12, 8])
    pairs = [draw.normal(size=20) * np.repeat([1, 3], [12, 8]) for _ in range(6)]
    missing = {(2, 3), (4, 15)}  # word 3 is not in pair 2
    standard = []
    for i, values in enumerate(pairs):
        known = [w for w in range(20) if (i, w) not in missing]
        found = {}
        for band in (0, 1):
            mine = [w for w in known if bands[w] == band]
            level, ends = stats.trim_mean(values[mine], 0.25), np.quantile(values[mine], [0.1, 0.9])
            found.update({w: (values[w] - level) / (ends[1] - ends[0]) for w in mine})
        standard.append(found)
    rest = {}  # of each pair and word: mean in the other pairs, sum of squares about it, degrees of freedom
    for i in range(6):
        for w in range(20):
            others = [each[w] for j, each in enumerate(standard) if j != i and w in each]
            rest[i, w] = np.mean(others), np.var(others) * len(others), len(others) - 1
    t = {}
    for i, found in enumerate(standard):
        for w in found:
            usual = np.median([rest[i, v][1] / rest[i, v][2] for v in range(20) if bands[v] == bands[w]])
            mean, squares, degrees = rest[i, w]
            deviation = np.sqrt((4 * usual + squares) / (4 + degrees) * (1 + 1 / (degrees + 1)))
            t[i, w] = (found[w] - mean) / deviation
    null = []
    for i in range(1, 6):
        known = [w for w in range(20) if (i, w) not in missing]
        rows = np.array([known.index(w) if w in known else -1 for w in range(20)])
        null.append(PairValues(pairs[i][known], bands[known], rows))
    found = null_p_values(pairs[0], bands, null)
    for w in range(20):
        pooled = [t[i, v] for i in range(1, 6) for v in range(20) if (i, v) in t and bands[v] == bands[w]]
        assert found.p[w] == (1 + sum(x >= t[0, w] for x in pooled)) / (1 + len(pooled))
    np.testing.assert_allclose(found.q, benjamini_hochberg(found.p))
    assert found.shift == pairs[0].mean()
    assert found.shift_p == (1 + sum(pair.values.mean() >= found.shift for pair in null)) / 6
    mine = pairs[0][:12]
    ends = np.quantile(mine, [0.1, 0.9])
    expected = stats.trim_mean(mine, 0.25) + (ends[1] - ends[0]) * np.mean([each[0] for each in standard[1:]])
    assert found.effect[0] == pytest.approx(mine[0] - expected)


def test_a_single_null_pair_and_words_that_it_lacks():
    real, bands = np.array([0.5, 0.1, 0.3]), np.zeros(3, dtype=np.int64)
    found = null_p_values(real, bands, [PairValues(np.array([0.1, 0.9]), bands[:2], np.array([0, 1, -1]))])
    assert ((found.p > 0) & (found.p <= 1)).all()
    assert np.isfinite(found.effect).all()


def test_a_word_that_changes_with_every_split_is_not_called(base):
    """A name of one novel moves whenever documents are split anew: its own null says so, that of its band would not."""

    def moving(seed, changed):
        return change_of(*pair(base, seed, np.array(changed)), neighbors=20)

    names = list(range(200, 220))
    null = [moving(5000 + i, names) for i in range(20)]
    p = judge(moving(1, [*names, 300, 301]), null).tests["cosine"].p
    assert np.median(p[names]) > 0.1
    assert p[[300, 301]].max() < 0.001


def test_bands_always_have_a_null():
    real = Vocabulary.from_words([f"a{i}" for i in range(700)], np.arange(7000, 0, -10))
    null = Vocabulary.from_words([f"b{i}" for i in range(200)], np.arange(2900, 2700, -1))
    bands, (of_null,) = joined_bands(real, [null])
    assert set(bands.of.tolist()) <= set(of_null.tolist())
    bands, (same, _) = joined_bands(real, [real, null])
    assert (same == bands.of).all()
    assert np.bincount(bands.of).tolist() == [175] * 4
    assert bands.names[0] == "10–1750"


@pytest.fixture(scope="module")
def null(base):
    return [change_of(*pair(base, 1000 + i), neighbors=20) for i in range(20)]


def test_where_nothing_changed_p_is_uniform_and_no_word_is_called(base, null):
    """Of 60 trials with nulls of their own kind: p pass Kolmogorov–Smirnov, and 95 % call no word changed.

    One p a trial and measure (of a word by chance), since the words of one pair depend on each other.
    """
    draw = np.random.default_rng(3)
    calls, p = 0, {"cosine": [], "overlap": []}
    for trial in range(60):
        found = judge(change_of(*pair(base, trial), neighbors=20), null)
        calls += bool((found.tests["cosine"].q <= 0.05).any())
        word = draw.integers(SIZE)
        for name, test in found.tests.items():
            p[name].append(test.p[word])
    assert stats.kstest(p["cosine"], "uniform").pvalue > 0.01
    assert stats.kstest(p["overlap"], "uniform").pvalue > 0.01
    assert calls <= 8  # the 99th percentile of a binomial with 60 trials of 5 %


def test_planted_change_is_found_and_grows_with_effect(base, null):
    changed = np.arange(5, SIZE, 20)
    power = []
    for share in (0.3, 0.6, 1.0):
        found = judge(change_of(*pair(base, 77, changed, share), neighbors=20), null)
        called = set(np.flatnonzero(found.tests["cosine"].q <= 0.05).tolist())
        power.append(len(called & set(changed.tolist())) / len(changed))
        assert len(called - set(changed.tolist())) <= 3
    assert power[0] < power[1] <= power[2]
    assert power[2] >= 0.8


def test_the_report_on_change(base):
    changed = np.arange(5, SIZE, 20)
    pairs = [tuple(pair(base, 1000 + i)) for i in range(20)]
    report = compare_spaces(*pair(base, 77, changed), null=pairs, neighbors=20)
    assert report.verdict.startswith(f"{len(report.changed)} of {SIZE} words changed")
    assert {WORDS.index(word) for word in report.changed[:10]} <= set(changed.tolist())
    most = WORDS.index(report.changed[0])
    assert len(report.words.came[most]) >= 5
    assert report.comparisons == SIZE
    assert report.shifts[0].p == 1 / 21
    assert "false discovery rate 5%" in repr(report)
    few = compare_spaces(*pair(base, 77), null=pairs[:2], neighbors=20)
    assert "2 re-splits are few" in few.verdict


def test_without_a_null_nothing_is_called(base):
    a, b = pair(base, 1)
    report = compare_spaces(a, b, neighbors=10)
    assert report.changed == ()
    assert report.words.q is None
    assert "No word can be called changed" in report.verdict
    assert "Not even the variation" in report.verdict
    assert report.to_dict()["comparisons"] == 0


def test_ensembles_show_the_variation_within(base):
    draw = np.random.default_rng(9)

    def runs(vectors):
        noisy = (vectors + 0.2 * draw.normal(size=base.shape) for _ in range(3))
        return wg.Ensemble([wg.from_arrays(WORDS, each @ turn(draw), COUNTS) for each in noisy])

    after = base.copy()
    after[3] = -base[3]
    report = compare_spaces(runs(base), runs(after), neighbors=10)
    assert report.runs == (3, 3)
    assert "runs of the same side" in report.verdict
    beyond = report.words.cosine - report.words.cosine_within
    assert np.argmax(beyond) == report.words.words.index("w3")
    assert report.words.ordered()[0] == report.words.words.index("w3")
    assert report.words.cosine_within.mean() == pytest.approx(np.delete(report.words.cosine, 3).mean(), rel=0.2)
    with pytest.raises(OptionError, match="one model a side"):
        compare_spaces(runs(base), runs(after), null=[pair(base, 1)], neighbors=10)


def test_words_below_a_count_are_left_out(base):
    a, b = pair(base, 1)
    report = compare_spaces(a, b, neighbors=10, min_count=1000)
    assert report.shared == int((COUNTS >= 1000).sum())
    assert len(report.words.came) == report.shared
    whole = compare_spaces(a, b, neighbors=10)
    np.testing.assert_array_equal(report.words.overlap, whole.words.overlap[: report.shared])
    with pytest.raises(OptionError, match="no shared word occurs"):
        compare_spaces(a, b, neighbors=10, min_count=10**9)
    with pytest.raises(OptionError, match="with counts"):
        compare_spaces(wg.from_arrays(WORDS, base), b, neighbors=10, min_count=5)
    with pytest.raises(OptionError, match="share 400 words"):
        compare_spaces(a, b, neighbors=400)
