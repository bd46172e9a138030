"""What queries promise beside their answers: gensim's answers, memory, interruption; and the screens of analogies."""

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import wordgeo as wg
from wordgeo import _analogy_rule, _analogy_tables, _fast
from wordgeo.query import screens
from wordgeo.query.analogies import METHODS, Questions, Table, analogies
from wordgeo.query.graph import neighbor_graph
from wordgeo.query.search import top_k

MEGABYTE = 1 << 20


def model_of(n, d, seed=0):
    matrix = np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)
    return wg.from_arrays([f"w{i}" for i in range(n)], matrix)


def agree(ours, theirs, known):
    """The same words and scores; where neighbours' scores differ by less than 1e-6 the order may be another."""
    mine, scores = list(ours.words), np.asarray(ours.scores, dtype=float)
    words, others = [word for word, _ in theirs], np.array([score for _, score in theirs])
    np.testing.assert_allclose(scores, others, atol=1e-6)
    for place, (word, other) in enumerate(zip(mine, words, strict=True)):
        if word != other:
            assert abs(known(other) - scores[place]) < 1e-6, f"{word} and {other} are no tie"


def compare_with_gensim(model, step):
    vectors = model.to_gensim()
    words = model.words[::step]
    for word in words:
        found = model.similar(word, k=10)
        agree(found, vectors.most_similar(word, topn=10), lambda w, word=word: vectors.similarity(w, word))
    for a, b, c in zip(words, words[1:], words[2:], strict=False):
        found = model.analogy(a, b, c, k=5)
        query = (model[b] / np.linalg.norm(model[b])) - model[a] / np.linalg.norm(model[a])
        query = query + model[c] / np.linalg.norm(model[c])
        near = vectors.most_similar(positive=[b, c], negative=[a], topn=5)
        agree(found, near, lambda w, query=query: vectors.cosine_similarities(query, model[w][None, :])[0])


def test_answers_are_gensims_on_vectors_made_here():
    pytest.importorskip("gensim")
    compare_with_gensim(model_of(3000, 40), 60)


@pytest.mark.parametrize("name", ["glove.6B.50d.top5k.txt", "googlenews.300d.top1000.unit.bin"])
def test_answers_are_gensims_on_real_vectors(shared_data, name):
    pytest.importorskip("gensim")
    compare_with_gensim(wg.load(shared_data / "vectors" / name), 40)


def peak_beyond(work):
    """Peak of traced memory during `work` beyond what it returns, in megabytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        kept = work()
        after, peak = tracemalloc.get_traced_memory()
        assert kept is not None
        return (peak - max(before, after)) / MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("threads", [1, 2])
def test_working_memory_is_at_most_64_megabytes_a_thread(threads):
    """Beyond the output and the screen. All scores at once would be 320 MB, all queries of the analogies 120 MB."""
    model = model_of(40_000, 300)
    few = model_of(20_000, 10)
    rng = np.random.default_rng(0)
    queries = model.vectors[:2000]
    top_k(model, queries[:20], k=3)  # makes the screens
    screens.FloatScreen.of(model)
    screens.FloatScreen.of(few)
    many = rng.integers(0, 20_000, (3, 100_000))
    some = rng.integers(0, 300, (3, 20_000))
    for work in (
        lambda: top_k(model, queries, k=10, threads=threads),
        lambda: top_k(model, queries[:200], k=1000, threads=threads),
        lambda: top_k(model, queries[:300], k=10, candidates=np.arange(1, 40_000, 2), threads=threads),
        lambda: top_k(model, queries[:1], k=10, least=True, threads=threads),
        lambda: neighbor_graph(few, n=6000, threads=threads),
        lambda: analogies(few, *many[:, :40_000], k=5, limit=64, gold=many[0, :40_000], threads=threads),
        lambda: analogies(few, *many[:, :20_000], k=5, limit=64, method="pairdirection", threads=threads),
        lambda: analogies(model, *some, k=5, limit=200, method="3cosmul", threads=threads),
    ):
        assert peak_beyond(work) < 64 * threads


BLOCKED = """
import resource, sys
import numpy as np
from wordgeo.embeddings import Embeddings
from wordgeo.vocabulary import Vocabulary
from wordgeo.query.search import top_k

