"""Slow twins of the compiled engine, in NumPy: the same functions with the same arguments and the same bytes.

They state the rule of scores without blocks, screens or heaps. Tests compare the two; scratch arguments are ignored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["combine", "dots", "norms", "pair_scores", "scan", "screen", "screen_cosmul", "sort_best"]

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def dots(products: F64) -> F64:
    """Sums of the last axis in the engine's order: 16 lanes from the left, then a tree of pairs. [..., d] -> [...]."""
    lanes = np.zeros((*products.shape[:-1], 16))
    for begin in range(0, products.shape[-1], 16):
        part = products[..., begin : begin + 16]
        lanes[..., : part.shape[-1]] += part
    for half in (8, 4, 2, 1):
        lanes = lanes[..., :half] + lanes[..., half : 2 * half]
    return np.asarray(lanes[..., 0])


def norms(matrix: F32, out: F64) -> None:
    """out[i] = |matrix[i]|."""
    wide = matrix.astype(np.float64)
    out[:] = np.sqrt(dots(wide * wide))


def _cosines(matrix: F32, norms: F64, query: F64, query_norm: float) -> F64:
    """Float64 cosines of all rows with one query; 0 where either is zero."""
    product = norms * query_norm
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(product > 0, dots(matrix.astype(np.float64) * query) / product, 0.0)


def pair_scores(matrix: F32, norms: F64, a: I64, b: I64, out: F32) -> None:
    """out[i] = cos(matrix[a[i]], matrix[b[i]])."""
    for i in range(len(out)):
        row = slice(a[i], a[i] + 1)
        out[i] = _cosines(matrix[row], norms[row], matrix[b[i]].astype(np.float64), norms[b[i]])[0]


def combine(matrix: F32, norms: F64, rows: I64, weights: F64, out: F32, scratch: Any) -> None:
    """out[i] = the unit vector along the weighted sum of unit vectors, in the order of the operands."""
    for i in range(len(rows)):
        total = np.zeros(matrix.shape[1])
        for row, weight in zip(rows[i], weights[i], strict=True):
            if row >= 0 and norms[row] > 0:
                total = total + weight * (matrix[row].astype(np.float64) / norms[row])
        length = np.sqrt(dots(total * total))
        out[i] = (total / length).astype(np.float32) if length > 0 else 0.0


def _offer(scores: F32, first: int, excluded: I64, best_scores: F32, best_rows: I64, held: I64, q: int) -> None:
    """Merges the scores of a run of rows into the k best of query q."""
    rows = first + np.arange(len(scores), dtype=np.int64)
    kept = ~np.isin(rows, excluded)
    n = int(held[q])
    all_scores = np.concatenate([best_scores[q, :n], scores[kept]])
    all_rows = np.concatenate([best_rows[q, :n], rows[kept]])
    order = np.lexsort((all_rows, -all_scores))[: best_scores.shape[1]]
    held[q] = len(order)
    best_scores[q, : len(order)] = all_scores[order]
    best_rows[q, : len(order)] = all_rows[order]


def scan(
    matrix: F32,
    norms: F64,
    first: int,
    queries: F64,
    query_norms: F64,
    exclude: I64,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    scratch: Any,
) -> None:
    """Offers every row of the run to the k best of each query."""
    for q in range(len(queries)):
        scores = _cosines(matrix, norms, queries[q], query_norms[q]).astype(np.float32)
        _offer(scores, first, exclude[q], best_scores, best_rows, held, q)


def screen(
    matrix: F32,
    norms: F64,
    scale: Any,
    first: int,
    unit: Any,
    queries: F64,
    query_norms: F64,
    exclude: I64,
    slack: float,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    tile: Any,
    chosen: Any,
) -> None:
    """What `scan` gives: a screen never shows in the result."""
    scan(matrix, norms, first, queries, query_norms, exclude, best_scores, best_rows, held, None)


def screen_cosmul(
    matrix: F32,
    norms: F64,
    scale: Any,
    ones: Any,
    first: int,
    unit: Any,
    queries: F64,
    query_norms: F64,
    exclude: I64,
    epsilon: float,
    slack: float,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    tile: Any,
    chosen: Any,
) -> None:
    """3CosMul: s(x, b) s(x, c) / (s(x, a) + epsilon) with s = (cos + 1) / 2."""
    m = len(best_scores)
    for q in range(m):
        a, b, c = ((_cosines(matrix, norms, queries[i], query_norms[i]) + 1.0) / 2.0 for i in (q, m + q, 2 * m + q))
        _offer((b * c / (a + epsilon)).astype(np.float32), first, exclude[q], best_scores, best_rows, held, q)


def sort_best(best_scores: F32, best_rows: I64, held: I64) -> None:
    """Orders what is held by (score descending, row ascending)."""
    for q in range(len(held)):
        n = int(held[q])
        order = np.lexsort((best_rows[q, :n], -best_scores[q, :n]))
        best_scores[q, :n] = best_scores[q, order]
        best_rows[q, :n] = best_rows[q, order]
