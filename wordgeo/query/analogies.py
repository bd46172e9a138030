"""Analogies "a is to b as c is to ?" in batches: the best answers, and the rank of the right one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.query.screens import Best, FloatScreen, Int8Copy, Queries, Run, int8_repays, pools
from wordgeo.query.search import combine, search, top_k
from wordgeo.threads import resolve_threads
from wordgeo.validate import choice

__all__ = ["COSMUL_EPSILON", "METHODS", "Answers", "Questions", "analogies"]

METHODS = ("3cosadd", "3cosmul", "pairdirection")  # in the engine's order
COSMUL_EPSILON = 1e-6

FEW_QUESTIONS = 8  # up to so many have about as many words as questions, and a table of words saves nothing
QUESTIONS_A_BLOCK = 8192
TABLE_BYTES = 1 << 20  # tables of cosines, words × rows at a time: have to stay near the second-level cache
LEAST_WAITING = 64

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """Best answers to n questions: `rows` int64 and `scores` float32 [n, k], -1 and NaN where there is none.

    With gold answers, `rank_min` and `rank_max` (int64 [n]) are the first and the last place that the gold row can
    claim among all rows that may answer, 1 being the best; they differ where scores tie. 0 where there is no gold row
    or it may not answer. None without gold.
    """

    rows: I64
    scores: F32
    rank_min: I64 | None = None
    rank_max: I64 | None = None


def analogies(
    embeddings: Embeddings,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    c: npt.ArrayLike,
    *,
    k: int,
    method: str = "3cosadd",
    gold: npt.ArrayLike | None = None,
    limit: int | None = None,
    exclude: bool | I64 = True,
    candidates: I64 | None = None,
    operands: Embeddings | None = None,
    epsilon: float = COSMUL_EPSILON,
    threads: int | None = None,
) -> Answers:
    """The k best answers x to each a : b = c : x, for rows a, b, c int64 [n], over unit vectors.

    3cosadd: cos(x, b - a + c) (Mikolov, Yih & Zweig 2013). 3cosmul: s(x, b) s(x, c) / (s(x, a) + epsilon) with
    s = (cos + 1) / 2 (Levy & Goldberg 2014). pairdirection: cos(b - a, x - c), 0 for x = c (Levy & Goldberg 2014).

    With `exclude`, a, b and c are no answers; it may be the rows that are none instead, int64 [n, m] (-1 for none).
    `limit` and `candidates` restrict the answers as in `top_k`. `gold` int64 [n] (-1 for none) asks for ranks. With
    `operands`, a, b and c are rows of those vectors, not of `embeddings`; what is excluded has to be said then.
    """
    choice("method", method, METHODS)
    rows = np.stack([np.asarray(operand, dtype=np.int64) for operand in (a, b, c)], axis=1)
    gold = None if gold is None else np.asarray(gold, dtype=np.int64)
    if operands is not None and exclude is True:
        raise OptionError("exclude is True, and a, b and c are rows of other vectors; give the rows to exclude")
    excluded = exclude if isinstance(exclude, np.ndarray) else rows if exclude else None
    where: dict[str, Any] = {"k": k, "exclude": excluded, "limit": limit, "candidates": candidates, "threads": threads}
    if method == "3cosadd" and gold is None and len(rows) <= FEW_QUESTIONS:
        return Answers(*top_k(embeddings, _offsets(operands or embeddings, rows), **where))
    asked = Questions(embeddings, rows, method, operands=operands, epsilon=epsilon)
    # For directions and ranks the bounds of int8 cosines are too wide: too many rows would have to be scored.
    coarse = method != "pairdirection" and gold is None and candidates is None
    table = Int8Table(asked) if coarse and int8_repays(embeddings, len(rows), k) else FloatTable(asked)
    scores = np.full(len(rows), np.nan, dtype=np.float32)
    if gold is not None:
        gold = np.where(_may_answer(gold, excluded, limit, candidates), gold, -1)
        asked.score(gold, scores)

    def visit(run: Run, q: slice, best: Best) -> None:
        # Questions with the same (a, b) side by side share most of their sums.
        order = np.lexsort((rows[q, 2], rows[q, 1], rows[q, 0])) + q.start
        table.visit(run, order, best, scores)

    # Two blocks for each thread: enough to share the work evenly, few enough to share the words of a section.
    block = min(QUESTIONS_A_BLOCK, max(512, -(-len(rows) // (2 * resolve_threads(threads)))))
    found = search(embeddings, len(rows), visit, block=block, **where)
    if gold is None:
        return Answers(found.rows, found.scores)
    has = gold >= 0
    return Answers(
        found.rows, found.scores, np.where(has, found.ranks[:, 0] + 1, 0), np.where(has, found.ranks[:, 1], 0)
    )


class Questions:
    """Analogies as the engine takes them: a table of words, and each question's places in it."""

    def __init__(
        self,
        embeddings: Embeddings,
        rows: I64,
        method: str,
        *,
        operands: Embeddings | None = None,
        epsilon: float = COSMUL_EPSILON,
    ) -> None:
        self.embeddings, self.method = embeddings, METHODS.index(method)
        self.operands = operands = embeddings if operands is None else operands
        self.rows, self.epsilon = rows, epsilon
        if method == "3cosadd":
            self.queries, self.lengths = _offsets(operands, rows), _length(operands, rows, (-1, 1, 1))
        else:  # the direction from a to b; 3CosMul has no use for it
            self.queries = combine(operands, rows[:, 1::-1], np.tile([1.0, -1.0], (len(rows), 1)))
            self.lengths = _length(operands, rows, (-1, 1))
        self.query_norms = np.empty(len(rows))
        _fast.norms(self.queries, self.query_norms)
        self.shifts = np.zeros(len(rows))
        if method == "pairdirection":
            _fast.cosines(operands.vectors, operands.norms, rows[:, 2].copy(), self.queries, self.query_norms,
                          self.shifts)  # fmt: skip

    def score(self, answers: I64, out: F32) -> None:
        """The score of one row for each question; NaN for row -1."""
        words, places = np.unique(self.rows, return_inverse=True)
        vectors, norms = self.operands.vectors[words], self.operands.norms[words]
        _fast.analogy_scores(
            self.method, self.embeddings.vectors, self.embeddings.norms, answers, vectors, norms,
            places.reshape(-1, 3).astype(np.int32), self.queries, self.query_norms, self.shifts, self.epsilon, out,
        )  # fmt: skip


