"""Rows turned to their principal axes, the leading ones of which tell most of a product: a graph by fewer products.

Let R be orthogonal, its rows the principal axes. For unit vectors u and v, with head the first element of Ru, lead the
next h and rest the others,

    u . v  =  Ru . Rv  <=  head head' + lead . lead' + |rest| |rest'|

so a pair of rows is left where this is below what is looked for; where it is not, the same is asked with more leading
elements, and only what is left then is multiplied whole. The head is kept in 16 bits, in units of the codes of the
others: in a narrow cone it is so large that bytes for all would be coarse. Rows are put in an order in which near ones
are together: it is groups of rows that are gone on with.

Let codes change lead and head by E at most, together, and M - E be the larger of |lead| and |head|. By Cauchy-Schwarz
the bound is short of no more than E M' + E' M, which is less than the error of whole products, E + E' (1 + E): the
leading elements are not all of a unit vector.

In float32 Ru becomes t, off by at most e = sqrt(d) (d + 16) 2**-24 in length: each element by d 2**-24 / (1 - d 2**-24)
(see `_fast`), and by 2 sqrt(d) 2**-24 since R was rounded twice. So t . t' is off by at most 2 e + e e, and as |t| is
up to 1 + e the bound of the codes' errors, which are below 1, is short of up to 2 e: together below 5 e.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import scipy.linalg

from wordgeo import _graph
from wordgeo.embeddings import Embeddings
from wordgeo.query.screens import F32, F64, GROUP, I16, I64, U32, FloatScreen, Int8Codes, Queries
from wordgeo.threads import product, resolve_threads, run_blocks

__all__ = ["LeadingCopy", "leading_axes", "sample_of"]

MOST_DIMENSIONS = 1024  # e is at most 0.002
WORTH = 0.93  # share of all dimensions that leading ones may take: other things take time too; less, of n words,
WORDS_A_DIMENSION = 17  # times dimensions / n, for turning the rows (both measured)
PAIRS_AN_ELEMENT = 1000  # of the square matrix whose axes have to be found: pairs of a word and a row
LEAST_LENGTH = 0.5  # that errors are taken times, so that they cover what is rounded off sums
AXES_ROWS = 8192  # the fewer, the more the axes are those of just these
SAMPLE_ROWS = 2046
SHIFT_ROWS = 512
SAMPLE_WORDS = 32
AS_A_GROUP = 6  # so many rows at random are gone on with about as often as a group of near ones (measured)
STEP = 16  # dimensions
CODE_ERROR = 0.01  # about, of a product of codes
GROUP_TAKES = 5.0  # as long as so many steps of four dimensions takes the first look at a group of rows (measured),
AGAIN_TAKES = 7.0  # to go on with one, and
MORE_TAKES = 1.5  # so many times as long as of the first dimensions a step of the others
MOST_SHIFT = 5  # a power of 2
ROWS_AT_ONCE = 1024
CELL_AXES = 8


class LeadingCopy(Int8Codes):
    """Codes of rows along their principal axes, which are multiplied up to the first two bounds before all are."""

    def __init__(
        self,
        vectors: F32,
        norms: F64,
        axes: F32,
        leading: Sequence[int],
        words: int,
        together: U32 | None = None,
    ) -> None:
        n, d = vectors.shape
        super().__init__(n, d)
        self.leading = np.array(leading, dtype=np.int64)
        self.head = np.zeros(len(self.scales), dtype=np.float32)
        self.leading_errors, self.rests = np.zeros((2, len(leading), len(self.scales)), dtype=np.float32)
        error = d**0.5 * (d + 16) * 2.0**-24
        self.rounding = Int8Codes.rounding + 5 * error
        self.together = _together(vectors, norms, axes[:CELL_AXES]) if together is None else together
        is_word = self.together < words
        self.order = order = np.concatenate([self.together[is_word], self.together[~is_word]])
        others: I64 = np.cumsum(~is_word)
        self.near = others[is_word]
        self.shifts = _shifts(vectors, norms, axes[1:], leading)
        parts = zip(pairwise([0, *leading, d - 1]), self.shifts.tolist(), strict=True)
        turned_to = [_evened(axes[1 + first : 1 + last]) * np.float32(2**shift) for (first, last), shift in parts]
        axes = np.concatenate([*turned_to, axes[:1]])

        free = [np.empty((2, ROWS_AT_ONCE, d), dtype=np.float32) for _ in range(resolve_threads())]

        def fill(begin: int) -> None:
            run = slice(begin, begin + ROWS_AT_ONCE)
            scratch, lengths = free.pop(), norms[order[run]]
            some, turned = scratch[:, : len(lengths)]
            np.take(vectors, order[run], axis=0, out=some, mode="clip")
            _graph.turn(some, lengths, axes, self.leading, self.shifts, turned, self.head[run], self.rests[:, run])
            self.fill(turned, lengths, begin)
            free.append(scratch)

        run_blocks(fill, [(begin,) for begin in range(0, n, ROWS_AT_ONCE)])
        units = self.units
        shifted = np.float32(1) / (units * units.min())  # what is rounded off sums, half for each shift
        of_head = np.abs(np.rint(self.head * units) / units - self.head) + np.float32(2.0**-24)
        self.errors[:] = np.hypot(self.errors, of_head) + shifted
        self.leading_errors += of_head + shifted
        squares = np.float32((1 + error) ** 2 + 1e-6) - self.rests**2  # of the leading ones and the head
        longest = np.maximum(np.sqrt(np.maximum(squares - self.head**2, 0)), np.abs(self.head))
        self.lengths = np.maximum(longest, np.float32(LEAST_LENGTH)) + self.leading_errors

    def for_graphs(self) -> tuple[I64, I64, F32, I16]:
        """What `_graph.visit8` is told of the rows."""
        return self.leading, self.shifts, *self._of_rows(self.leading_errors, self.lengths, self.head, self.rests)


def sample_of(n: int) -> I64:
    """The words by which dimensions are chosen."""
    return _some(n, SAMPLE_WORDS)


def leading_axes(
    embeddings: Embeddings, n: int, k: int, floors: F32 | None = None
) -> tuple[F32, tuple[int, int]] | None:
    """All axes [d, d] and how many lead, for the k nearest of the first n words; None where whole products are as fast.

    `floors` [n] are what the k-th nearest of words is known not to be below; those of `sample_of` are read.
    """
    size, d = embeddings.vectors.shape
    most = d * (WORTH - WORDS_A_DIMENSION * d / n)
    if d > MOST_DIMENSIONS or most < STEP or n * size < PAIRS_AN_ELEMENT * d * d or size < GROUP:
        return None
    scale = FloatScreen.of(embeddings).scale
    if not np.isfinite(scale).all():  # products in float32 would not be known
        return None
    rows, words = _some(size, SAMPLE_ROWS), sample_of(n)
    of_rows, of_words = (embeddings.vectors[some] * scale[some, None] for some in (rows, words))
    axes = _principal_axes(_moments(embeddings.vectors, scale, _some(size, AXES_ROWS)))
    of_rows, of_words = product(of_rows, axes), product(of_words, axes)
    if floors is None:
        products = product(of_words, of_rows)
        products[words[:, None] == rows] = -1
        # As many of these rows are above them as there will be when a quarter of all rows was met.
        among = max(1, min(round(4 * k * len(rows) / size), len(rows)))
        of_floors = np.partition(products, -among, axis=1)[:, -among]
    else:
        of_floors = floors[words]
    leading = _dimensions(of_words, of_rows, of_floors - np.float32(CODE_ERROR), most)
    return None if leading is None else (axes, leading)


def _together(vectors: F32, norms: F64, axes: F32) -> U32:
    """Rows in cells of near ones."""
    points = np.empty((len(vectors), len(axes)), dtype=np.float32)

    def project(begin: int) -> None:
        run = slice(begin, begin + ROWS_AT_ONCE)
        _graph.project(vectors[run], norms[run], axes, points[run])

    run_blocks(project, [(begin,) for begin in range(0, len(vectors), ROWS_AT_ONCE)])
    order = np.arange(len(vectors), dtype=np.uint32)
    scratch = np.empty_like(order)
    cut = _graph.halve(points, order, scratch)
    runs = [(run,) for run in (slice(cut), slice(cut, None)) if len(order[run])]
    run_blocks(lambda run: _graph.cells(points, order[run], scratch[run]), runs)
    return order


def _shifts(vectors: F32, norms: F64, axes: F32, leading: Sequence[int]) -> I64:
    """By which powers of 2 the elements behind each bound are smaller than those before: finer codes do for them."""
    some = _some(len(vectors), SHIFT_ROWS)
    squares = np.square(product(Queries(vectors[some], norms[some]).unit, axes)).mean(axis=0, dtype=np.float64)
    parts = [squares[first:last].mean() if first < last else 0.0 for first, last in pairwise([0, *leading, len(axes)])]
    shifts = [np.log2(parts[0] / part) / 2 if 0 < part < parts[0] else 0.0 for part in parts]
    return np.minimum(shifts, MOST_SHIFT).astype(np.int64)


def _some(n: int, most: int) -> I64:
    return np.linspace(0, n - 1, min(n, most)).astype(np.int64)


def _moments(vectors: F32, scale: F32, rows: I64) -> F64:
    """Second moments [d, d] of some rows at unit length."""
    begins = range(0, len(rows), ROWS_AT_ONCE)
    parts = np.empty((len(begins), vectors.shape[1], vectors.shape[1]), dtype=np.float32)

    def add(part: int) -> None:
        some = rows[begins[part] : begins[part] + ROWS_AT_ONCE]
        columns = np.ascontiguousarray((vectors[some] * scale[some, None]).T)
        _graph.project(columns, np.ones(len(columns)), columns, parts[part])  # SciPy's own call holds the interpreter

    run_blocks(add, [(part,) for part in range(len(parts))])
    moments: F64 = parts.sum(axis=0, dtype=np.float64)
    return moments


def _principal_axes(moments: F64) -> F32:
    """Orthonormal rows [d, d], the first along the largest second moment."""
    _, axes = scipy.linalg.eigh(moments, driver="evd")
    return np.ascontiguousarray(axes[:, ::-1].T, dtype=np.float32)


def _evened(axes: F32) -> F32:
    """Orthonormal rows [h, d] of the same space, at random.

    Along principal axes a few elements are much larger than the others, and the codes of all as coarse as those need.
    """
    h = len(axes)
    random, _ = scipy.linalg.qr(np.random.default_rng(0).standard_normal((h, h)), overwrite_a=True)
    mixed: F32 = scipy.linalg.blas.dgemm(1.0, axes.astype(np.float64).T, random).T
    return np.ascontiguousarray(mixed, dtype=np.float32)


def _dimensions(words: F32, rows: F32, floors: F32, most: float) -> tuple[int, int] | None:
    """Up to which dimensions two bounds make the graph the fastest, by a sample along the axes.

    None where what they take is not below `most` dimensions.
    """
    d = rows.shape[1]
    begins = range(0, d, STEP)
    squares = [np.add.reduceat(np.square(x), begins, axis=1).T for x in (words, rows)]
    lengths = [np.sqrt(np.cumsum(x[::-1], axis=0)[::-1]) for x in squares]  # from each of these elements on
    products, bound = np.zeros((2, len(words), len(rows)), dtype=np.float32)
    passing, done = {}, 0
    for h in range(STEP, d, STEP):
        products += product(np.ascontiguousarray(words[:, done:h]), np.ascontiguousarray(rows[:, done:h]))
        np.multiply(lengths[0][h // STEP][:, None], lengths[1][h // STEP], out=bound)
        bound += products
        above = (bound >= floors[:, None])[:, : len(rows) // AS_A_GROUP * AS_A_GROUP]
        passing[h] = float(np.mean(above.reshape(len(words), AS_A_GROUP, -1).any(axis=1)))
        done = h

    def takes(first: int, second: int) -> float:
        return (
            first / 4 + GROUP_TAKES + passing[first] * (AGAIN_TAKES + MORE_TAKES * (second - first) / 4)
            + passing[second] * (AGAIN_TAKES + MORE_TAKES * (d - second) / 4)
        )  # fmt: skip

    best = min(combinations(passing, 2), key=lambda pair: takes(*pair), default=None)
    return best if best is not None and 4 * takes(*best) < most else None
