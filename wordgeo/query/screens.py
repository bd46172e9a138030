"""Ways to visit rows for a block of queries: score all by the rule, or screen them first and score what is left.

All of them leave the same rows and bytes among the best; they differ in speed. See `_fast.pyx` for the proofs.
"""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.query.kept import read_kept, write_kept
from wordgeo.threads import run_blocks

__all__ = [
    "Best",
    "FloatScreen",
    "Int8Codes",
    "Int8Copy",
    "Queries",
    "Run",
    "Screen",
    "choose_screen",
    "int8_repays",
    "pools",
]

FEW_QUERIES = 3  # up to so many are scored outright: reading the rows takes longer than multiplying them
ROWS_A_TILE = 512  # times the queries of a block, in float32: has to stay in the second-level cache
ROWS_A_SCAN = 256
SAFE_NORMS = 2.0**-60, 2.0**60  # where the bound of the float32 screen holds

SMALLEST_COPY = 1 << 20  # elements of a matrix that is worth an int8 copy
QUERIES_TO_REPAY = 8  # queries after which the int8 copy has saved what it costs
MOST_K = 1024  # neighbours up to which waiting rows are few
WAITING_A_QUERY = 1024
GROUP = 16  # rows that the codes hold together
ROWS_A_FLAG = 64  # of int8 products; tiles are multiples of it
ROWS_A_COPY = GROUP << 9
MOST_UNITS = 4000  # see _kernels/quantised.h

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I16 = npt.NDArray[np.int16]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]


class Queries:
    """Query vectors, float32 [n, d], and their lengths."""

    def __init__(self, vectors: F32, lengths: F64 | None = None) -> None:
        self.vectors = vectors
        if lengths is None:
            lengths = np.empty(len(vectors), dtype=np.float64)
            _fast.norms(vectors, lengths)
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, q: slice) -> Queries:
        return Queries(self.vectors[q], self.lengths[q])

    @property
    def unit(self) -> F32:
        """The vectors at unit length, each element rounded once; zero vectors stay zero."""
        return (self.vectors / np.where(self.lengths > 0, self.lengths, 1.0)[:, None]).astype(np.float32)


class Run:
    """A run of rows: `begin`..`end` of the model, or of candidates, whose vectors are gathered."""

    def __init__(self, embeddings: Embeddings, begin: int, end: int, candidates: I64 | None = None) -> None:
        self.embeddings, self.begin, self.end, self.candidates = embeddings, begin, end, candidates
        self.rows: slice | I64 = slice(begin, end) if candidates is None else candidates[begin:end]

    @cached_property
    def matrix(self) -> F32:
        """Their vectors."""
        return self.embeddings.vectors[self.rows]

    @cached_property
    def norms(self) -> F64:
        """Their lengths."""
        return self.embeddings.norms[self.rows]


class Best:
    """The k best of each query of a block: heaps, and the rows that a query may not answer with."""

    def __init__(self, exclude: I64, k: int) -> None:
        n = len(exclude)
        self.exclude = exclude
        self.scores = np.empty((n, k), dtype=np.float32)
        self.rows = np.empty((n, k), dtype=np.int64)
        self.held = np.zeros(n, dtype=np.int64)
        self.memory: dict[str, Any] = {}  # what a visitor needs from one run to the next
        self.ranks = np.zeros((n, 2), dtype=np.int64)  # of a gold answer: how many score above it, and how many as much

    @classmethod
    def merged(cls, parts: list[Best]) -> Best:
        """The best of the same queries over several runs of rows, all finished."""
        if len(parts) == 1:
            return parts[0]
        merged = cls(parts[0].exclude, parts[0].scores.shape[1])
        rows = np.concatenate([part.rows for part in parts], axis=1)
        scores = np.concatenate([part.scores for part in parts], axis=1)
        order = np.lexsort((rows, -scores))[:, : merged.scores.shape[1]]  # NaN, where nothing is held, sorts last
        merged.rows, merged.scores = np.take_along_axis(rows, order, axis=1), np.take_along_axis(scores, order, axis=1)
        merged.ranks = np.sum([part.ranks for part in parts], axis=0)
        return merged

    @classmethod
    def joined(cls, blocks: list[Best], exclude: I64, k: int) -> Best:
        """Blocks of queries one after the other."""
        if len(blocks) == 1:
            return blocks[0]
        joined = cls(exclude, k)
        for name in ("rows", "scores", "ranks"):
            if blocks:
                np.concatenate([getattr(block, name) for block in blocks], out=getattr(joined, name))
        return joined

    @property
    def heaps(self) -> tuple[F32, I64, I64]:
        """What the engine's functions fill."""
        return self.scores, self.rows, self.held

    def finish(self) -> None:
        """Turns heaps into lists; places that nothing fills get row -1 and score NaN."""
        _fast.sort_best(*self.heaps)
        unfilled = np.arange(self.rows.shape[1]) >= self.held[:, None]
        self.rows[unfilled], self.scores[unfilled] = -1, np.nan


