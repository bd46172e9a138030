"""The neighbourhood graph against single queries, and overlaps against plain sets."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wordgeo as wg
from wordgeo import _fast
from wordgeo.errors import OptionError, OutputError
from wordgeo.query import graph, leading, screens, search
from wordgeo.query.graph import neighbor_graph, overlaps


def model_of(n, d, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((n, d)).astype(np.float32)
    matrix[rng.random(n) < 0.02] = 0
    matrix[n // 2 : n // 2 + 20] = matrix[0]
    return wg.from_arrays([f"w{i}" for i in range(n)], matrix)


@pytest.fixture(params=["int8", "leading", "float"])
def products(request, monkeypatch):
    """All kinds of products, on small blocks so that all kinds of rounds occur."""
    if request.param != "float" and not _fast.has_int8():
        pytest.skip("the processor has no int8 products")
    monkeypatch.setattr(screens, "SMALLEST_COPY", 1 if request.param != "float" else 1 << 60)
    if request.param == "leading":
        monkeypatch.setattr(leading, "WORDS_A_DIMENSION", 0)
        monkeypatch.setattr(leading, "PAIRS_AN_ELEMENT", 0)
        bounds = lambda words, rows, *_: (rows.shape[1] // 12 * 4, rows.shape[1] // 6 * 4)  # noqa: E731
        monkeypatch.setattr(leading, "_dimensions", bounds)
    monkeypatch.setattr(screens, "QUERIES_TO_REPAY", 1)
    monkeypatch.setattr(graph, "WORDS_A_BLOCK", 64)
    monkeypatch.setattr(graph, "WORDS_AT_ONCE", 16)
    monkeypatch.setattr(graph, "ROWS_A_ROUND", 192)
    monkeypatch.setattr(graph, "WORDS_A_TILE", 24)
    monkeypatch.setattr(graph, "ROWS_A_TILE", 64)
    monkeypatch.setattr(graph, "FIRST_ROWS", 256)


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(
    ("size", "n"), [(640, None), (1000, None), (700, 300), (500, 64), (70, 3), (65, None), (5, None)]
)
def test_the_graph_is_what_single_queries_give(size, n):
    model = model_of(size, 19, size)
    words = np.arange(n or size)
    for k, threads in ((1, 1), (10, 3), (33, 2)):
        found = neighbor_graph(model, k=k, n=n, threads=threads)
        rows, scores = search.top_k(model, model.vectors[words], k=min(k, size - 1), exclude=words[:, None])
        np.testing.assert_array_equal(found.rows, rows)
        assert found.scores.tobytes() == scores.tobytes()


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("n", [481, 700, 900])
def test_blocks_have_more_words_than_are_taken_at_a_time(n, monkeypatch):
    monkeypatch.setattr(graph, "WORDS_A_BLOCK", 1024)
    model = model_of(1500, 19, n)
    rows, scores = search.top_k(model, model.vectors[:n], k=10, exclude=np.arange(n)[:, None])
    for guess in ([], [rows]):
        found = neighbor_graph(model, k=10, n=n, guess=guess, threads=1)
        np.testing.assert_array_equal(found.rows, rows)
        assert found.scores.tobytes() == scores.tobytes()


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize(("size", "n", "k"), [(640, None, 10), (700, 300, 10), (65, None, 10), (300, None, 70)])
def test_whatever_is_guessed_the_graph_is_the_same(size, n, k):
    model = model_of(size, 19, size)
    plain = neighbor_graph(model, k=k, n=n)
    rng = np.random.default_rng(size)
    words = len(plain.rows)
    guesses = {
        "right": [plain.rows],
        "nearly": [np.where(rng.random((words, k)) < 0.3, rng.integers(size, size=(words, k)), plain.rows)],
        "wrong": [rng.integers(size, size=(words, 3 * k))],
        "twice": [plain.rows, plain.rows],
        "many times one": [np.repeat(plain.rows[:, :1], 40, axis=1)],
        "itself": [np.repeat(np.arange(words)[:, None], k, axis=1)],
        "too few": [plain.rows[:, : k - 1]],
        "none": [plain.rows[:, :0]],
        "more": [plain.rows, rng.integers(size, size=(words, 3)), plain.rows[:, ::-1]],
    }
    for name, guess in guesses.items():
        found = neighbor_graph(model, k=k, n=n, guess=guess, threads=2)
        np.testing.assert_array_equal(found.rows, plain.rows, err_msg=name)
        assert found.scores.tobytes() == plain.scores.tobytes(), name


@pytest.mark.usefixtures("products")
def test_in_whatever_order_rows_are_met_the_graph_is_the_same():
    model = model_of(700, 19, 700)
    plain = neighbor_graph(model, k=10, n=300)
    rng = np.random.default_rng(7)
    orders = [np.arange(700), np.arange(700)[::-1], rng.permutation(700)]
    for order in (plain.together, *(each.astype(np.uint32) for each in orders)):
        for guess in ([], [plain.rows]):
            found = neighbor_graph(model, k=10, n=300, guess=guess, together=order, threads=2)
            np.testing.assert_array_equal(found.rows, plain.rows)
            assert found.scores.tobytes() == plain.scores.tobytes()
            assert (found.together is None) == (plain.together is None)
            if order is not None and found.together is not None:
                np.testing.assert_array_equal(found.together, order)


def test_orders_that_are_none():
    model = model_of(50, 8)
    for order in (np.arange(50), *(x.astype(np.uint32) for x in (np.arange(49), np.zeros(50), np.arange(51)))):
        with pytest.raises(OptionError, match="each row from 0 to 49 once, as uint32"):
            neighbor_graph(model, k=2, together=order)


def test_guesses_that_are_no_rows():
    model = model_of(50, 8)
    for guess, words in (
        (np.zeros((50, 3)), "elements of type float64"), (np.zeros((49, 3), int), r"give \[50, any\]"),
        (np.full((50, 3), -1), "rows from -1 to -1; the rows are 0 to 49"),
        (np.full((50, 3), 50), "rows from 50 to 50"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            neighbor_graph(model, k=2, guess=[guess])


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
@pytest.mark.parametrize("near", [False, True])
def test_rounds_meet_every_pair_once_and_share_no_words(threads, near, monkeypatch):
    monkeypatch.setattr(graph, "WORDS_A_BLOCK", 96)
    monkeypatch.setattr(graph, "ROWS_A_ROUND", 160)
    monkeypatch.setattr(graph, "FIRST_ROWS", 64)
    for n, size in ((96, 96), (500, 500), (500, 900), (580, 700), (100, 100), (310, 311), (1, 1), (3, 50), (700, 705)):
        met = np.zeros((n, size), dtype=int)
        others = np.random.default_rng(n).integers(size - n + 1, size=n) if near else None
        for pairs in graph._rounds(n, size, threads, others, guessed=near):
            words = []
            for first, last, begin, end, both in pairs:
                assert first < last <= n and last - first <= 144 and begin < end <= size and begin % 16 == 0
                met[first:last, begin:end] += 1
                words += range(first, last)
                if both:
                    met[begin : min(end, n), first:last] += 1
                    words += range(begin, min(end, n))
            assert len(words) == len(set(words))
        assert (met == 1).all()


@pytest.mark.parametrize("n", [1, 47, 48, 1000, 20_000, 90_001])
@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_every_thread_gets_as_many_words(n, threads):
    sizes = [last - first for first, last in graph._blocks(n, threads)]
    assert sum(sizes) == n and max(sizes) <= graph.WORDS_A_BLOCK + 48
    assert max(sizes[:-1], default=0) - min(sizes[:-1], default=0) <= 48
    assert len(sizes) % (2 * threads) == 0 or max(sizes) <= 48


def test_a_graph_on_disk(tmp_path):
    model = model_of(300, 8)
    kept = neighbor_graph(model, k=5, output=tmp_path / "graph")
    assert isinstance(kept.rows, np.memmap)
    plain = neighbor_graph(model, k=5)
    np.testing.assert_array_equal(kept.rows, plain.rows)
    assert kept.scores.tobytes() == plain.scores.tobytes()
    with pytest.raises(OutputError, match="exists already"):
        neighbor_graph(model, k=5, output=tmp_path / "graph")
    neighbor_graph(model, k=4, output=tmp_path / "graph", overwrite=True)
    for options, words in (({"k": 0}, "k is 0"), ({"n": 0}, "n is 0"), ({"k": 5000}, "k is 5000")):
        with pytest.raises(OptionError, match=words):
            neighbor_graph(model, **options)


def rbo_by_definition(a, b, p):
    """Webber, Moffat & Zobel 2010, equation 32, from sets."""
    k = len(a)
    shared = [len(set(a[:d]) & set(b[:d])) for d in range(1, k + 1)]
    total = sum(shared[d - 1] / d * p**d for d in range(1, k + 1))
    return shared[-1] / k * p**k + (1 - p) / p * total


@given(
    models=st.integers(2, 5), n=st.integers(1, 30), k=st.integers(1, 12), extra=st.integers(0, 20),
    p=st.floats(0.05, 0.99), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_overlaps_are_those_of_sets(models, n, k, extra, p, seed):
    rng = np.random.default_rng(seed)
    lists = [np.array([rng.permutation(k + extra)[:k] for _ in range(n)]) for _ in range(models)]
    found = overlaps(lists, p=p, threads=2)
    assert found.pairs == tuple(combinations(range(models), 2))
    for w in range(n):
        for column, (i, j) in enumerate(found.pairs):
            a, b = lists[i][w].tolist(), lists[j][w].tolist()
            both, either = set(a) & set(b), set(a) | set(b)
            assert found.overlap[w, column] == len(both) / k
            assert found.jaccard[w, column] == len(both) / len(either)
            assert found.rbo[w, column] == pytest.approx(rbo_by_definition(a, b, p), rel=1e-12, abs=1e-15)
        every, any_ = set.intersection(*(set(each[w]) for each in lists)), set().union(*(each[w] for each in lists))
        assert found.joint_overlap[w] == len(every) / k
        assert found.joint_jaccard[w] == len(every) / len(any_)


def test_rank_biased_overlap_of_known_lists():
    """Identical lists have 1, disjoint ones 0; swapping the first two of three by hand."""
    same = overlaps([np.array([[4, 2, 9]]), np.array([[4, 2, 9]])])
    assert same.rbo[0, 0] == pytest.approx(1.0, abs=1e-15)
    assert overlaps([np.array([[1, 2]]), np.array([[3, 4]])]).rbo[0, 0] == 0
    # X = 0, 2, 3: 3/3 * 0.9^3 + (0.1 / 0.9) (0/1 * 0.9 + 2/2 * 0.81 + 3/3 * 0.729)
    swapped = overlaps([np.array([[1, 2, 3]]), np.array([[2, 1, 3]])], p=0.9)
    assert swapped.rbo[0, 0] == pytest.approx(0.9, abs=1e-12)


def test_lists_that_cannot_be_compared():
    good = np.array([[1, 2]])
    for lists, words in (
        ([good], "two or more"),
        ([good, np.array([[1, 2, 3]])], "same shape"),
        ([good, np.array([[1, -1]])], "gaps"),
        ([good, np.array([[2, 2]])], "twice"),
        ([np.array([1, 2]), np.array([1, 2])], "same shape"),
        ([good, good + 0.5], "elements of type float64"),
    ):
        with pytest.raises(OptionError, match=words):
            overlaps(lists)
    for p in (0, 1, -0.5, float("nan")):
        with pytest.raises(OptionError, match="p is"):
            overlaps([good, good], p=p)


def test_a_kept_copy_is_mapped_checked_and_made_anew(tmp_path, monkeypatch, caplog):
    if not _fast.has_int8():
        pytest.skip("the processor has no int8 products")
    monkeypatch.setattr(screens, "SMALLEST_COPY", 1)
    monkeypatch.setattr(screens, "QUERIES_TO_REPAY", 1)
    wg.save(model_of(300, 21), tmp_path / "model")
    wg.save(model_of(300, 21, seed=1), tmp_path / "other")
    first, kept = wg.load(tmp_path / "model"), tmp_path / "model" / "int8.cache"
    wanted = first.similar("w7")
    assert not kept.exists() and first.memory["int8 copy"] == screens.Int8Copy.of(first).nbytes
    first.keep_screen()
    good = kept.read_bytes()

    def ask():
        caplog.clear()
        model = wg.load(tmp_path / "model")
        found = model.similar("w7")
        assert found.words == wanted.words and found.scores.tobytes() == wanted.scores.tobytes()
        return isinstance(screens.Int8Copy.of(model).codes.base, np.memmap)

    assert ask() and not caplog.records
    wg.load(tmp_path / "other").keep_screen()
    for damaged in (
        good[:-1], good + b"\0", good[:10], b"", good[:200] + bytes([good[200] ^ 1]) + good[201:],
        b"x" + good[1:], (tmp_path / "other" / "int8.cache").read_bytes(),
    ):  # fmt: skip
        kept.write_bytes(damaged)
        assert not ask() and "made anew" in caplog.text
    with pytest.raises(OptionError, match="no folder"):
        model_of(300, 21).keep_screen()