n, d, path = 200_000, 300, sys.argv[1]
words = Vocabulary.from_words([f"w{i}" for i in range(n)])
matrix = np.memmap(path, dtype=np.float32, mode="r", shape=(n, d))
model = Embeddings(words, matrix)
top_k(model, matrix[:1], k=3)
with open("/proc/self/status") as status:
    used = int(next(line for line in status if line.startswith("VmData")).split()[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (used + (100 << 20),) * 2)  # the file has 240 MB
for queries in (1, 3, 200):
    rows, scores = top_k(model, matrix[:queries], k=3, threads=1)
    assert (rows[:, 0] == np.arange(queries)).all(), rows
print(rows[7].tolist(), scores[7].tolist())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_a_mapped_matrix_is_read_in_blocks(tmp_path):
    """A process that may not allocate half of the matrix answers; the file is mostly holes."""
    n, d = 200_000, 300
    with (tmp_path / "matrix").open("wb") as file:
        file.truncate(4 * n * d)
        file.write(np.random.default_rng(0).standard_normal((400, d), dtype=np.float32).tobytes())
        file.seek(4 * d * (n - 1))
        file.write(np.random.default_rng(0).standard_normal((400, d), dtype=np.float32)[7].tobytes())
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(tmp_path / "matrix")],
        env={**os.environ, "WORDGEO_ISA": "baseline"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"[7, {n - 1}, ")


