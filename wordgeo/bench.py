"""The query engine beside its peers on one model: every ratio from one run, peers only where they are installed."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.evaluation import evaluate
from wordgeo.evaluation.asked import questions_of
from wordgeo.evaluation.protocols import PROTOCOLS
from wordgeo.evaluation.registry import load_suite
from wordgeo.evaluation.suites import AnalogySuite
from wordgeo.progress import Progress, resolve_progress
from wordgeo.query import WordVectors
from wordgeo.query.analogies import METHODS, analogies
from wordgeo.query.search import top_k
from wordgeo.results import Result, Table
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["BenchReport", "Timing", "bandwidth", "bench", "product_alone", "product_rate", "random_model"]

F32 = npt.NDArray[np.float32]

FAISS = "faiss IndexFlatIP"
PRODUCT = "product alone"  # the BLAS product of queries and rows without any selection: the fastest of several ways


@dataclass(frozen=True)
class Timing:
    """`work` by wordgeo and by a peer: the best time of each over the rounds, in seconds; ratio = peer / wordgeo.

    A peer that is slow does a part of the work, which its name says; its time is multiplied up to the whole.
    """

    work: str
    peer: str
    wordgeo_seconds: float
    peer_seconds: float

    @property
    def ratio(self) -> float:
        """How many times faster wordgeo is."""
        return self.peer_seconds / self.wordgeo_seconds


@dataclass(frozen=True, repr=False)
class BenchReport(Result):
    """Timings of one run on one model, and what the machine can do at best, measured in the same run.

    `bandwidth` is the rate in GB/s at which the vectors are read from memory, `product_rate` that of a large float32
    product in GFLOP/s, both with all `threads`.
    """

    words: int
    dimensions: int
    threads: int
    instruction_set: str
    rounds: int
    bandwidth: float
    product_rate: float
    timings: tuple[Timing, ...]

    def tables(self) -> list[Table]:
        """One row for each work and peer."""
        rows = [(t.work, t.wordgeo_seconds, t.peer, t.peer_seconds, t.ratio) for t in self.timings]
        title = f"{self.words} words × {self.dimensions}, {self.threads} threads, {self.instruction_set}"
        notes = [
            f"best of {self.rounds} rounds, taken in turns; ratio = peer / wordgeo",
            f"here memory is read at {self.bandwidth:.1f} GB/s and float32 products run at {self.product_rate:.0f} "
            "GFLOP/s",
        ]
        return [Table(("work", "wordgeo s", "peer", "peer s", "ratio"), rows, title, notes)]


def random_model(words: int = 100_000, dimensions: int = 200, seed: int = 1, names: Sequence[str] = ()) -> WordVectors:
    """Vectors without meaning: normal directions, with the norms and the common part that trained vectors have.

    The first words are `names`.
    """
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((words, dimensions), dtype=np.float32)
    matrix += 0.3 * rng.standard_normal(dimensions, dtype=np.float32)
    return WordVectors(Vocabulary.from_words([*names, *(f"w{i}" for i in range(words - len(names)))]), matrix)


def bench(
    model: Embeddings,
    *,
    queries: int = 1000,
    k: int = 10,
    questions: int | None = None,
    rounds: int = 5,
    gensim_evaluation: bool = False,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> BenchReport:
    """Times single and batched neighbours, and analogies, beside NumPy, gensim, faiss and usearch where installed.

    `questions` are the analogies (ten times the queries if not said, 0 for none). `gensim_evaluation` adds the Google
    set by gensim's own evaluation, which takes half a minute and more.

    >>> report = bench(random_model(2000, 20), queries=10, rounds=1)
    >>> report.timings[0].work, report.timings[0].peer
    ('1 query, top 10', 'BLAS, product alone')
    """
    queries = min(whole_number("queries", queries, 1), len(model))
    rounds = whole_number("rounds", rounds, 1)
    questions = 10 * queries if questions is None else whole_number("questions", questions, 0)
    threads = resolve_threads(threads)
    report = resolve_progress(progress)
    cases = list(_cases(model, queries, k, questions, threads))
    if gensim_evaluation:
        cases += _google(model, threads)
    timings: list[Timing] = []
    report.start("measuring", len(cases), "cases")
    try:
        for work, ours, peers in cases:
            slow = GENSIM in peers
            best = _in_turns({"": ours, **{name: peer for name, (peer, _) in peers.items()}}, 1 if slow else rounds)
            if slow:  # gensim takes half a minute: ours may warm up as it does in other cases
                best.update(_in_turns({"": ours}, rounds - 1))
            timings += [Timing(work, name, best[""], best[name] * times) for name, (_, times) in peers.items()]
            report.advance(1)
    finally:
        report.finish()
    return BenchReport(
        len(model), model.dimensions, threads, _fast.instruction_set(), rounds, bandwidth(model, threads),
        product_rate(threads), tuple(timings),
    )  # fmt: skip


GOOGLE = "Google set, 3CosAdd"
GENSIM = "gensim evaluate_word_analogies"
REST = 0.05  # seconds; threads of BLAS and OpenMP go on looking for work for a while, not on the next one's time
SLOW_QUERIES, SLOW_QUESTIONS = 100, 2000  # what peers are given that would take long
Work = Callable[[], object]
Case = tuple[str, Work, dict[str, tuple[Work, float]]]  # a peer's work, and how many times it makes the whole


def _cases(model: Embeddings, queries: int, k: int, questions: int, threads: int) -> Iterator[Case]:
    unit = _unit(model)
    rows = np.linspace(0, len(model) - 1, queries).astype(np.int64)
    asked, asked_unit = np.ascontiguousarray(model.vectors[rows]), np.ascontiguousarray(unit[rows])
    top_k(model, asked[:16], k=k, threads=threads)  # the int8 copy, where there is one, is made before the clock starts

    searches: list[tuple[str, Callable[[F32, int], object]]] = [
        ("numpy + argpartition", partial(_numpy_top_k, unit)),
        *_indexes(unit, threads),
    ]
    for n in (1, queries):
        peers: dict[str, tuple[Work, float]] = {
            f"BLAS, {PRODUCT}": (partial(product_alone, unit, asked_unit[:n], threads), 1.0)
        }
        for name, search in searches:
            some = min(n, SLOW_QUERIES) if name != FAISS else n
            peers[name if some == n else f"{name}, {some} queries"] = (partial(search, asked_unit[:some], k), n / some)
        name = f"{n} {'query' if n == 1 else 'queries'}, top {k}"
        yield name, partial(top_k, model, asked[:n], k=k, threads=threads), peers

    if questions:
        a, b, c = np.random.default_rng(0).choice(min(len(model), 1000), (3, questions))
        for method in METHODS:
            work = partial(analogies, model, a, b, c, k=5, method=method, threads=threads)
            first = partial(analogies, model, a, b, c, k=5, threads=threads)
            beside: dict[str, tuple[Work, float]] = {"wordgeo, 3cosadd": (first, 1.0)}
            peer = _argmax(unit, a, b, c) if method == "3cosadd" else beside
            yield f"{questions} analogies, {method}", work, peer


def _argmax(unit: F32, a: Any, b: Any, c: Any) -> dict[str, tuple[Work, float]]:
    some = slice(0, min(len(a), SLOW_QUESTIONS))
    name = "numpy, products and argmax" + (f", {some.stop} questions" if some.stop < len(a) else "")
    return {name: (partial(_numpy_analogies, unit, a[some], b[some], c[some]), len(a) / some.stop)}


def _google(model: Embeddings, threads: int) -> Iterator[Case]:
    gensim = importlib.util.find_spec("gensim")
    file = Path(str(gensim and gensim.origin)).parent / "test" / "test_data" / "questions-words.txt"
    vectors = model.to_gensim()
    suite = load_suite("google")
    assert isinstance(suite, AnalogySuite)
    known = questions_of(suite, PROTOCOLS["gensim"], PROTOCOLS["gensim"].lookup(model.vocabulary))
    a, b, c, gold = np.ascontiguousarray(known.rows[known.known].T)
    works = {
        method: partial(analogies, model, a, b, c, k=6, method=method, gold=gold, threads=threads) for method in METHODS
    }
    peers = {GENSIM: (lambda: vectors.evaluate_word_analogies(str(file)), 1.0), **_argmax(_unit(model), a, b, c)}
    yield f"{GOOGLE}: answers and ranks ({len(a)} questions)", works["3cosadd"], peers
    yield GOOGLE + ": the whole report", lambda: evaluate(model, "google", threads=threads), {GENSIM: peers[GENSIM]}
    yield "Google set, 3CosMul", works["3cosmul"], {"wordgeo, 3cosadd": (works["3cosadd"], 1.0)}


def _in_turns(works: dict[str, Work], rounds: int) -> dict[str, float]:
    """The best time of each, one after the other in every round, so that a busy moment hits all."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            sleep(REST)
            start = perf_counter()
            work()
            best[name] = min(best[name], perf_counter() - start)
    return best


