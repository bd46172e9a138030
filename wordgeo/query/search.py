"""Searches over all rows: shapes the work into blocks for the compiled engine and puts its answers together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.query.screens import GROUP, ROWS_A_TILE, Best, FloatScreen, Queries, Run, choose_screen
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import float_rows, number, row_numbers, whole_number

__all__ = ["combine", "combine_lengths", "cosine_pairs", "farthest_first", "scores_of", "search", "top_k"]

QUERIES_A_BLOCK = 192
FLOAT_QUERIES_A_BLOCK = 512  # BLAS puts the rows in order anew for every block
ROWS_A_SCORE = 1 << 14
SUMS_A_BLOCK = 1 << 11
LEAST_SHARE = 1 << 10
ROWS_A_CALL = 1 << 19
CANDIDATES_A_BLOCK = 1 << 13  # rows gathered at a time when only some rows are searched

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def combine(embeddings: Embeddings, rows: I64, weights: npt.NDArray[np.float64]) -> F32:
    """Unit vectors along weighted sums of unit vectors, float32 [n, d]: q = Σ w_j x_j/|x_j|, normalised.

    `rows` int64 [n, t] (-1 for none) and `weights` float64 [n, t] are the operands, added in their order.
    """
    return combine_lengths(embeddings, rows, weights)[0]


def combine_lengths(
    embeddings: Embeddings, rows: I64, weights: npt.NDArray[np.float64], threads: int | None = None
) -> tuple[F32, F64]:
    """The same, and the lengths of the sums, float64 [n]; `weights` may be the same for all, [t]."""
    n = len(rows)
    out, lengths = np.empty((n, embeddings.dimensions), dtype=np.float32), np.empty(n)
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    weights = np.ascontiguousarray(np.broadcast_to(weights, rows.shape), dtype=np.float64)
    norms = embeddings.norms

    def sums(begin: int) -> None:
        q, scratch = slice(begin, begin + SUMS_A_BLOCK), np.empty(embeddings.dimensions)
        _fast.combine(embeddings.vectors, norms, rows[q], weights[q], out[q], lengths[q], scratch)

    run_blocks(sums, [(begin,) for begin in range(0, n, SUMS_A_BLOCK)], threads)
    return out, lengths


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
    threshold: float | None = None,
    least: bool = False,
    threads: int | None = None,
) -> tuple[I64, F32]:
    """The k rows with the highest cosine for each query: rows int64 [n, k] and scores float32 [n, k].

    `queries` are float32 vectors [n, d], each treated like a row. `exclude` int64 [n, m] holds rows that a query may
    not answer with (-1 for none); `limit` searches only the first `limit` rows, `candidates` only those rows.
    `least` finds the lowest cosines instead, the lowest first. `threshold` drops answers with a score below it
    (above it with `least`). k is at most the number of rows; places that nothing fills have row -1 and score NaN.
    Order: score, then row.
    The result does not depend on the batch, the threads or the instruction set.
    """
    vectors = float_rows("queries", queries, embeddings.dimensions)
    asked = Queries(-vectors if least else vectors)  # cosines with the negative query are the negative cosines
    screen = choose_screen(embeddings, len(asked), k, candidates is None)

    def visit(run: Run, q: slice, best: Best) -> None:
        screen.visit(run, asked[q], best)

    found = search(
        embeddings, len(asked), visit, k=k, exclude=exclude, limit=limit, candidates=candidates, threads=threads,
        block=FLOAT_QUERIES_A_BLOCK if isinstance(screen, FloatScreen) else QUERIES_A_BLOCK,
    )  # fmt: skip
    scores = -found.scores if least else found.scores
    if threshold is not None:
        number("threshold", threshold, -1.0, 1.0)
        dropped = scores > threshold if least else scores < threshold
        found.rows[dropped], scores[dropped] = -1, np.nan
    return found.rows, scores


def scores_of(embeddings: Embeddings, rows: I64, query: F32) -> F32:
    """Cosines of some rows with one query vector, float32 [rows]."""
    length, out = np.empty(1), np.empty(len(rows))
    _fast.norms(query[None, :], length)
    queries = np.tile(query, (len(rows), 1))
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    _fast.cosines(embeddings.vectors, embeddings.norms, rows, queries, np.repeat(length, len(rows)), out)
    return out.astype(np.float32)


def farthest_first(
    embeddings: Embeddings, start: int, *, n: int, candidates: I64 | None = None, threads: int | None = None
) -> tuple[I64, F32]:
    """n rows far from each other: after `start`, always the row whose nearest chosen row is the farthest.

    Returns rows int64 [m] in the order they were chosen and float32 [m], the cosine of each with the nearest row
    chosen before it (NaN for the first); m is less than n where candidates run out. Ties by row. (Gonzalez 1985.)
    """
    whole_number("n", n, 1)
    threads = resolve_threads(threads)
    pool = np.arange(len(embeddings)) if candidates is None else np.unique(candidates)
    nearest = np.full(len(embeddings), -np.inf, dtype=np.float32)
    blocks = [(begin, min(begin + ROWS_A_SCORE, len(embeddings))) for begin in range(0, len(embeddings), ROWS_A_SCORE)]
    rows, scores = [start], [float("nan")]
    while len(rows) < n:
        query, length = embeddings.vectors[rows[-1]].astype(np.float64), float(embeddings.norms[rows[-1]])

        def update(begin: int, end: int, query: npt.NDArray[np.float64] = query, length: float = length) -> None:
            out = np.empty(end - begin, dtype=np.float32)
            _fast.scores(
                embeddings.vectors[begin:end], embeddings.norms[begin:end], query, length, out, np.empty(end - begin)
            )
            np.maximum(nearest[begin:end], out, out=nearest[begin:end])

        run_blocks(update, blocks, threads)
        pool = pool[pool != rows[-1]]
        if not len(pool):
            break
        rows.append(int(pool[np.argmin(nearest[pool])]))
        scores.append(float(nearest[rows[-1]]))
    return np.array(rows, dtype=np.int64), np.array(scores, dtype=np.float32)


def search(
    embeddings: Embeddings,
    n: int,
    visit: Callable[[Run, slice, Best], None],
    *,
    k: int,
    exclude: I64 | None = None,
    limit: int | None = None,
    candidates: I64 | None = None,
    threads: int | None = None,
    block: int = QUERIES_A_BLOCK,
    rows_a_run: int | None = None,
    finish: Callable[[slice, Best], None] | None = None,
) -> Best:
    """Lays n queries × rows out in blocks, lets `visit` fill the best of each, and merges those of the same query.

    With `rows_a_run`, threads that share the rows take runs of up to so many in turns; else equal parts.
    `finish` is called when all runs of a best are over.
    """
    whole_number("k", k, 1)
    threads = resolve_threads(threads)
    size = len(embeddings) if limit is None else min(len(embeddings), whole_number("limit", limit, 1))
    if candidates is not None:
        candidates = np.unique(row_numbers("candidates", candidates, (-1,)))
        if len(candidates) and not 0 <= candidates[0] <= candidates[-1] < len(embeddings):
            wrong = candidates[0] if candidates[0] < 0 else candidates[-1]
            raise OptionError(f"candidates has row {wrong}; the model has rows 0 to {len(embeddings) - 1}")
        candidates = candidates[candidates < size]
        size = len(candidates)
    k = min(k, max(size, 1))
    exclude = np.empty((n, 0), dtype=np.int64) if exclude is None else row_numbers("exclude", exclude, (n, -1))
    exclude = np.ascontiguousarray(_places(exclude, candidates), dtype=np.int64)
    embeddings.norms  # noqa: B018  (computed here once, and not by every thread)

    many = -(-n // block)
    if many > threads:  # as many for every thread
        many = -(-many // threads) * threads
    block = max(1, -(-n // max(many, 1)))
    blocks = [slice(begin, min(begin + block, n)) for begin in range(0, n, block)]
    # Few queries: the threads share the rows. Many: each takes queries of its own, and no merging is needed.
    parts = 1 if len(blocks) >= threads else max(1, min(threads, size // ROWS_A_TILE))
    if rows_a_run is not None:
        cuts = _growing(size, parts, rows_a_run)
    else:
        runs = max(parts, -(-size // ROWS_A_CALL))
        cuts = [size * run // runs // GROUP * GROUP for run in range(runs)] + [size]
    answers = [[Best(exclude[q], k) for _ in range(parts)] for q in blocks]
    free = [list(bests) for bests in answers]

    def work(block: int, begin: int, end: int) -> None:
        best = free[block].pop()  # a block has one for each thread that may work on it
        for run in _runs(embeddings, begin, end, candidates):
            visit(run, blocks[block], best)
        free[block].append(best)

    def conclude(block: int, part: int) -> None:
        best = answers[block][part]
        if finish is not None:
            finish(blocks[block], best)
        best.finish()

    # A call of the engine is not interrupted, so that Ctrl-C waits for one call at most.
    every = range(len(blocks))
    if parts > 1:
        run_blocks(work, [(block, *run) for run in pairwise(cuts) for block in every], threads)
    else:
        for run in pairwise(cuts):
            run_blocks(work, [(block, *run) for block in every], threads)
    run_blocks(conclude, [(block, part) for block in every for part in range(parts)], threads)
    merged = Best.joined([Best.merged(bests) for bests in answers], exclude, k)
    if candidates is not None and size:
        merged.rows = np.where(merged.rows >= 0, candidates[merged.rows], -1)
    return merged


def _growing(size: int, parts: int, most: int) -> list[int]:
    """Cuts of rows into runs: short at first, when nothing is known, and at last, when no thread should wait."""
    cuts = [0]
    while cuts[-1] < size:
        share = max(min(cuts[-1], (size - cuts[-1]) // (2 * parts), most), LEAST_SHARE)
        cuts.append(min(cuts[-1] + share // GROUP * GROUP, size))
    return cuts


def _runs(embeddings: Embeddings, begin: int, end: int, candidates: I64 | None) -> Iterator[Run]:
    if begin == end:
        return
    if candidates is None:
        yield Run(embeddings, begin, end)
        return
    for at in range(begin, end, CANDIDATES_A_BLOCK):
        yield Run(embeddings, at, min(at + CANDIDATES_A_BLOCK, end), candidates)


def _places(rows: I64, candidates: I64 | None) -> I64:
    """Where excluded rows stand among the candidates; -1 for those that are none."""
    if candidates is None or not len(candidates):
        return rows
    places = np.searchsorted(candidates, rows)
    return np.where(candidates[np.minimum(places, len(candidates) - 1)] == rows, places, -1)