INTERRUPTED = """
import sys, threading
import numpy as np
from wordgeo.bench import random_model
from wordgeo.query.analogies import analogies
from wordgeo.query.graph import neighbor_graph
from wordgeo.query.search import top_k

model = random_model(60_000, 100)
threads, rng = int(sys.argv[2]), np.random.default_rng(0)
many = rng.integers(0, 2000, (3, 60_000))
work = {
    "top_k": lambda: top_k(model, model.vectors, k=10, threads=threads),
    "graph": lambda: neighbor_graph(model, threads=threads),
    "analogies": lambda: analogies(model, *many, k=10, method="pairdirection", threads=threads),
}[sys.argv[1]]
print("ready", flush=True)
while True:
    work()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize(("work", "threads"), [("top_k", "1"), ("graph", "2"), ("analogies", "2")])
def test_ctrl_c_ends_a_long_query(work, threads):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, work, threads], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode in (-signal.SIGINT, 130)
    assert errors.rstrip().endswith("KeyboardInterrupt")


KINDS = {
    "normal": lambda rng, n, d: rng.standard_normal((n, d)),
    "one element": lambda rng, n, d: np.eye(d)[rng.integers(0, d, n)] * rng.standard_normal((n, 1)),
    "equal elements": lambda rng, n, d: np.sign(rng.standard_normal((n, d))),
    "halves of a step": lambda rng, n, d: (rng.integers(-9, 9, (n, d)) + 0.5) / 32767,
    "near to one": lambda rng, n, d: 1 + 1e-4 * rng.standard_normal((n, d)),
    "opposite": lambda rng, n, d: np.outer(rng.choice([-1.0, 1.0], n), np.ones(d)) + 1e-3 * rng.standard_normal((n, d)),
    "tiny and huge": lambda rng, n, d: rng.standard_normal((n, d)) * 10.0 ** rng.integers(-37, 37, (n, 1)),
    "zeros": lambda rng, n, d: rng.standard_normal((n, d)) * (rng.random((n, 1)) < 0.5),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("d", [1, 2, 31, 200, 1025])
def test_the_error_of_int16_codes_is_below_the_bound(kind, d):
    """Products of the codes in exact integers, rounded as the table rounds them, against cosines in long doubles."""
    rng = np.random.default_rng(d)
    model = wg.from_arrays([f"w{i}" for i in range(80)], KINDS[kind](rng, 80, d).astype(np.float32))
    table = Table(Questions(model, np.arange(78).reshape(-1, 3), "3cosadd"), np.full(26, np.nan, np.float32))
    rows, errors = np.empty_like(np.empty((80, table.codes.shape[1]), np.int16)), np.empty(80)
    _analogy_tables.quantise_words(model.vectors, model.norms, 32767.0, rows, errors)
    products = rows.astype(np.int64) @ table.codes.astype(np.int64).T
    assert np.abs(products).max() <= 16383 * 2**17
    cells = (products + 2**16) >> 17
    unit = model.vectors.astype(np.longdouble) / np.where(model.norms > 0, model.norms, 1)[:, None]
    off = np.abs(cells / np.longdouble(table.unit) - unit @ unit[:78].T)
    assert (off <= errors[:, None] + (1 + errors[:, None]) * table.errors + 0.5 / table.unit).all()
    assert (errors <= np.sqrt(d) / 2 / 32767 + 1e-8).all()


@pytest.fixture(params=_fast.instruction_sets())
def instruction_set(request):
    """Every instruction set of the machine."""
    before = _fast.instruction_set()
    _fast.use_instruction_set(request.param)
    yield request.param
    _fast.use_instruction_set(before)


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("unit", [16379.3, 9000.7])
@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.001, 0.5])
def test_every_logarithm_and_distance_is_as_near_as_bounds_take_it(unit, epsilon):
    cosines = np.arange(-int(unit), int(unit) + 1, dtype=np.int16)
    s = (cosines / unit + 1) / 2
    out = np.empty_like(cosines)
    _analogy_tables.terms(METHODS.index("3cosmul"), cosines, unit, epsilon, out)
    known = s > 0.066
    assert np.abs(out - 4096 * np.log2(s + epsilon))[known].max() <= 0.6
    assert (out[~known] <= out[known].min() + 1).all()
    _analogy_tables.terms(METHODS.index("pairdirection"), cosines, unit, 0.0, out)
    distances = np.sqrt(2 - 2 * cosines / unit)
    assert np.abs(out - 16383 * distances)[distances > 0.25].max() <= 0.6


@pytest.mark.usefixtures("instruction_set")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("tiny and huge", "zeros")])
@pytest.mark.parametrize("d", [1, 2, 31, 200, 1025])
def test_the_error_of_products_in_float_is_below_the_bound(kind, d):
    rng = np.random.default_rng(d)
    matrix = KINDS[kind](rng, 60, d).astype(np.float32)
    for size in (1.0, 2.0**-36, 2.0**50):  # lengths that count as safe
        model = wg.from_arrays([f"w{i}" for i in range(60)], matrix * np.float32(size))
        unit = model.vectors.astype(np.longdouble) / model.norms[:, None]
        found = np.empty((60, 60))
        error = _analogy_rule.float_cosines(model.vectors, model.norms, found)
        assert np.abs(found - unit @ unit.T).max() <= error
        assert error < 4e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", METHODS)
def test_analogies_on_hard_vectors_are_the_same_everywhere(kind, method):
    """Every instruction set, threads, batches, halves and candidates; against scores that are sorted outright."""
    rng = np.random.default_rng(7)
    n = 1200
    matrix = KINDS[kind](rng, n, 24).astype(np.float32)
    model = wg.from_arrays([f"w{i}" for i in range(n)], matrix)
    rows, gold = rng.integers(0, 60, (40, 3)), rng.integers(0, n, 40)
    scores = np.empty((n, 40), np.float32)
    asked = Questions(model, rows, method)
    for row in range(n):
        asked.score(np.full(40, row), scores[row])
    scores = np.ascontiguousarray(scores.T)
    allowed = (np.arange(n) != rows[:, :, None]).all(axis=1)
    before = _fast.instruction_set()
    try:
        for name in _fast.instruction_sets():
            _fast.use_instruction_set(name)
            for threads in (1, 3):
                found = analogies(model, *rows.T, k=7, method=method, gold=gold, threads=threads)
                for q in range(40):
                    order = np.lexsort((np.arange(n), -scores[q]))
                    order = order[allowed[q][order]]
                    assert found.rows[q].tolist() == order[:7].tolist()
                    assert found.scores[q].tobytes() == scores[q, order[:7]].tobytes()
                    own = scores[q, gold[q]]
                    if allowed[q, gold[q]]:
                        assert found.rank_min[q] == 1 + (scores[q, order] > own).sum()
                        assert found.rank_max[q] == (scores[q, order] >= own).sum()
                    else:
                        assert found.rank_min[q] == found.rank_max[q] == 0
            some = np.flatnonzero(rng.random(n) < 0.7)
            found = analogies(model, *rows.T, k=7, method=method, gold=gold, candidates=some, limit=900)
            for q in range(40):
                may = allowed[q] & np.isin(np.arange(n), some) & (np.arange(n) < 900)
                order = np.lexsort((np.arange(n), -scores[q]))
                order = order[may[order]]
                assert found.rows[q].tolist() == order[:7].tolist()
                own = scores[q, gold[q]]
                assert found.rank_max[q] == (may[gold[q]] and (scores[q, order] >= own).sum())
    finally:
        _fast.use_instruction_set(before)


def test_many_questions_are_answered_in_parts(monkeypatch):
    model = model_of(500, 16)
    rows = np.random.default_rng(1).integers(0, 500, (300, 3))
    whole = analogies(model, *rows.T, k=4, gold=rows[:, 0], exclude=False)
    monkeypatch.setattr("wordgeo.query.analogies.MEMORY_A_THREAD", 20_000)
    parts = analogies(model, *rows.T, k=4, gold=rows[:, 0], exclude=False)
    for name in ("rows", "scores", "rank_min", "rank_max"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes()
    assert analogies(model, *rows.T, k=4).rank_min is None