class Screen(Protocol):
    """Offers the rows of a run to the best of each query."""

    def visit(self, run: Run, queries: Queries, best: Best) -> None:
        """Updates `best`."""


class Scan:
    """Scores every row: for few queries, and where a screen cannot be had."""

    def visit(self, run: Run, queries: Queries, best: Best) -> None:
        """Updates `best`."""
        rows = np.empty(ROWS_A_SCAN, dtype=np.float64)
        _fast.scan(
            run.matrix,
            run.norms,
            run.begin,
            queries.vectors.astype(np.float64),
            queries.lengths,
            best.exclude,
            *best.heaps,
            rows,
        )


class FloatScreen:
    """Screens by a float32 matrix product."""

    @classmethod
    def of(cls, embeddings: Embeddings) -> FloatScreen:
        """The one of a model."""
        screen: FloatScreen = embeddings.derived("float screen", lambda: cls(embeddings))
        return screen

    def __init__(self, embeddings: Embeddings) -> None:
        norms = embeddings.norms
        error = (embeddings.dimensions + 8) * 2.0**-24
        # Twice what the proof asks for: the margin covers the rounding of scores and of the threshold.
        self.slack = 2 * error / (1 - error) + 2.0**-22 if error < 0.25 else float("nan")
        safe = (norms >= SAFE_NORMS[0]) & (norms <= SAFE_NORMS[1])
        with np.errstate(divide="ignore", over="ignore"):
            self.scale = np.where(safe, 1.0 / norms, np.where(norms == 0, 0.0, np.nan)).astype(np.float32)

    @property
    def nbytes(self) -> int:
        """Memory beside the vectors."""
        return self.scale.nbytes

    def visit(self, run: Run, queries: Queries, best: Best) -> None:
        """Updates `best`."""
        tile = np.empty((len(queries), ROWS_A_TILE), dtype=np.float32)
        chosen = np.empty(ROWS_A_TILE, dtype=np.uint32)
        _fast.screen(
            run.matrix, run.norms, self.scale[run.rows], run.begin, queries.unit, queries.vectors, queries.lengths,
            best.exclude, self.slack, *best.heaps, tile, chosen,
        )  # fmt: skip


