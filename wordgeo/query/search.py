"""Searches over all rows: shapes the work into blocks for the compiled engine and puts its answers together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import choice, float_rows, whole_number

__all__ = ["COSMUL_EPSILON", "METHODS", "analogy_queries", "analogy_top_k", "combine", "cosine_pairs", "top_k"]

METHODS = ("3cosadd", "3cosmul")
COSMUL_EPSILON = 1e-6

FEW_QUERIES = 3  # up to so many are scored outright: reading the rows takes longer than multiplying them
QUERIES_A_BLOCK = 192  # queries and rows of a tile of float32 scores, which has to stay in the second-level cache
ROWS_A_TILE = 512
ROWS_A_SCAN = 256
CANDIDATES_A_BLOCK = 1 << 13  # rows gathered at a time when only some rows are searched
SAFE_NORMS = 2.0**-60, 2.0**60

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


def combine(embeddings: Embeddings, rows: I64, weights: npt.NDArray[np.float64]) -> F32:
    """Unit vectors along weighted sums of unit vectors, float32 [n, d]: q = Σ w_j x_j/|x_j|, normalised.

    `rows` int64 [n, t] (-1 for none) and `weights` float64 [n, t] are the operands, added in their order.
    """
    out = np.empty((len(rows), embeddings.dimensions), dtype=np.float32)
    scratch = np.empty(embeddings.dimensions, dtype=np.float64)
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    _fast.combine(embeddings.vectors, embeddings.norms, rows, np.ascontiguousarray(weights, np.float64), out, scratch)
    return out


def analogy_queries(embeddings: Embeddings, a: I64, b: I64, c: I64) -> F32:
    """The 3CosAdd query of each analogy "a is to b as c is to ?": the unit vector along b - a + c."""
    return combine(embeddings, np.stack([b, a, c], axis=1), np.tile([1.0, -1.0, 1.0], (len(a), 1)))


def cosine_pairs(embeddings: Embeddings, a: I64, b: I64) -> F32:
    """Cosine similarity of the vectors in rows a[i] and b[i], float32 [n]."""
    out = np.empty(len(a), dtype=np.float32)
    rows = (np.ascontiguousarray(a, dtype=np.int64), np.ascontiguousarray(b, dtype=np.int64))
    _fast.pair_scores(embeddings.vectors, embeddings.norms, *rows, out)
    return out


def top_k(
    embeddings: Embeddings,
    queries: npt.ArrayLike,
    *,
    k: int,
    exclude: I64 | None = None,
    limit: int | None = None,
    candidates: I64 | None = None,
    threads: int | None = None,
) -> tuple[I64, F32]:
    """The k rows with the highest cosine for each query: rows int64 [n, k] and scores float32 [n, k].

    `queries` are float32 vectors [n, d], each treated like a row. `exclude` int64 [n, m] holds rows that a query may
    not answer with (-1 for none); `limit` searches only the first `limit` rows, `candidates` only those rows.
    Order: score, then row. Places that nothing fills have row -1 and score NaN.
    The result does not depend on the batch, the threads or the instruction set.
    """
    vectors = float_rows("queries", queries, embeddings.dimensions)
    wide = vectors.astype(np.float64)
    lengths = np.empty(len(vectors), dtype=np.float64)
    _fast.norms(vectors, lengths)
    scale = _Screen(embeddings) if len(vectors) > FEW_QUERIES else None
    unit = _unit(wide, lengths) if scale else None

    def visit(run: _Run, q: slice, best: _Best) -> None:
        if scale is None or unit is None:
            rows = np.empty(ROWS_A_SCAN, dtype=np.float64)
            _fast.scan(run.matrix, run.norms, run.first, wide[q], lengths[q], best.exclude, *best.heaps, rows)
        else:
            _fast.screen(
                run.matrix, run.norms, scale.of(run), run.first, unit[q], wide[q], lengths[q], best.exclude,
                scale.slack, *best.heaps, *_scratch(len(best.exclude)),
            )  # fmt: skip

    return _search(embeddings, len(vectors), visit, k, exclude, limit, candidates, threads)


def analogy_top_k(
    embeddings: Embeddings,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    c: npt.ArrayLike,
    *,
    k: int,
    method: str = "3cosadd",
    limit: int | None = None,
    exclude: bool = True,
    candidates: I64 | None = None,
    threads: int | None = None,
) -> tuple[I64, F32]:
    """The k best answers d to each "a is to b as c is to d", for rows a, b, c (int64 [n]): as `top_k` returns them.

    3cosadd: cos(d, b - a + c) over unit vectors (Mikolov, Yih & Zweig 2013). 3cosmul: s(d, b) s(d, c) / (s(d, a) + ε),
    s = (cos + 1) / 2, ε = 1e-6 (Levy & Goldberg 2014). With `exclude`, a, b and c are no answers.
    """
    choice("method", method, METHODS)
    a, b, c = (np.ascontiguousarray(rows, dtype=np.int64) for rows in (a, b, c))
    excluded = np.stack([a, b, c], axis=1) if exclude else None
    if method == "3cosadd":
        queries = analogy_queries(embeddings, a, b, c)
        return top_k(embeddings, queries, k=k, exclude=excluded, limit=limit, candidates=candidates, threads=threads)
    scale = _Screen(embeddings)
    ones = np.ones(ROWS_A_TILE, dtype=np.float32)

    def visit(run: _Run, q: slice, best: _Best) -> None:
        operands = np.concatenate([a[q], b[q], c[q]])
        wide, lengths = embeddings.vectors[operands].astype(np.float64), embeddings.norms[operands]
        _fast.screen_cosmul(
            run.matrix, run.norms, scale.of(run), ones, run.first, _unit(wide, lengths), wide, lengths, best.exclude,
            COSMUL_EPSILON, scale.slack, *best.heaps, *_scratch(len(operands)),
        )  # fmt: skip

    return _search(embeddings, len(a), visit, k, excluded, limit, candidates, threads)


class _Run:
    """A run of rows: part of the model's matrix, or candidates gathered from it."""

    def __init__(self, embeddings: Embeddings, rows: slice | I64, first: int) -> None:
        self.rows, self.first = rows, first
        self.matrix, self.norms = embeddings.vectors[rows], embeddings.norms[rows]