def _unit(model: Embeddings) -> F32:
    norms = np.where(model.norms > 0, model.norms, 1.0).astype(np.float32)
    return np.asarray(model.vectors / norms[:, None])


def product_alone(unit: F32, queries: F32, threads: int) -> None:
    """The scores of all rows and nothing else, in blocks: the faster of BLAS with own threads and one caller each."""
    ways: list[Work] = [partial(_blocks, unit, queries, size) for size in (512, 4096, 32768)]
    if threads > 1:
        ways.append(partial(_callers, unit, queries, threads))
    key = (id(unit), len(queries))
    if key not in _fastest_way:
        _fastest_way[key] = min(range(len(ways)), key=lambda i: _in_turns({"way": ways[i]}, 2)["way"])
    ways[_fastest_way[key]]()


_fastest_way: dict[tuple[int, int], int] = {}


def _blocks(unit: F32, queries: F32, size: int) -> None:
    out = np.empty((size, len(queries)), dtype=np.float32)
    for begin in range(0, len(unit), size):
        part = unit[begin : begin + size]
        np.matmul(part, queries.T, out=out[: len(part)])


def _callers(unit: F32, queries: F32, threads: int) -> None:
    with _one_blas_thread():
        cuts = np.linspace(0, len(unit), threads + 1).astype(int)
        run_blocks(lambda a, b: _blocks(unit[a:b], queries, 4096), list(pairwise(cuts.tolist())), threads)


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def _numpy_top_k(unit: F32, queries: F32, k: int) -> None:
    """What a NumPy user writes: all scores, in blocks of queries that fit in memory."""
    for begin in range(0, len(queries), 100):
        scores = queries[begin : begin + 100] @ unit.T
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        np.take_along_axis(scores, best, axis=1).argsort(axis=1)


