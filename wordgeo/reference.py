"""Slow twins of the compiled engine, in NumPy: the same functions with the same arguments and the same bytes.

They state the rule of scores without blocks, screens or heaps. Tests compare the two; scratch arguments are ignored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "analogies",
    "combine",
    "cosines",
    "dots",
    "norms",
    "pair_scores",
    "quantise",
    "quantise_queries",
    "quantise_words",
    "scan",
    "scores",
    "screen",
    "screen8",
    "sort_best",
    "turn",
    "visit",
    "visit8",
]

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


def scores(matrix: F32, norms: F64, query: F64, query_norm: float, out: F32, scratch: Any) -> None:
    """out[i] = cos(matrix[i], query), for all rows."""
    out[:] = _cosines(matrix, norms, query, query_norm)


def combine(matrix: F32, norms: F64, rows: I64, weights: F64, out: F32, lengths: F64, scratch: Any) -> None:
    """out[i] = the unit vector along the weighted sum of unit vectors, in the order of the operands; and its length."""
    for i in range(len(rows)):
        total = np.zeros(matrix.shape[1])
        for row, weight in zip(rows[i], weights[i], strict=True):
            if row >= 0 and norms[row] > 0:
                total = total + weight * (matrix[row].astype(np.float64) / norms[row])
        length = lengths[i] = np.sqrt(dots(total * total))
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


def screen8(
    matrix: F32,
    norms: F64,
    codes: Any,
    scales: Any,
    errors: Any,
    begin: int,
    end: int,
    query_codes: Any,
    parts: Any,
    corrections: Any,
    query_scales: Any,
    slack: Any,
    queries: F32,
    query_norms: F64,
    exclude: I64,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    *scratch: Any,
) -> None:
    """What `scan` gives for the rows from `begin` to `end`."""
    run = slice(begin, end)
    scan(
        matrix[run], norms[run], begin, queries.astype(float), query_norms, exclude, best_scores, best_rows, held, None
    )


def cosines(matrix: F32, norms: F64, rows: I64, queries: F32, query_norms: F64, out: F64) -> None:
    """out[i] = cos(matrix[rows[i]], queries[i]), not yet rounded to float32."""
    for i, row in enumerate(rows):
        out[i] = _cosines(matrix[row : row + 1], norms[row : row + 1], queries[i].astype(float), query_norms[i])[0]


def analogies(
    method: int,
    matrix: F32,
    norms: F64,
    ids: I64,
    begin: int,
    end: int,
    questions: npt.NDArray[np.int32],
    vectors: F32,
    word_norms: F64,
    lengths: Any,
    queries: F32,
    query_norms: F64,
    shifts: F64,
    epsilon: float,
    exclude: I64,
    gold: F32,
    ranks: I64,
    floors: Any,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    *scratch: Any,
) -> None:
    """3CosAdd (method 0), 3CosMul (1) and PairDirection (2): every row scored for every question."""
    rows = ids[begin:end] if len(ids) else np.arange(begin, end)
    matrix, norms = matrix[rows], norms[rows]
    for q, (a, b, c) in enumerate(questions):
        of_query = _cosines(matrix, norms, queries[q].astype(float), query_norms[q])
        of_a, of_b, of_c = (_cosines(matrix, norms, vectors[w].astype(float), word_norms[w]) for w in (a, b, c))
        if method == 0:
            values = of_query
        elif method == 1:
            values = (of_b + 1.0) / 2.0 * ((of_c + 1.0) / 2.0) / ((of_a + 1.0) / 2.0 + epsilon)
        else:
            square = 2.0 - 2.0 * of_c
            defined = (square > 0) & (norms > 0) & (word_norms[c] > 0) & (query_norms[q] > 0)
            values = np.where(defined, (of_query - shifts[q]) / np.sqrt(np.where(defined, square, 1.0)), 0.0)
        scores = values.astype(np.float32)
        ranks[q] += [(scores > gold[q]).sum(), (scores >= gold[q]).sum()]
        _offer(scores, begin, exclude[q], best_scores, best_rows, held, q)


def sort_best(best_scores: F32, best_rows: I64, held: I64) -> None:
    """Orders what is held by (score descending, row ascending)."""
    for q in range(len(held)):
        n = int(held[q])
        order = np.lexsort((best_rows[q, :n], -best_scores[q, :n]))
        best_scores[q, :n] = best_scores[q, order]
        best_rows[q, :n] = best_rows[q, order]


def quantise(
    matrix: F32,
    norms: F64,
    begin: int,
    count: int,
    leading: I64,
    shifts: I64,
    codes: Any,
    scales: F32,
    errors: F32,
    leading_errors: F32,
) -> None:
    """Codes of a run of rows in 1..255, in groups of 16 (see _kernels/quantised.h), their scales and errors."""
    d = matrix.shape[1]
    steps = -(-d // 4)
    groups = codes.reshape(-1, steps, 16, 4)
    for r in range(begin, begin + count):
        most = float(np.abs(matrix[r]).max())
        if most == 0:
            scales[r] = errors[r] = leading_errors[:, r] = 0
            continue
        units = min(2 * np.floor(63.5 * norms[r] / most), 4000)
        scaled = matrix[r].astype(np.float64) * (units / norms[r])
        whole = np.rint(scaled)
        padded = np.full(4 * steps, 128, dtype=np.uint8)
        padded[:d] = whole + 128
        groups[r // 16, :, r % 16] = padded.reshape(steps, 4)
        scales[r] = 1 / units
        off = 0.0
        parts = zip([0, *leading], [*leading, d], [*leading_errors, errors], shifts, strict=True)
        for first, last, error, shift in parts:
            for start in range(first, last, 256):
                run = slice(start, min(start + 256, last))
                off += _squares(scaled[run] - whole[run]) * 0.25**shift
            error[r] = np.sqrt(off) * (1 / units) * (1.0 + 1e-6) + 1e-6


def quantise_queries(unit: F32, parts: int, codes: Any, corrections: Any, scales: F32, errors: F32) -> None:
    """Codes of unit queries: whole numbers up to 127, or up to 256 * 127 as high and low bytes."""
    d = unit.shape[1]
    codes[:], corrections[:] = 0, 0
    for q, query in enumerate(unit.astype(np.float64)):
        most = np.abs(query).max()
        step = most / (127.0 if parts == 1 else 32512.0)
        scaled = query / step if most > 0 else query
        whole = np.floor(scaled + 0.5).astype(np.int64)
        high = whole if parts == 1 else (whole + 128) >> 8
        codes[q, 0, :d], codes[q, 1, :d] = high, 0 if parts == 1 else whole - 256 * high
        corrections[q] = -128 * codes[q].astype(np.int32).sum(axis=1)
        scales[q] = step
        off = np.cumsum((scaled - whole) ** 2)[-1]
        errors[q] = np.sqrt(off) * step * (1.0 + 1e-6) + 1e-6


def quantise_words(matrix: F32, norms: F64, length: float, codes: Any, errors: F64) -> None:
    """codes[w] = length matrix[w] / |matrix[w]|, rounded to whole numbers, and bounds of what that changes."""
    d = matrix.shape[1]
    codes[:] = 0
    for w, row in enumerate(matrix.astype(np.float64)):
        value = row * (length / norms[w] if norms[w] > 0 else 0.0)
        codes[w, :d] = np.rint(value)
        errors[w] = np.sqrt(_squares(value - np.rint(value))) / length * (1.0 + 1e-6) + 1e-9


def _squares(x: F64) -> float:
    lanes = np.zeros(8)
    for begin in range(0, len(x), 8):
        part = x[begin : begin + 8]
        lanes[: len(part)] += part * part
    for half in (4, 2, 1):
        lanes = lanes[:half] + lanes[half:]
    return float(lanes[0])


def turn(matrix: F32, norms: F64, axes: F32, leading: I64, shifts: I64, out: F32, head: F32, rests: F32) -> None:
    """The products of rows with some axes."""
    turned = matrix.astype(np.float64) @ axes.T.astype(np.float64)
    lengths = np.where(norms > 0, norms, 1)
    out[:, :-1], out[:, -1] = turned[:, :-1], 0
    head[:] = turned[:, -1] / lengths
    powers = np.repeat(0.5**shifts, np.diff([0, *leading, matrix.shape[1] - 1]))
    for first, rest in zip(leading, rests, strict=True):
        rest[:] = np.linalg.norm(turned[:, first:-1] * powers[first:], axis=1) / lengths


def visit(
    matrix: F32,
    norms: F64,
    scale: Any,
    errors: Any,
    first: int,
    unit: F32,
    slack: Any,
    begin: int,
    end: int,
    both: bool,
    pools: Any,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    *scratch: Any,
) -> None:
    """Offers the rows J = begin .. end to the words I and, with `both`, the rows I to the words J: nothing waits."""
    order = np.arange(len(matrix))
    _meet(matrix, norms, order[first : first + len(slack)], order[begin:end], both, best_scores, best_rows, held)


def visit8(
    matrix: F32,
    norms: F64,
    codes: Any,
    of_rows: Any,
    row_pairs: Any,
    order: npt.NDArray[np.uint32],
    leading: I64,
    shifts: I64,
    first: int,
    word_codes: Any,
    part_corrections: Any,
    of_words: F32,
    word_pairs: Any,
    rounding: float,
    begin: int,
    end: int,
    both: bool,
    pools: Any,
    best_scores: F32,
    best_rows: I64,
    held: I64,
    *scratch: Any,
) -> None:
    """The same for places in an order."""
    words, rows = order[first : first + of_words.shape[1]], order[begin:end]
    _meet(matrix, norms, words, rows, both, best_scores, best_rows, held)


def _meet(
    matrix: F32, norms: F64, words: Any, rows: Any, both: bool, best_scores: F32, best_rows: I64, held: I64
) -> None:
    for some, others in ((words, rows), (rows, words))[: 1 + both]:
        for word in some:
            scores = _cosines(matrix, norms, matrix[word].astype(float), norms[word]).astype(np.float32)
            for row in np.sort(others):
                _offer(scores[row : row + 1], row, np.array([word]), best_scores, best_rows, held, word)
