"""The query engine beside its peers on one model: every ratio from one run, peers only where they are installed."""

from __future__ import annotations

import contextlib
import importlib.util
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.evaluation import evaluate
from wordgeo.progress import Progress, resolve_progress
from wordgeo.query import WordVectors
from wordgeo.query.analogies import METHODS, analogies
from wordgeo.query.search import top_k
from wordgeo.results import Result, Table
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["BenchReport", "Timing", "bench", "random_model"]

F32 = npt.NDArray[np.float32]

PRODUCT = "product alone"  # the BLAS product of queries and rows without any selection: the fastest of several ways


@dataclass(frozen=True)
class Timing:
    """`work` by wordgeo and by a peer: the best time of each over the rounds, in seconds; ratio = peer / wordgeo."""

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


def random_model(words: int = 100_000, dimensions: int = 200, seed: int = 1) -> WordVectors:
    """Vectors without meaning: normal directions, with the norms and the common part that trained vectors have."""
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((words, dimensions), dtype=np.float32)
    matrix += 0.3 * rng.standard_normal(dimensions, dtype=np.float32)
    return WordVectors(Vocabulary.from_words(f"w{i}" for i in range(words)), matrix)


def bench(
    model: Embeddings,
    *,
    queries: int = 1000,
    k: int = 10,
    rounds: int = 5,
    gensim_evaluation: bool = False,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> BenchReport:
    """Times single and batched neighbours, and analogies, beside NumPy, gensim, faiss and usearch where installed.

    `gensim_evaluation` adds the Google set by gensim's own evaluation, which takes half a minute and more.
    """
    queries = min(whole_number("queries", queries, 1), len(model))
    rounds = whole_number("rounds", rounds, 1)
    threads = resolve_threads(threads)
    report = resolve_progress(progress)
    cases = list(_cases(model, queries, k, threads))
    if gensim_evaluation:
        cases.append(_google(model, threads))
    timings: list[Timing] = []
    report.start("measuring", len(cases), "cases")
    try:
        for work, ours, peers in cases:
            best = _in_turns({"wordgeo": ours, **peers}, rounds if work != GOOGLE else 1)
            timings += [Timing(work, peer, best["wordgeo"], best[peer]) for peer in peers]
            report.advance(1)
    finally:
        report.finish()
    return BenchReport(
        len(model), model.dimensions, threads, _fast.instruction_set(), rounds, _bandwidth(model, threads),
        _product_rate(), tuple(timings),
    )  # fmt: skip


GOOGLE = "Google set, 3CosAdd"
Work = Callable[[], object]


def _cases(model: Embeddings, queries: int, k: int, threads: int) -> Iterator[tuple[str, Work, dict[str, Work]]]:
    unit = _unit(model)
    rows = np.linspace(0, len(model) - 1, queries).astype(np.int64)
    asked, asked_unit = np.ascontiguousarray(model.vectors[rows]), np.ascontiguousarray(unit[rows])
    top_k(model, asked[:16], k=k, threads=threads)  # the int8 copy, where there is one, is made before the clock starts

    for n in (1, queries):
        peers: dict[str, Work] = {
            f"BLAS, {PRODUCT}": partial(_product, unit, asked_unit[:n], threads),
            "numpy + argpartition": partial(_numpy_top_k, unit, asked_unit[:n], k),
            **{name: partial(search, asked_unit[:n], k) for name, search in _indexes(unit, threads)},
        }
        name = f"{n} {'query' if n == 1 else 'queries'}, top {k}"
        yield name, partial(top_k, model, asked[:n], k=k, threads=threads), peers

    a, b, c = np.random.default_rng(0).choice(min(len(model), 1000), (3, 10 * queries))
    peers = {"numpy, products and argmax": lambda: _numpy_analogies(unit, a, b, c)}
    for method in METHODS:
        work = partial(analogies, model, a, b, c, k=5, method=method, threads=threads)
        yield f"{10 * queries} analogies, {method}", work, peers
        peers = {"wordgeo, 3cosadd": partial(analogies, model, a, b, c, k=5, threads=threads)}


def _google(model: Embeddings, threads: int) -> tuple[str, Work, dict[str, Work]]:
    gensim = importlib.util.find_spec("gensim")
    questions = Path(str(gensim and gensim.origin)).parent / "test" / "test_data" / "questions-words.txt"
    vectors = model.to_gensim()
    return (
        GOOGLE,
        lambda: evaluate(model, "google", threads=threads),
        {"gensim evaluate_word_analogies": lambda: vectors.evaluate_word_analogies(str(questions))},
    )


def _in_turns(works: dict[str, Work], rounds: int) -> dict[str, float]:
    """The best time of each, one after the other in every round, so that a busy moment hits all."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            start = perf_counter()
            work()
            best[name] = min(best[name], perf_counter() - start)
    return best


def _unit(model: Embeddings) -> F32:
    norms = np.where(model.norms > 0, model.norms, 1.0).astype(np.float32)
    return np.asarray(model.vectors / norms[:, None])


def _product(unit: F32, queries: F32, threads: int) -> None:
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
        yield "faiss IndexFlatIP", flat.search
    if importlib.util.find_spec("usearch"):
        from usearch.index import search

        yield "usearch exact", lambda queries, k: search(unit, queries, k, "ip", exact=True, threads=threads)


def _bandwidth(model: Embeddings, threads: int) -> float:
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


def _product_rate() -> float:
    """GFLOP/s of a float32 product that fits the caches, BLAS with its own threads."""
    x = np.random.default_rng(0).standard_normal((2048, 2048), dtype=np.float32)
    return 2 * 2048**3 / _in_turns({"product": lambda: x @ x}, 3)["product"] / 1e9