class _Best:
    """The heaps of a block of queries, and the rows these may not answer with."""

    def __init__(self, exclude: I64, k: int) -> None:
        n = len(exclude)
        self.exclude = exclude
        self.scores = np.empty((n, k), dtype=np.float32)
        self.rows = np.empty((n, k), dtype=np.int64)
        self.held = np.zeros(n, dtype=np.int64)

    @property
    def heaps(self) -> tuple[F32, I64, I64]:
        return self.scores, self.rows, self.held

    def finish(self) -> None:
        _fast.sort_best(*self.heaps)
        unfilled = np.arange(self.rows.shape[1]) >= self.held[:, None]
        self.rows[unfilled], self.scores[unfilled] = -1, np.nan


class _Screen:
    """What screening needs beside the rows: the factor of each row, and the bound of the error (see _fast.pyx)."""

    def __init__(self, embeddings: Embeddings) -> None:
        norms = embeddings.norms
        d = embeddings.dimensions
        error = (d + 8) * 2.0**-24
        # Twice what the proof asks for: the margin covers the rounding of scores and of the threshold.
        self.slack = 2 * error / (1 - error) + 2.0**-22 if error < 0.25 else float("nan")
        safe = (norms >= SAFE_NORMS[0]) & (norms <= SAFE_NORMS[1])
        with np.errstate(divide="ignore", over="ignore"):
            self._scale = np.where(safe, 1.0 / norms, np.where(norms == 0, 0.0, np.nan)).astype(np.float32)

    def of(self, run: _Run) -> F32:
        return self._scale[run.rows]


