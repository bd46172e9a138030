"""Codes and the neighbourhood graph of the compiled modules against their slow twins, byte for byte."""

import numpy as np
import pytest

from wordgeo import _analogy_tables, _fast, _graph, reference
from wordgeo.query import screens, search
from wordgeo.query.graph import _FloatProducts, _Int8Products
from wordgeo.query.leading import LeadingCopy
from wordgeo.query.wordvectors import WordVectors
from wordgeo.vocabulary import Vocabulary


def matrix_of(n, d):
    """Rows of all sizes, zero ones, equal ones, and elements between two codes."""
    rng = np.random.default_rng(d)
    matrix = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-38, 37, (n, 1))
    matrix[::7] = 0
    matrix[1::7] = np.round(127 * rng.standard_normal((len(matrix[1::7]), d))) / 254
    matrix[2::7] = matrix[2]
    return matrix.astype(np.float32)


@pytest.fixture(params=_fast.instruction_sets())
def instruction_set(request):
    """Every instruction set of the machine."""
    before = _fast.instruction_set()
    assert _fast.use_instruction_set(request.param)
    yield request.param
    assert _fast.use_instruction_set(before)


def model_of(matrix):
    return WordVectors(Vocabulary.from_words([f"w{i}" for i in range(len(matrix))]), matrix)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("d", [1, 2, 7, 8, 9, 16, 50, 301])
def test_codes_are_the_twins(d):
    matrix = matrix_of(50, d)
    norms = np.empty(50)
    _fast.norms(matrix, norms)
    unit = screens.Queries(matrix).unit
    steps = -(-d // 4)
    made = []
    for module in (_fast, reference):
        rows = np.full(64 * steps * 4, 128, np.uint8), *np.zeros((2, 64), np.float32)
        parts = np.zeros((2, 64), np.float32)
        module.quantise(matrix, norms, 16, 34, np.array([0, d // 4 * 4]), np.zeros(3, np.int64), *rows, parts)
        module.quantise(matrix, norms, 0, 16, np.array([d // 8 * 4, d // 6 * 4]), np.array([0, 1, 3]), *rows, parts)
        made.append([array.tobytes() for array in (*rows, parts)])
        for parts in (1, 2):
            queries = [np.empty((50, 2, 4 * steps), np.int8), np.empty((50, 2), np.int32)]
            queries += [np.empty(50, np.float32), np.empty(50, np.float32)]
            module.quantise_queries(unit, parts, *queries)
            made[-1] += [array.tobytes() for array in queries]
    assert made[0] == made[1]
    words = []
    for module in (_analogy_tables, reference):
        codes, errors = np.empty((50, 2 * -(-d // 2)), np.int16), np.empty(50)
        module.quantise_words(matrix, norms, 32767.0, codes, errors)
        words.append((codes.tobytes(), errors.tobytes()))
    assert words[0] == words[1]


def ordinary(matrix):
    """Without the rows whose products do not fit into float32."""
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    return np.where(((lengths > 1e-15) & (lengths < 1e15))[:, None], matrix, np.float32(0))


def axes_of(d):
    columns, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((d, d)))
    return np.ascontiguousarray(columns.T, dtype=np.float32)


@pytest.mark.usefixtures("instruction_set")
def test_rows_along_axes_are_the_twins():
    matrix = ordinary(matrix_of(40, 19))
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1)
    for leading in (np.array([0, 8]), np.array([8, 18])):
        made = [(np.empty((40, 19), np.float32), np.empty(40, np.float32), np.empty((2, 40), np.float32)) for _ in "ab"]
        _graph.turn(matrix, norms, axes_of(19), leading, np.array([0, 2, 5]), *made[0])
        reference.turn(matrix, norms, axes_of(19), leading, np.array([0, 2, 5]), *made[1])
        assert (np.abs(made[0][0] - made[1][0]) <= 1e-5 * norms[:, None]).all()
        np.testing.assert_allclose(made[0][1], made[1][1], atol=1e-5)
        np.testing.assert_allclose(made[0][2], made[1][2], atol=1e-5)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("products", ["float", "int8", "leading"])
def test_the_graph_of_two_blocks_is_the_twins(products):
    if products != "float" and not _fast.has_int8():
        pytest.skip("no int8 products on this instruction set")
    n, k = 150, 6
    matrix = matrix_of(n, 19)
    model = model_of(ordinary(matrix) if products == "leading" else matrix)
    made: _FloatProducts | _Int8Products = _FloatProducts(model)
    if products == "int8":
        made = _Int8Products(screens.Int8Copy.of(model))
    elif products == "leading":
        made = _Int8Products(LeadingCopy(model.vectors, model.norms, axes_of(19), (8, 12), 128))
    visits = ((0, 64, 0, 64, False), (64, 128, 64, 128, False), (0, 64, 64, 128, True), (0, 64, 128, 150, False))
    sweep = _graph.WORDS_A_SWEEP * 64 + 16
    scratch = (
        np.empty((24, 64), np.float32), np.empty(256, np.float32), np.empty(256, np.uint32),
        np.empty((24, 1), np.uint8), np.empty(_graph.WORDS_A_SWEEP, np.float32),
        np.empty(sweep, np.float32), np.empty(sweep, np.uint32), np.empty((24, 64), np.float32),
    )  # fmt: skip
    lists = []
    for module in (_graph, reference):
        best = np.full((128, k), np.nan, np.float32), np.full((128, k), -1), np.zeros(128, np.int64)
        pools = screens.pools(128, k, 48)
        _fast.prepare_pools(*pools)
        visit = module.visit if products == "float" else module.visit8
        if module is _graph:  # begins with what is guessed, of which some are the same, and the words themselves
            guess = np.random.default_rng(5).integers(n, size=(128, 9))
            guess[::2, 3], guess[::3, 5] = np.arange(128)[::2], guess[::3, 1]
            guessed, floors = np.full((128, 9), np.nan, np.float32), np.empty(128, np.float32)
            words = np.random.default_rng(6).permutation(128).astype(np.uint32)
            room = np.zeros(n, np.uint32), np.empty(n, np.float32), np.empty(9, np.int64)
            _graph.seed(model.vectors, model.norms, guess, guessed, floors, words[:100], *room, pools[3], *best)
            pairs = np.repeat(words[:100], 9).astype(np.int64), guess[words[:100]].ravel()
            assert guessed[words[:100]].tobytes() == search.cosine_pairs(model, *pairs).tobytes()
        for first, last, begin, end, both in visits:
            visit(
                model.vectors, model.norms, *made.of_rows, first, *made.of_words(first, last), begin, end, both,
                pools[3], *best, *scratch[: made.scratch],
            )  # fmt: skip
        if module is _graph:  # heaps, and rows that wait
            _graph.finish(model.vectors, model.norms, words, pools[3], *best)
        lists.append([array.tobytes() for array in best])
    assert lists[0] == lists[1]