class Int8Codes:
    """Vectors as int8 codes (see _kernels/quantised.h), in groups of rows.

    For graphs they may be in another `order` (the row that each place holds, uint32 [rows]), and products be bounded by
    so many `leading` elements (int64, ascending) before all are multiplied.
    """

    order: U32 | None = None
    together: U32 | None = None  # the same before the words were put first
    near: I64 | None = None  # for each place of a word, how many of the other rows lie before it in their order
    leading: I64 = np.empty(0, dtype=np.int64)
    shifts: I64 = np.zeros(1, dtype=np.int64)  # powers of 2 in the codes up to each bound, and behind the last
    leading_errors: F32 = np.empty((0, 0), dtype=np.float32)  # of so many elements alone: [bounds, rows]
    # for the float32 operations, the rounding of unit queries (2**-24) and that of scores
    rounding = 2.0**-19

    def __init__(self, n: int, d: int) -> None:
        rows = -(-n // GROUP) * GROUP
        self.steps = -(-d // 4)
        self.codes = np.empty(rows * self.steps * 4, dtype=np.uint8)
        self.codes[-GROUP * self.steps * 4 :] = 128  # where rows are missing
        self.scales, self.errors = np.zeros((2, rows), dtype=np.float32)

    def fill(self, vectors: F32, norms: F64, begin: int = 0) -> None:
        """Makes the codes of the rows from `begin` on, a multiple of 16."""
        n = len(vectors)
        codes, scales = self.codes[begin * self.steps * 4 :], self.scales[begin:]
        errors, leading_errors = self.errors[begin:], self.leading_errors[:, begin:]

        def some(first: int) -> None:
            count = min(ROWS_A_COPY, n - first)
            _fast.quantise(
                vectors, norms, first, count, self.leading, self.shifts, codes, scales, errors, leading_errors
            )

        run_blocks(some, [(first,) for first in range(0, n, ROWS_A_COPY)])

    @cached_property
    def worst(self) -> float:
        """The largest error."""
        return float(self.errors.max(initial=0.0))

    def for_graphs(self) -> tuple[I64, I64, F32, I16]:
        """What `_graph.visit8` is told: leading, shifts, numbers [3 + 2 bounds, rows], pairs [1 + bounds, rows, 2]."""
        nothing, shifts = np.zeros((1, len(self.scales)), dtype=np.float32), np.zeros(2, dtype=np.int64)
        errors = self.errors[None]
        return np.array([4 * self.steps]), shifts, *self._of_rows(errors, 1 + errors, nothing[0], nothing)

    @property
    def units(self) -> F32:
        """One over the scales, whole numbers."""
        return np.rint(1 / np.maximum(self.scales, np.float32(1 / MOST_UNITS)))  # of 0, where codes are 0, the most

    def _of_rows(self, errors: F32, lengths: F32, head: F32, rests: F32) -> tuple[F32, I16]:
        """The last two, with errors and lengths of the leading elements, one that bytes do not hold, and lengths of the
        others.
        """
        units = self.units
        pairs = np.zeros((1 + len(rests), len(units), 2), dtype=np.int16)
        pairs[0, :, 0] = np.rint(head * units)
        pairs[1:, :, 0] = np.ceil(rests * units * np.float32(1 + 2.0**-20))
        pairs[1:, :, 1] = units / 2
        return np.stack([1 / units, units, self.errors, *errors, *lengths]), pairs

    def as_queries(self, begin: int, end: int, leading: I64) -> tuple[npt.NDArray[np.int8], I32]:
        """Rows as queries, begin a multiple of 16: codes in one byte an element, and corrections of the elements up to
        each bound and behind the last one, each the first of two.
        """
        stride = 4 * self.steps
        fours = self.codes[begin * stride : -(-end // GROUP) * GROUP * stride].view(np.uint32)
        by_row = fours.reshape(-1, self.steps, GROUP).swapaxes(1, 2).reshape(-1, self.steps)
        codes = np.ascontiguousarray(by_row[: end - begin] ^ np.uint32(0x80808080)).view(np.int8)
        corrections = np.zeros((len(leading) + 1, end - begin, 2), dtype=np.int32)
        for part, (first, last) in enumerate(pairwise([0, *leading.tolist(), stride])):
            corrections[part, :, 0] = -128 * codes[:, first:last].sum(axis=1, dtype=np.int32)
        return codes, corrections

    def slack(self, errors: F32) -> F32:
        """What queries with these errors add to the bound."""
        return errors * np.float32(1 + self.worst) + np.float32(self.rounding)


class Int8Copy(Int8Codes):
    """A quarter of the vectors' bytes, for screening by int8 products; made once for a model, by all threads."""

    @classmethod
    def of(cls, embeddings: Embeddings) -> Int8Copy:
        """The one of a model."""
        copy: Int8Copy = embeddings.derived("int8 copy", lambda: cls(embeddings))
        return copy

    def __init__(self, embeddings: Embeddings) -> None:
        n, d = embeddings.vectors.shape
        norms = embeddings.norms  # computed here once, and not by every thread
        rows, self.steps = -(-n // GROUP) * GROUP, -(-d // 4)
        kept = read_kept(embeddings, rows * self.steps * 4, rows)
        if kept is not None:
            self.codes, self.scales, self.errors = kept
        else:
            super().__init__(n, d)
            self.fill(embeddings.vectors, norms)

    @property
    def nbytes(self) -> int:
        """Memory of the copy."""
        return self.codes.nbytes + self.scales.nbytes + self.errors.nbytes

    def keep(self, embeddings: Embeddings) -> None:
        """Writes the copy into the model's folder, where other processes map it instead of making their own."""
        write_kept(embeddings, self.codes, self.scales, self.errors)

    def quantised(self, unit: F32, parts: int) -> tuple[npt.NDArray[np.int8], int, npt.NDArray[np.int32], F32, F32]:
        """Codes of unit queries in one or two bytes an element: codes, parts, corrections, scales, slack."""
        n = len(unit)
        codes = np.empty((n, 2, 4 * self.steps), dtype=np.int8)
        corrections = np.empty((n, 2), dtype=np.int32)
        scales, errors = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
        _fast.quantise_queries(unit, parts, codes, corrections, scales, errors)
        return codes, parts, corrections, scales, self.slack(errors)

    def visit(self, run: Run, queries: Queries, best: Best) -> None:
        """Updates `best`."""
        n, k = best.scores.shape
        # One query waits for memory anyway: a second byte for its elements costs nothing and halves the bound.
        query = self.quantised(queries.unit, 2 if n <= FEW_QUERIES else 1)
        _fast.screen8(
            run.embeddings.vectors, run.embeddings.norms, self.codes, self.scales, self.errors, self.worst, run.begin,
            run.end, *query, queries.vectors, queries.lengths, best.exclude, *best.heaps,
            np.empty((n, ROWS_A_TILE), dtype=np.float32), np.empty((n, ROWS_A_TILE // ROWS_A_FLAG), dtype=np.uint8),
            np.empty(n, dtype=np.float32), np.empty(ROWS_A_TILE, dtype=np.float32),
            np.empty(ROWS_A_TILE, dtype=np.uint32),
            *pools(n, k, max(WAITING_A_QUERY, 4 * k)),
        )  # fmt: skip


def pools(n: int, k: int, room: int) -> tuple[F32, U32, F32, npt.NDArray[np.uint8]]:
    """Memory for n pools of up to `room` rows each that wait to be scored."""
    rows, upper = np.empty((n, room), dtype=np.uint32), np.empty((n, room), dtype=np.float32)
    return np.empty((n, k), dtype=np.float32), rows, upper, np.empty(n * _fast.pool_bytes(), dtype=np.uint8)


def int8_repays(embeddings: Embeddings, queries: int, k: int) -> bool:
    """Whether so many more queries for k neighbours are worth an int8 copy, and the processor has a use for it."""
    seen = embeddings.count_queries(queries)
    large = embeddings.vectors.size >= SMALLEST_COPY and embeddings.dimensions < 1 << 16
    return large and k <= MOST_K and seen >= QUERIES_TO_REPAY and bool(_fast.has_int8())


def choose_screen(embeddings: Embeddings, queries: int, k: int, whole: bool) -> Screen:
    """The fastest way to visit rows for so many queries; `whole` says that rows are not gathered candidates."""
    if int8_repays(embeddings, queries, k) and whole:
        return Int8Copy.of(embeddings)
    return Scan() if queries <= FEW_QUERIES else FloatScreen.of(embeddings)