def _numpy_analogies(unit: F32, a: Any, b: Any, c: Any) -> None:
    for begin in range(0, len(a), 512):
        part = slice(begin, begin + 512)
        queries = unit[b[part]] - unit[a[part]] + unit[c[part]]
        scores = queries @ unit.T
        for operand in (a, b, c):
            scores[np.arange(len(queries)), operand[part]] = -np.inf
        scores.argmax(axis=1)


def _indexes(unit: F32, threads: int) -> Iterator[tuple[str, Callable[[F32, int], object]]]:
    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(threads)
        flat = faiss.IndexFlatIP(unit.shape[1])
        flat.add(unit)
        yield FAISS, flat.search
    if importlib.util.find_spec("usearch"):
        from usearch.index import search

        yield "usearch exact", lambda queries, k: search(unit, queries, k, "ip", exact=True, threads=threads)


def bandwidth(model: Embeddings, threads: int) -> float:
    """GB/s at which all threads together read the vectors."""
    data = model.vectors.reshape(-1)[: 1 << 27].view(np.uint32)
    cuts = np.linspace(0, len(data), threads + 1).astype(int)
    barrier = threading.Barrier(threads)

    def read(begin: int, end: int) -> None:
        barrier.wait()
        np.bitwise_xor.reduce(data[begin:end])

    blocks = list(pairwise(cuts.tolist()))
    seconds = _in_turns({"read": lambda: run_blocks(read, blocks, threads)}, 3)["read"]
    return float(data.nbytes / seconds / 1e9)


def product_rate(threads: int) -> float:
    """GFLOP/s of float32 products that fit the caches: one on each thread, in BLAS without threads of its own."""
    x = np.random.default_rng(0).standard_normal((1536, 1536), dtype=np.float32)

    def multiply(i: int) -> None:
        x @ x

    with _one_blas_thread():
        seconds = _in_turns({"product": lambda: run_blocks(multiply, [(i,) for i in range(threads)], threads)}, 3)
    return threads * 2 * len(x) ** 3 / seconds["product"] / 1e9
