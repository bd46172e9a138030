"""Rows along their leading principal axes, which tell most of a product: fewer int8 products for a graph.

Let Q have h orthonormal columns. For unit vectors u and v

    u . v  =  Q'u . Q'v + rest . rest'  <=  Q'u . Q'v + |rest| |rest'|         |rest|^2 = 1 - |Q'u|^2

so the product of the vectors (Q'u, |rest|) and (Q'v, |rest'|) of h + 1 elements is not below the cosine, and the less
they leave out the closer it is. In float32 Q'u becomes a, off by at most e = 2 sqrt(h) (d + 8) 2**-24 in length: each
of h elements by (d + 8) 2**-24 (see `_fast`), and by 2**-24 sqrt(h) since Q was rounded. As |Q'u| >= |a| - e,

    |rest|^2  <=  1 - |a|^2 + 3 e          Q'u . Q'v  <=  a . b + 3 e

for the first of which 1 - |a|^2 + 4 e is kept, since |a|^2 is summed in float32. The vectors are then longer than 1 by
up to 2 e, so that the bound of the codes' errors, which are below 1, is short of up to 4 e: together below 8 e.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from wordgeo import _graph
from wordgeo.embeddings import Embeddings
from wordgeo.query.screens import F32, F64, I64, ROWS_A_COPY, FloatScreen, Int8Codes
from wordgeo.threads import limit_blas, run_blocks

__all__ = ["LeadingCopy"]

MOST_DIMENSIONS = 1024  # e is at most 0.004
PAIRS_TO_REPAY = 1 << 26  # of a word and a row; and for each element of a square matrix, since axes have to be found:
PAIRS_AN_ELEMENT = 1000
SAMPLE_ROWS = 2048
SAMPLE_WORDS = 32
STEP = 16  # dimensions
CODE_ERROR = 0.016  # about, of a product of codes
ELEMENTS_A_ROW = 16_000  # of products of codes take as long as a row that they let through (measured)
WORTH = 0.75


class LeadingCopy(Int8Codes):
    """Codes of rows along some axes, with the length of what these leave out: h + 1 elements."""

    @classmethod
    def of(cls, embeddings: Embeddings, n: int, k: int) -> LeadingCopy | None:
        """For the k nearest of the first n words; None where whole products are about as fast."""
        size, d = embeddings.vectors.shape
        if d > MOST_DIMENSIONS or n * size < max(PAIRS_TO_REPAY, PAIRS_AN_ELEMENT * d * d):
            return None
        scale = FloatScreen.of(embeddings).scale
        if not np.isfinite(scale).all():  # products in float32 would not be known
            return None
        limit_blas()
        rows, words = _some(size, SAMPLE_ROWS), _some(n, SAMPLE_WORDS)
        of_rows, of_words = (embeddings.vectors[some] * scale[some, None] for some in (rows, words))
        axes = _principal_axes(of_rows)
        of_rows, of_words = _products(of_rows, axes), _products(of_words, axes)
        # As many of these rows are above it as there will be when a quarter of all rows was met.
        among = max(1, min(round(4 * k * len(rows) / size), len(rows)))
        h = _dimensions(of_words, of_rows, words[:, None] == rows, among)
        return None if h is None else cls(embeddings.vectors, embeddings.norms, _evened(axes[:h]))

    def __init__(self, vectors: F32, norms: F64, axes: F32) -> None:
        n, (h, d) = len(vectors), axes.shape
        super().__init__(n, h + 1)
        self.error = 2 * h**0.5 * (d + 8) * 2.0**-24

        def fill(begin: int) -> None:
            run = slice(begin, begin + ROWS_A_COPY)
            turned = np.empty((len(norms[run]), h + 1), dtype=np.float32)
            _graph.turn(vectors[run], norms[run], axes, 4 * self.error, turned)
            self.fill(turned, norms[run], begin)

        run_blocks(fill, [(begin,) for begin in range(0, n, ROWS_A_COPY)])

    def slack(self, errors: F32) -> F32:
        """What queries with these errors add to the bound."""
        return super().slack(errors) + np.float32(8 * self.error)


def _some(n: int, most: int) -> I64:
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)


def _products(x: F32, y: F32) -> F32:
    """x @ y.T by SciPy's BLAS, whose threads do not go on spinning when it is done: `limit_blas` keeps it to one."""
    product: F32 = scipy.linalg.blas.sgemm(1.0, y.T, x.T, trans_a=True).T
    return product


def _principal_axes(unit: F32) -> F32:
    """Orthonormal rows [d, d], the first along the largest second moment."""
    columns = np.ascontiguousarray(unit.T)
    _, axes = scipy.linalg.eigh(_products(columns, columns).astype(np.float64), driver="evd")
    return np.ascontiguousarray(axes[:, ::-1].T, dtype=np.float32)


def _evened(axes: F32) -> F32:
    """Orthonormal rows [h, d] of the same space, at random.

    Along principal axes a few elements are much larger than the others, and the codes of all as coarse as those need.
    """
    h = len(axes)
    random, _ = scipy.linalg.qr(np.random.default_rng(0).standard_normal((h, h)), overwrite_a=True)
    mixed: F32 = scipy.linalg.blas.dgemm(1.0, axes.astype(np.float64).T, random).T
    return np.ascontiguousarray(mixed, dtype=np.float32)


def _dimensions(words: F32, rows: F32, same: np.ndarray, among: int) -> int | None:
    """How many leading dimensions make the graph the fastest, by a sample along the axes; None for all of them."""
    d = rows.shape[1]
    whole = _products(words, rows)
    whole[same] = -1
    floors = np.partition(whole, -among, axis=1)[:, -among, None] - CODE_ERROR
    products = np.zeros_like(whole)
    best, least, done = None, WORTH * d, 0
    for h in range(2 * STEP - 1, d, STEP):
        if h + 1 >= least:
            break
        products += _products(np.ascontiguousarray(words[:, done:h]), np.ascontiguousarray(rows[:, done:h]))
        rest = np.outer(np.linalg.norm(words[:, h:], axis=1), np.linalg.norm(rows[:, h:], axis=1))
        more = np.mean(products + rest >= floors) - np.mean(whole >= floors)
        if h + 1 + ELEMENTS_A_ROW * more < least:
            best, least = h, h + 1 + ELEMENTS_A_ROW * float(more)
        done = h
    return best