def _search(
    embeddings: Embeddings,
    n: int,
    visit: Callable[[_Run, slice, _Best], None],
    k: int,
    exclude: I64 | None,
    limit: int | None,
    candidates: I64 | None,
    threads: int | None,
) -> tuple[I64, F32]:
    """Lays queries × rows out in blocks, lets `visit` fill the heaps of each, and merges those of the same query."""
    whole_number("k", k, 1)
    threads = resolve_threads(threads)
    size = len(embeddings) if limit is None else min(len(embeddings), whole_number("limit", limit, 1))
    if candidates is not None:
        candidates = np.unique(np.asarray(candidates, dtype=np.int64))
        candidates = candidates[candidates < size]
        size = len(candidates)
    k = min(k, max(size, 1))
    if exclude is None:
        exclude = np.empty((n, 0), dtype=np.int64)
    exclude = np.ascontiguousarray(_places(exclude, candidates), dtype=np.int64)
    embeddings.norms  # noqa: B018  (computed here once, and not by every thread)

    blocks = [slice(begin, min(begin + QUERIES_A_BLOCK, n)) for begin in range(0, n, QUERIES_A_BLOCK)]
    # Few queries: the threads share the rows. Many: each takes queries of its own, and no merging is needed.
    parts = 1 if len(blocks) >= threads else max(1, min(threads, size // ROWS_A_TILE))
    cuts = np.linspace(0, size, parts + 1).astype(int).tolist()
    answers = [[_Best(exclude[q], k) for _ in range(parts)] for q in blocks]

    def work(block: int, part: int) -> None:
        best = answers[block][part]
        for run in _runs(embeddings, cuts[part], cuts[part + 1], candidates):
            visit(run, blocks[block], best)
        best.finish()

    run_blocks(work, [(block, part) for block in range(len(blocks)) for part in range(parts)], threads)
    rows = np.empty((n, k), dtype=np.int64)
    scores = np.empty((n, k), dtype=np.float32)
    for q, bests in zip(blocks, answers, strict=True):
        rows[q], scores[q] = _merged(bests, k)
    if candidates is not None:
        rows = np.where(rows >= 0, candidates[rows], -1) if size else rows
    return rows, scores


def _runs(embeddings: Embeddings, begin: int, end: int, candidates: I64 | None):  # type: ignore[no-untyped-def]
    if begin == end:
        return
    if candidates is None:
        yield _Run(embeddings, slice(begin, end), begin)
        return
    for at in range(begin, end, CANDIDATES_A_BLOCK):
        yield _Run(embeddings, candidates[at : min(at + CANDIDATES_A_BLOCK, end)], at)


def _merged(bests: list[_Best], k: int) -> tuple[I64, F32]:
    if len(bests) == 1:
        return bests[0].rows, bests[0].scores
    rows = np.concatenate([best.rows for best in bests], axis=1)
    scores = np.concatenate([best.scores for best in bests], axis=1)
    order = np.lexsort((rows, -scores))[:, :k]  # NaN, where nothing is held, sorts last
    return np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)


def _places(rows: I64, candidates: I64 | None) -> I64:
    """Where excluded rows stand among the candidates; -1 for those that are none."""
    if candidates is None or not len(candidates):
        return rows
    places = np.searchsorted(candidates, rows)
    return np.where(candidates[np.minimum(places, len(candidates) - 1)] == rows, places, -1)


def _unit(wide: npt.NDArray[np.float64], lengths: npt.NDArray[np.float64]) -> F32:
    return (wide / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32)


def _scratch(queries: int) -> tuple[F32, npt.NDArray[np.uint32]]:
    return np.empty((queries, ROWS_A_TILE), dtype=np.float32), np.empty(ROWS_A_TILE, dtype=np.uint32)
