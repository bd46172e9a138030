"""The compiled engine against its NumPy twin and against an oracle that knows neither."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgeo import _fast, reference
from wordgeo.errors import OptionError
from wordgeo.query import WordVectors, screens, search
from wordgeo.query.analogies import COSMUL_EPSILON, METHODS, analogies
from wordgeo.vocabulary import Vocabulary


@pytest.fixture(params=_fast.instruction_sets())
def instruction_set(request):
    """Runs a test on every instruction set that the machine has."""
    before = _fast.instruction_set()
    assert _fast.use_instruction_set(request.param)
    yield request.param
    assert _fast.use_instruction_set(before)


def model_of(matrix):
    return WordVectors(Vocabulary.from_words([f"w{i}" for i in range(len(matrix))]), matrix)


KINDS = ("normal", "clustered", "near-duplicate", "tied", "zeros", "tiny", "huge", "mixed", "cancelling", "subnormal")


def matrix_of(kind, n, d, seed):
    """Float32 rows that are hard in one way each."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    if kind == "clustered":
        x = rng.standard_normal((3, d))[rng.integers(0, 3, n)] + 0.01 * x
    elif kind == "near-duplicate":
        x = x[:1] * (1 + 1e-7 * rng.standard_normal((n, d)))
    elif kind == "tied":
        x = x[rng.integers(0, max(1, n // 4), n)]
    elif kind == "zeros":
        x[rng.random(n) < 0.5] = 0
    elif kind == "tiny":
        x *= 1e-30
    elif kind == "huge":
        x *= 1e37
    elif kind == "mixed":
        x *= 10.0 ** rng.integers(-37, 37, (n, 1))
    elif kind == "cancelling":
        x[:, : d // 2] += 1e4
        x[:, d // 2 : 2 * (d // 2)] -= 1e4
    elif kind == "subnormal":
        x *= 1e-42
    return x.astype(np.float32)


cases = st.builds(
    matrix_of,
    st.sampled_from(KINDS),
    st.integers(1, 90),
    st.sampled_from([1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 50, 100, 257, 1025]),
    st.integers(0, 2**32 - 1),
)


def twin_top_k(model, queries, k, exclude):
    """The rule of scores, through the slow twin, without blocks."""
    norms = np.empty(len(queries))
    reference.norms(queries, norms)
    k = min(k, len(model))
    best = np.full((len(queries), k), np.nan, np.float32), np.full((len(queries), k), -1), np.zeros(len(queries), int)
    reference.scan(model.vectors, model.norms, 0, queries.astype(float), norms, exclude, *best, None)
    return best[1], best[0]


def same(found, wanted):
    np.testing.assert_array_equal(found[0], wanted[0])
    assert found[1].tobytes() == wanted[1].tobytes()


@given(matrix=cases, k=st.integers(1, 100), batch=st.integers(1, 12), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_top_k_is_the_twin_to_the_byte_on_every_instruction_set(matrix, k, batch, seed):
    model = model_of(matrix)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(matrix), batch)
    exclude = np.stack([rows, rng.integers(-1, len(matrix), batch)], axis=1)
    queries = matrix[rows]
    wanted = twin_top_k(model, queries, k, exclude)
    before = _fast.instruction_set()
    try:
        for name in _fast.instruction_sets():
            _fast.use_instruction_set(name)
            threads = int(rng.integers(1, 5))
            same(search.top_k(model, queries, k=k, exclude=exclude, threads=threads), wanted)
            alone = [search.top_k(model, queries[i : i + 1], k=k, exclude=exclude[i : i + 1]) for i in range(batch)]
            same([np.concatenate(part) for part in zip(*alone, strict=True)], wanted)
    finally:
        _fast.use_instruction_set(before)


@given(matrix=cases, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_top_k_agrees_with_plain_numpy_where_scores_differ(matrix, seed):
    """An oracle of another kind: NumPy's own product, without lanes, on float64."""
    model = model_of(matrix)
    query = matrix[seed % len(matrix)]
    wide = matrix.astype(np.longdouble)
    lengths = np.sqrt((wide * wide).sum(axis=1))
    product = lengths * np.sqrt((wide[seed % len(matrix)] ** 2).sum())
    cosines = np.where(
        product > 0, (wide * wide[seed % len(matrix)]).sum(axis=1) / np.where(product > 0, product, 1), 0
    )
    rows, scores = search.top_k(model, query[None, :], k=len(matrix))
    assert sorted(rows[0]) == list(range(len(matrix)))
    np.testing.assert_allclose(scores[0].astype(float), cosines[rows[0]].astype(float), rtol=1e-6, atol=1e-7)
    falls = np.diff(cosines[rows[0]].astype(float))
    assert (falls < 2e-7).all()


def twin_analogies(model, method, rows, k, gold, exclude):
    """Every row scored for every question by the slow twin."""
    n = len(rows)
    weights = np.tile([1.0, -1.0, 1.0], (n, 1))
    if method == "pairdirection":
        weights[:, 2] = 0.0
    queries, lengths, shifts = np.empty((n, model.dimensions), np.float32), np.empty(n), np.empty(n)
    reference.combine(model.vectors, model.norms, rows[:, [1, 0, 2]], weights, queries, np.empty(n), None)
    reference.norms(queries, lengths)
    reference.cosines(model.vectors, model.norms, rows[:, 2], queries, lengths, shifts)
    k = min(k, len(model))
    best = np.full((n, k), np.nan, np.float32), np.full((n, k), -1), np.zeros(n, int)
    ranks = np.zeros((n, 2), int)
    operands = rows.ravel()
    golden = np.full(n, np.nan, np.float32)

    def solve(gold_scores, found):
        reference.analogies(
            METHODS.index(method), model.vectors, model.norms, np.empty(0, int), 0, len(model),
            np.arange(3 * n, dtype=np.int32).reshape(n, 3), model.vectors[operands], model.norms[operands], None,
            queries, lengths, shifts, COSMUL_EPSILON, exclude, gold_scores, np.zeros((n, 2), int), None, *found,
        )  # fmt: skip

    full = np.full((n, len(model)), np.nan, np.float32), np.full((n, len(model)), -1), np.zeros(n, int)
    solve(golden, full)
    for q in range(n):
        place = np.flatnonzero(full[1][q] == gold[q])
        golden[q] = full[0][q, place[0]] if len(place) else np.nan
        ranks[q] = (full[0][q] > golden[q]).sum(), (full[0][q] >= golden[q]).sum()
    solve(golden, best)
    has = ~np.isnan(golden)
    return best[1], best[0], np.where(has, ranks[:, 0] + 1, 0), np.where(has, ranks[:, 1], 0)


@given(
    matrix=cases, k=st.integers(1, 12), n=st.integers(1, 30), seed=st.integers(0, 2**32 - 1),
    method=st.sampled_from(METHODS), exclude=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_analogies_and_ranks_are_the_twin_to_the_byte(matrix, k, n, seed, method, exclude):
    model = model_of(matrix)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(matrix), (n, 3))
    gold = rng.integers(-1, len(matrix), n)
    left_out = rows if exclude else np.full((n, 1), -1)
    wanted = twin_analogies(model, method, rows, k, gold, left_out)
    before = _fast.instruction_set()
    try:
        for name in _fast.instruction_sets():
            _fast.use_instruction_set(name)
            threads = int(rng.integers(1, 5))
            found = analogies(model, *rows.T, k=k, method=method, gold=gold, exclude=exclude, threads=threads)
            same((found.rows, found.scores), wanted)
            np.testing.assert_array_equal(found.rank_min, wanted[2])
            np.testing.assert_array_equal(found.rank_max, wanted[3])
            plain = analogies(model, *rows.T, k=k, method=method, exclude=exclude)
            same((plain.rows, plain.scores), wanted)
    finally:
        _fast.use_instruction_set(before)


@pytest.mark.parametrize("exclude", [True, False])
def test_rows_at_and_beside_c_in_several_tiles_are_the_twin_to_the_byte(exclude):
    """By PairDirection c, its copies and rows at a small distance from it are what sums of int16 cannot tell."""
    rng = np.random.default_rng(23)
    matrix = rng.standard_normal((1500, 20), dtype=np.float32)
    matrix[700] = matrix[3]  # a copy in another tile than its model
    matrix[5] = 2 * matrix[4]  # and in the same
    for i, step in enumerate(np.geomspace(1e-7, 0.4, 40)):
        matrix[100 + 30 * i] = matrix[6] + np.float32(step) * matrix[100 + 30 * i]
    matrix[1400] = 0
    matrix[8] = matrix[7] + np.float32(0.01) * matrix[8]  # b near to a
    model = model_of(matrix)
    rows = np.array([(1, 2, c) for c in (3, 4, 5, 6, 700, 1400, 9)] + [(7, 8, 3), (9, 9, 3), (10, 1400, 6), (6, 3, 10)])
    for golden in (11, 100, 580, 1270, 1400):
        gold = np.full(len(rows), golden)
        wanted = twin_analogies(model, "pairdirection", rows, 5, gold, rows if exclude else np.full((len(rows), 1), -1))
        before = _fast.instruction_set()
        try:
            for name in _fast.instruction_sets():
                _fast.use_instruction_set(name)
                found = analogies(model, *rows.T, k=5, method="pairdirection", gold=gold, exclude=exclude, threads=2)
                same((found.rows, found.scores), wanted[:2])
                np.testing.assert_array_equal(found.rank_min, wanted[2])
                np.testing.assert_array_equal(found.rank_max, wanted[3])
        finally:
            _fast.use_instruction_set(before)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_norms_and_combinations_are_the_twins(kind, instruction_set):
    for d in (1, 5, 16, 300, 1025):
        matrix = matrix_of(kind, 40, d, d)
        rng = np.random.default_rng(d)
        found, wanted = np.empty(40), np.empty(40)
        _fast.norms(matrix, found)
        reference.norms(matrix, wanted)
        assert found.tobytes() == wanted.tobytes()

        a, b = rng.integers(0, 40, (2, 60))
        scores, twins = np.empty(60, np.float32), np.empty(60, np.float32)
        _fast.pair_scores(matrix, wanted, a, b, scores)
        reference.pair_scores(matrix, wanted, a, b, twins)
        assert scores.tobytes() == twins.tobytes()

        every, twin = np.empty(40, np.float32), np.empty(40, np.float32)
        _fast.scores(matrix, wanted, matrix[3].astype(float), wanted[3], every, np.empty(40))
        reference.scores(matrix, wanted, matrix[3].astype(float), wanted[3], twin, None)
        assert every.tobytes() == twin.tobytes()

        rows, weights = rng.integers(-1, 40, (20, 4)), rng.standard_normal((20, 4))
        out, other = np.empty((20, d), np.float32), np.empty((20, d), np.float32)
        length, other_length = np.empty(20), np.empty(20)
        _fast.combine(matrix, wanted, rows, weights, out, length, np.empty(d))
        reference.combine(matrix, wanted, rows, weights, other, other_length, None)
        assert out.tobytes() == other.tobytes() and length.tobytes() == other_length.tobytes()


def test_batches_larger_than_a_block_equal_single_queries():
    matrix = matrix_of("normal", 3000, 24, 1)
    matrix[1500:1600] = matrix[:100]
    model = model_of(matrix)
    n = 2 * search.QUERIES_A_BLOCK + 7
    batch = search.top_k(model, matrix[:n], k=9, threads=3)
    alone = [search.top_k(model, matrix[i : i + 1], k=9, threads=4) for i in range(n)]
    same([np.concatenate(part) for part in zip(*alone, strict=True)], batch)


def screened(model, queries, k, slack=None):
    """The k best by the float32 screen, with its bound or another."""
    screen = screens.FloatScreen(model)
    screen.slack = screen.slack if slack is None else slack
    best = screens.Best(np.empty((len(queries), 0), np.int64), k)
    screen.visit(screens.Run(model, 0, len(model)), screens.Queries(queries), best)
    best.finish()
    return best.rows, best.scores


def test_the_bound_of_the_screen_is_needed_and_enough():
    """Cancelling sums: the float32 product errs by more than the gaps, and only the bound keeps the right rows."""
    wrong = 0
    for seed in range(20):
        matrix = matrix_of("normal", 1500, 300, seed) + np.float32(300) * (-1) ** np.arange(300, dtype=np.float32)
        model = model_of(matrix)
        wanted = twin_top_k(model, matrix[:8], 5, np.full((8, 1), -1))
        same(screened(model, matrix[:8], 5), wanted)
        wrong += (screened(model, matrix[:8], 5, slack=0.0)[0] != wanted[0]).sum()
    assert wrong > 0, "the case is too easy to tell a bound from none"


@pytest.mark.parametrize("d", [1, 16, 300, 1025])
def test_the_error_of_the_screen_is_below_the_bound(d):
    """Measured on rows made for it: all elements of one sign, alternating huge terms, rows along the query."""
    rng = np.random.default_rng(d)
    rows = [np.full(d, 1.0), 1 + 2.0**-23 * rng.integers(0, 4, d), rng.random(d), rng.standard_normal(d)]
    rows += [row * (-1.0) ** np.arange(d) for row in rows]
    rows += [row * 2.0 ** rng.integers(-12, 12, d) for row in rows]
    matrix = np.array(rows, np.float32)
    model = model_of(matrix)
    screen = screens.FloatScreen(model)
    unit = screens.Queries(matrix).unit
    approximate = (matrix @ unit.T) * screen.scale[:, None]
    exact = (matrix.astype(np.longdouble) @ matrix.astype(np.longdouble).T) / np.outer(model.norms, model.norms)
    assert float(np.abs(approximate - exact).max()) < screen.slack / 2


@pytest.fixture
def int8_at_once(monkeypatch):
    """Small models get their int8 copy with the first query."""
    if not _fast.has_int8():
        pytest.skip("no int8 products on this processor, or not with this WORDGEO_ISA")
    monkeypatch.setattr(screens, "SMALLEST_COPY", 1)
    monkeypatch.setattr(screens, "QUERIES_TO_REPAY", 1)


@pytest.mark.usefixtures("int8_at_once")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (33, 7), (700, 50), (1500, 301)])
def test_the_int8_screen_leaves_the_same_answers(kind, n, d):
    matrix = matrix_of(kind, n, d, n + d)
    model = model_of(matrix)
    rng = np.random.default_rng(n)
    for batch, k in ((1, 10), (2, 3), (40, 10), (40, n)):
        rows = rng.integers(0, n, batch)
        exclude = np.stack([rows, rng.integers(-1, n, batch)], axis=1)
        found = search.top_k(model, matrix[rows], k=k, exclude=exclude, threads=1 + batch % 3)
        same(found, twin_top_k(model, matrix[rows], k, exclude))
    rows = rng.integers(0, n, (40, 3))
    found = analogies(model, *rows.T, k=5)
    same((found.rows, found.scores), twin_analogies(model, "3cosadd", rows, 5, np.full(40, -1), rows))
    assert "int8 copy" in model._derived
    found = search.top_k(model, matrix[:1], k=4, limit=max(1, n // 2))
    assert (found[0] < max(1, n // 2)).all()


@pytest.mark.usefixtures("int8_at_once")
@pytest.mark.parametrize("kind", ["normal", "clustered", "near-duplicate", "mixed", "subnormal", "zeros"])
@pytest.mark.parametrize("parts", [1, 2])
def test_the_error_of_the_int8_screen_is_below_the_bound(kind, parts):
    """Products of the codes themselves, in exact integers, against cosines in long doubles."""
    for d in (1, 3, 64, 300):
        matrix = matrix_of(kind, 100, d, d)
        model = model_of(matrix)
        copy = screens.Int8Copy(model)
        codes = copy.codes.reshape(-1, copy.steps, 16, 4).transpose(0, 2, 1, 3).reshape(-1, 4 * copy.steps)[:100]
        queries, _, _, scales, slack = copy.quantised(screens.Queries(matrix).unit, parts)
        whole = 256 * queries[:, 0].astype(int) + queries[:, 1] if parts == 2 else queries[:, 0].astype(int)
        products = (codes.astype(int) - 128) @ whole.T
        approximate = products * copy.scales[:100, None].astype(float) * scales.astype(float)
        wide = matrix.astype(np.longdouble)
        unit = wide / np.where(model.norms > 0, model.norms, 1)[:, None]
        error = np.abs(approximate - (unit @ unit.T)).astype(float)
        assert (error <= copy.errors[:100, None] + slack).all()


def test_candidates_limits_and_missing_answers():
    matrix = matrix_of("normal", 2000, 16, 3)
    model = model_of(matrix)
    candidates = np.array([5, 1999, 7, 7, 100])
    rows, scores = search.top_k(model, matrix[:5], k=3, candidates=candidates, exclude=np.full((5, 1), 7))
    every = search.top_k(model, matrix[:5], k=2000)
    for i in range(5):
        wanted = [r for r in every[0][i] if r in (5, 1999, 100)]
        assert rows[i].tolist() == wanted
        assert scores[i].tolist() == [every[1][i][every[0][i] == r][0] for r in wanted]
    rows, scores = search.top_k(model, matrix[:1], k=5, limit=2, exclude=np.array([[0]]))
    assert rows.tolist() == [[1, -1]]
    assert np.isnan(scores[0, 1])
    rows, _ = search.top_k(model, matrix[:1], k=5, candidates=np.array([], np.int64))
    assert rows.tolist() == [[-1]]


def test_bad_queries_are_refused_and_inputs_never_change():
    matrix = matrix_of("normal", 20, 8, 0)
    model = model_of(matrix)
    before = matrix.copy()
    for queries in (matrix[:3].astype(float), matrix[:6:2], matrix[:3, ::-1][:, ::-1], matrix[:3].tolist()):
        search.top_k(model, queries, k=2)
    frozen = matrix[:3].copy()
    frozen.flags.writeable = False
    search.top_k(model, frozen, k=2)
    assert (matrix == before).all()
    nan = matrix[:2].copy()
    nan[1, 3] = np.nan
    for queries, words in (
        (nan, "row 1 has a number that is NaN"),
        (matrix[:, :4], "has 4 columns; the model has 8 dimensions"),
        (matrix[0], "give one row for each vector"),
        (np.array([["a"] * 8]), "give real numbers"),
        (np.full((1, 8), 1e300), "beyond float32"),
    ):
        with pytest.raises(OptionError, match=words):
            search.top_k(model, queries, k=2)
    for k in (0, -1, True, 2.0):
        with pytest.raises(OptionError, match="k is"):
            search.top_k(model, matrix, k=k)
    for option, rows, words in (
        ("candidates", [-1, 3], "candidates has row -1; the model has rows 0 to 19"),
        ("candidates", [3, 20], "candidates has row 20"),
        ("candidates", [[3]], r"candidates has shape \(1, 1\); give \[any\]"),
        ("candidates", [0.5], "candidates has elements of type float64"),
        ("exclude", [3, 4], r"exclude has shape \(2,\); give \[2, any\]"),
        ("exclude", [[3]], r"exclude has shape \(1, 1\); give \[2, any\]"),
    ):
        with pytest.raises(OptionError, match=words):
            search.top_k(model, matrix[:2], k=2, **{option: np.array(rows)})
    with pytest.raises(OptionError, match="rows of different lengths"):
        search.top_k(model, [[1.0] * 8, [1.0] * 7], k=2)


def test_an_unsupported_instruction_set_is_one_clear_error():
    for value, words in (("sse9", "the names are baseline"), ("amx", "this build on this processor runs baseline")):
        done = subprocess.run(
            [sys.executable, "-c", "import wordgeo.embeddings"],
            env={**os.environ, "WORDGEO_ISA": value}, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 1
        assert words in done.stderr.splitlines()[-1]
    code = "import wordgeo.embeddings; from wordgeo import _fast; print(_fast.instruction_set())"
    for name in _fast.instruction_sets():
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "WORDGEO_ISA": name}, capture_output=True, text=True
        )
        assert done.stdout.strip() == name