class FloatTable:
    """Cosines of question words and rows by a float32 product."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        self.screen = FloatScreen.of(questions.embeddings)

    def visit(self, run: Run, order: I64, best: Best, gold: F32) -> None:
        """Offers the rows of a run to the questions `order`, which are those of `best` in another order."""
        words = _Words(self.questions, order)
        empty = np.empty(0, dtype=np.float32)
        errors = np.full(len(words.unit), self.screen.slack, dtype=np.float32)
        self._solve(
            run, order, best, gold, words,
            (self.screen.scale[run.rows], np.empty(0, dtype=np.uint8), empty, empty),
            (np.empty((1, 2, 4), dtype=np.int8), np.empty((1, 2), dtype=np.int32), empty, errors),
        )  # fmt: skip

    def _solve(
        self, run: Run, order: I64, best: Best, gold: F32, words: _Words, of_rows: tuple, of_words: tuple
    ) -> None:
        asked = self.questions
        n, k = best.scores.shape
        tables = 1 if asked.method == 0 else 2
        width = max(64, min(512, TABLE_BYTES // (4 * tables * len(words.unit)) // 16 * 16))
        table = np.empty((len(words.unit), width), dtype=np.float32)
        factors = np.empty_like(table) if tables == 2 else np.empty((1, 1), dtype=np.float32)
        local = order - order.min()
        scores, rows = np.empty((n, k), dtype=np.float32), np.empty((n, k), dtype=np.int64)
        scores[:], rows[:], held = best.scores[local], best.rows[local], best.held[local]
        ranks = np.zeros((n, 2), dtype=np.int64)
        _fast.analogies(
            asked.method, run.matrix, run.norms, run.begin, *of_rows, words.unit, *of_words, words.places,
            asked.lengths[order], asked.queries[order], asked.query_norms[order], asked.shifts[order], words.vectors,
            words.norms, asked.epsilon, best.exclude[local], gold[order], ranks, scores, rows, held, table, factors,
            np.empty(width, dtype=np.float32), np.empty(width, dtype=np.uint32),
            *pools(n, k, max(LEAST_WAITING, 8 * k)),
        )  # fmt: skip
        best.scores[local], best.rows[local], best.held[local] = scores, rows, held
        best.ranks[local] += ranks


class Int8Table(FloatTable):
    """The same by int8 products, the words in two bytes an element."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        self.copy = Int8Copy.of(questions.embeddings)

    def visit(self, run: Run, order: I64, best: Best, gold: F32) -> None:
        """Offers the rows of a run to the questions `order`, which are those of `best` in another order."""
        words = _Words(self.questions, order)
        codes, _, corrections, scales, errors = self.copy.quantised(words.unit, 2)
        self._solve(
            run, order, best, gold, words,
            (np.empty(0, dtype=np.float32), *self.copy.of_run(run)), (codes, corrections, scales, errors),
        )  # fmt: skip


class _Words:
    """The words of some questions: each once, and where the questions find them."""

    def __init__(self, questions: Questions, order: I64) -> None:
        rows, places = np.unique(questions.rows[order], return_inverse=True)
        self.places = places.reshape(-1, 3).astype(np.int32)
        self.vectors, self.norms = questions.operands.vectors[rows], questions.operands.norms[rows]
        self.unit = Queries(self.vectors, self.norms).unit


def _offsets(embeddings: Embeddings, rows: I64) -> F32:
    """Unit vectors along b - a + c."""
    return combine(embeddings, rows[:, [1, 0, 2]], np.tile([1.0, -1.0, 1.0], (len(rows), 1)))


def _cosines(embeddings: Embeddings, a: I64, b: I64) -> npt.NDArray[np.float64]:
    out = np.empty(len(a))
    vectors = embeddings.vectors[b]
    _fast.cosines(embeddings.vectors, embeddings.norms, a.copy(), vectors, embeddings.norms[b], out)
    return out


def _length(embeddings: Embeddings, rows: I64, signs: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Length of sums of unit vectors, Σ signs[j] x[rows[:, j]] / |x[rows[:, j]]|; a zero vector adds nothing."""
    square = (embeddings.norms[rows[:, : len(signs)]] > 0).sum(axis=1).astype(np.float64)
    for i, j in combinations(range(len(signs)), 2):
        square += 2 * signs[i] * signs[j] * _cosines(embeddings, rows[:, i], rows[:, j])
    return np.sqrt(np.maximum(square, 0.0))


def _may_answer(rows: I64, excluded: I64 | None, limit: int | None, candidates: I64 | None) -> npt.NDArray[np.bool_]:
    allowed = rows >= 0
    if excluded is not None:
        allowed &= (excluded != rows[:, None]).all(axis=1)
    if limit is not None:
        allowed &= rows < limit
    if candidates is not None:
        allowed &= np.isin(rows, candidates)
    return allowed
