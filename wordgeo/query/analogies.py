"""Analogies "a is to b as c is to ?" in batches: the best answers, and the rank of the right one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo import _analogies, _analogy_rule, _analogy_tables, _fast
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.query.screens import Best, Run, pools
from wordgeo.query.search import combine, combine_lengths, search, top_k
from wordgeo.threads import resolve_threads
from wordgeo.validate import choice

__all__ = ["COSMUL_EPSILON", "METHODS", "Answers", "Questions", "analogies"]

METHODS = ("3cosadd", "3cosmul", "pairdirection")  # in the engine's order
COSMUL_EPSILON = 1e-6

QUESTIONS_A_THREAD = 2048
FEW_QUESTIONS = 8  # up to so many have about as many words as questions, and a table of words saves nothing
MEMORY_A_THREAD = 48 << 20  # beyond the answers; more questions are answered one half after the other
TABLE_BYTES = 1 << 20  # tables of cosines, words × rows at a time: have to stay in the second-level cache
ROWS_A_TILE = 1024
WORDS_A_GROUP = (256, 1024)  # at most so many, whichever is fastest
ROWS_A_RUN = 4096  # between runs, threads tell each other how good an answer has to be
QUESTIONS_A_GROUP = 1 << 12
TILE_WORK = 3200  # of a question with a tile of rows, beside its sums, in products of two numbers
LEAST_WAITING = 64
ROW_LENGTH = 32767  # of the codes of a row; see _kernels/analogies.h
MOST_EPSILON = 0.5  # for which logarithms fit int16

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
    questions: Questions | None = None,
) -> Answers:
    """The k best answers x to each a : b = c : x, for rows a, b, c int64 [n], over unit vectors.

    3cosadd: cos(x, b - a + c) (Mikolov, Yih & Zweig 2013). 3cosmul: s(x, b) s(x, c) / (s(x, a) + epsilon) with
    s = (cos + 1) / 2 (Levy & Goldberg 2014). pairdirection: cos(b - a, x - c), 0 for x = c (Levy & Goldberg 2014).

    With `exclude`, a, b and c are no answers; it may be the rows that are none instead, int64 [n, m] (-1 for none).
    `limit` and `candidates` restrict the answers as in `top_k`. `gold` int64 [n] (-1 for none) asks for ranks. With
    `operands`, a, b and c are rows of those vectors, not of `embeddings`; what is excluded has to be said then.
    `questions` are these where they have been made already.
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
    # Questions with the same (a, b) side by side share most of their sums.
    if len(rows) > 1 and _memory_for(embeddings, rows, k) > MEMORY_A_THREAD * resolve_threads(threads):
        first, second = (
            analogies(
                embeddings, *rows[half].T, k=k, method=method, gold=None if gold is None else gold[half], limit=limit,
                exclude=False if excluded is None else excluded[half], candidates=candidates, operands=operands,
                epsilon=epsilon, threads=threads, questions=None if questions is None else questions[half],
            )
            for half in (slice(len(rows) // 2), slice(len(rows) // 2, None))
        )  # fmt: skip
        return Answers(
            np.concatenate([first.rows, second.rows]),
            np.concatenate([first.scores, second.scores]),
            _joined(first.rank_min, second.rank_min),
            _joined(first.rank_max, second.rank_max),
        )
    # Those that stand together in a benchmark stay together: they have words in common.
    _, seen, pair = np.unique(rows[:, 0] << 32 | rows[:, 1], return_index=True, return_inverse=True)
    order = np.argsort(seen[pair], kind="stable")
    if questions is None:
        asked = Questions(embeddings, rows[order], method, operands=operands, epsilon=epsilon)
    else:
        asked = questions[order]
    scores = np.full(len(rows), np.nan, dtype=np.float32)
    if gold is not None:
        gold = np.where(_may_answer(gold, excluded, limit, candidates), gold, -1)
        asked.score(gold[order], scores)
    # Many questions: each thread has its own. Few: the threads share the rows.
    threads = resolve_threads(threads)
    block = -(-len(rows) // threads) if len(rows) >= QUESTIONS_A_THREAD * threads else len(rows)
    tables = [Table(asked[q : q + block], scores[q : q + block]) for q in range(0, len(rows), block)]
    found = search(
        embeddings, len(rows), lambda run, q, best: tables[q.start // block].visit(run, best), k=k,
        exclude=None if excluded is None else excluded[order], limit=limit, candidates=candidates, threads=threads,
        block=block, rows_a_run=ROWS_A_RUN, finish=lambda q, best: tables[q.start // block].finish(best),
    )  # fmt: skip
    back = np.argsort(order)
    if gold is None:
        return Answers(found.rows[back], found.scores[back])
    has, ranks = gold >= 0, found.ranks[back]
    # The engine counts all rows, and those that are no answers are few.
    for row in _distinct(excluded, limit, candidates):
        theirs = np.full(len(rows), np.nan, dtype=np.float32)
        asked.score(row[order], theirs)
        ranks[:, 0] -= (theirs > scores)[back]
        ranks[:, 1] -= (theirs >= scores)[back]
    return Answers(
        found.rows[back], found.scores[back], np.where(has, ranks[:, 0] + 1, 0), np.where(has, ranks[:, 1], 0)
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
            self.queries, self.lengths = combine_lengths(operands, rows[:, [1, 0, 2]], np.array([1.0, -1.0, 1.0]))
        else:  # the direction from a to b; 3CosMul has no use for it
            self.queries, self.lengths = combine_lengths(operands, rows[:, 1::-1], np.array([1.0, -1.0]))
        self.query_norms = np.empty(len(rows))
        _fast.norms(self.queries, self.query_norms)
        self.shifts = np.zeros(len(rows))
        if method == "pairdirection":
            _fast.cosines(operands.vectors, operands.norms, rows[:, 2].copy(), self.queries, self.query_norms,
                          self.shifts)  # fmt: skip

    def __getitem__(self, which: slice | I64) -> Questions:
        """Some of them, with the words of all."""
        part = copy(self)
        places, vectors, norms = self.words
        part.words = places[which], vectors, norms
        for name in ("rows", "queries", "lengths", "query_norms", "shifts"):
            setattr(part, name, getattr(self, name)[which])
        return part

    @cached_property
    def words(self) -> tuple[npt.NDArray[Any], F32, npt.NDArray[np.float64]]:
        """The questions' words, each once: places among them int32 [n, 3], their vectors and norms."""
        words, places = np.unique(self.rows, return_inverse=True)
        places = places.reshape(-1, 3).astype(np.int32)
        return places, self.operands.vectors[words], self.operands.norms[words]

    def score(self, answers: I64, out: F32, which: I64 | None = None) -> None:
        """The score of one row for each question, or for the questions `which`; NaN for row -1."""
        places, vectors, norms = self.words
        which = np.arange(len(answers)) if which is None else which
        _analogy_rule.analogy_scores(
            self.method, self.embeddings.vectors, self.embeddings.norms, np.ascontiguousarray(answers), which, vectors,
            norms, places, self.queries, self.query_norms, self.shifts, self.epsilon, out,
        )  # fmt: skip


class Table:
    """Cosines of question words and rows by int16 products, a tile at a time, and what is made of them."""

    def __init__(self, questions: Questions, gold: F32) -> None:
        self.questions, self.gold = questions, gold
        places, vectors, norms = questions.words
        n, d = vectors.shape
        pairs = -(-d // 2)
        largest = np.abs(vectors).max(axis=1, initial=0.0) / np.where(norms > 0, norms, 1.0)
        # Codes fit int16, and products of codes 16383 * 2**17, with what rounding adds to a length.
        more = np.sqrt(d) / 2 + 1
        length = min(32767 / max(float(largest.max(initial=0.0)), 1e-9), 16383 * 2.0**17 / (ROW_LENGTH + more) - more)
        length *= 1 - 1e-6
        self.unit = ROW_LENGTH * length / 2.0**17
        self.codes, self.errors = np.empty((n, 2 * pairs), dtype=np.int16), np.empty(n)
        _analogy_tables.quantise_words(vectors, norms, length, self.codes, self.errors)
        self.groups = min((_groups(places, most) for most in WORDS_A_GROUP), key=self._work)
        # What is so good that k other rows are known to reach it; shared between threads.
        self.floors = np.full(len(places), -np.inf, dtype=np.float32)
        self.lock = threading.Lock()

    def _work(self, groups: tuple[npt.NDArray[np.int32], ...]) -> float:
        """About what a row costs: products with all members, and a share of what a tile costs each question."""
        cuts, members, places = groups
        return len(members) * self.codes.shape[1] + len(places) * TILE_WORK / self._width(cuts)

    def _width(self, cuts: npt.NDArray[np.int32]) -> int:
        """Rows of a tile."""
        tables = 1 if self.questions.method == 0 else 2
        most = TABLE_BYTES // (2 * tables * int(np.diff(cuts[:, 1]).max())) // 32 * 32
        return min(ROWS_A_TILE, max(64, most))

    def visit(self, run: Run, best: Best) -> None:
        """Offers the rows of a run to the questions."""
        asked = self.questions
        if not best.memory:
            best.memory.update(self._memory(run, best))
        memory = best.memory
        with self.lock:
            floors = self.floors.copy()
        _analogies.analogies(
            asked.method, *memory["rows"], run.begin, run.end, *memory["words"], asked.lengths, *self._rule(),
            best.exclude, self.gold, best.ranks, floors, *best.heaps, memory["pools"], *memory["codes"],
            *memory["scratch"],
        )  # fmt: skip
        with self.lock:
            np.maximum(self.floors, floors, out=self.floors)

    def finish(self, best: Best) -> None:
        """Scores the rows that wait."""
        if memory := best.memory:
            with self.lock:
                floors = self.floors.copy()
            _analogies.finish(
                self.questions.method, *memory["rows"], *memory["words"], *self._rule(), floors, *best.heaps,
                memory["pools"],
            )  # fmt: skip
            memory.clear()

    def _rule(self) -> tuple[Any, ...]:
        asked = self.questions
        return asked.queries, asked.query_norms, asked.shifts, asked.epsilon

    def _memory(self, run: Run, best: Best) -> dict[str, Any]:
        asked = self.questions
        (n, k), (cuts, members, places) = best.scores.shape, self.groups
        waiting = pools(n, k, max(LEAST_WAITING, 8 * k))
        _fast.prepare_pools(*waiting)
        add = asked.method == 0
        w, width = int(np.diff(cuts[:, 1]).max()), self._width(cuts)
        table, size = np.empty((w, width), dtype=np.int16), self.codes.shape[1]
        margin = 0.0 if asked.method != 1 or 0 <= asked.epsilon <= MOST_EPSILON else np.inf
        scratch = (
            np.empty(size, dtype=np.int16), np.empty(width * size, dtype=np.int16), np.empty((w, size), dtype=np.int16),
            table, table if add else np.empty_like(table), np.empty(width, dtype=np.int16), np.empty(len(members)),
            np.empty(len(members), dtype=np.int32), np.empty((n, 5)), np.empty((n, 5), dtype=np.int16),
            np.empty(n, dtype=np.uint32), np.empty(n, dtype=np.uint32), np.empty(4 * width, dtype=np.uint32),
            np.empty(width, dtype=np.uint32), np.empty(n, dtype=np.uint8),
        )  # fmt: skip
        ids = np.empty(0, dtype=np.int64) if run.candidates is None else run.candidates
        return {
            "rows": (asked.embeddings.vectors, asked.embeddings.norms, ids), "words": asked.words,
            "codes": (self.codes, self.errors, self.unit, cuts, members, places, margin), "pools": waiting[3],
            "waiting": waiting, "scratch": scratch,
        }  # fmt: skip


def _groups(places: npt.NDArray[np.int32], most: int) -> tuple[npt.NDArray[np.int32], ...]:
    """Cuts questions (int32 [n, 3], their words) into groups with up to `most` words.

    Returns where each group begins among the questions and the members, int32 [groups + 1, 2]; the members, which are
    the words of each group; and the questions' places among the members of their group, int32 [n, 3].
    """
    cuts, members, within = [(0, 0)], [], np.empty_like(places)
    at = total = 0
    while at < len(places):
        ahead = places[at : at + QUESTIONS_A_GROUP]
        _, first = np.unique(ahead, return_index=True)  # of flat places: three for each question
        seen = np.cumsum(np.bincount(first // 3, minlength=len(ahead)))
        end = at + max(1, int(np.searchsorted(seen, most, side="right")))
        words, mine = np.unique(places[at:end], return_inverse=True)
        within[at:end] = mine.reshape(-1, 3)
        members.append(words)
        at, total = end, total + len(words)
        cuts.append((at, total))
    return np.array(cuts, dtype=np.int32), np.concatenate(members), within


def _offsets(embeddings: Embeddings, rows: I64) -> F32:
    """Unit vectors along b - a + c."""
    return combine(embeddings, rows[:, [1, 0, 2]], np.tile([1.0, -1.0, 1.0], (len(rows), 1)))


def _joined(first: I64 | None, second: I64 | None) -> I64 | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _memory_for(embeddings: Embeddings, rows: I64, k: int) -> int:
    """Bytes for all these questions at once, as if one thread worked on them."""
    words, d = len(np.unique(rows)), embeddings.dimensions
    a_question = 4 * d + max(LEAST_WAITING, 8 * k) * 8 + 32 * min(k, len(embeddings)) + 420
    return len(rows) * a_question + words * (6 * d + 64 * 4)


def _distinct(rows: I64 | None, limit: int | None, candidates: I64 | None) -> Iterator[I64]:
    """The columns of `rows` [n, m] with -1 for what is repeated or not searched."""
    rows = np.empty((0, 0), dtype=np.int64) if rows is None else rows
    for column, own in enumerate(rows.T):
        searched = _may_answer(own, None, limit, candidates) & (rows[:, :column] != own[:, None]).all(axis=1)
        yield np.where(searched, own, -1)


def _may_answer(rows: I64, excluded: I64 | None, limit: int | None, candidates: I64 | None) -> npt.NDArray[np.bool_]:
    allowed = rows >= 0
    if excluded is not None:
        allowed &= (excluded != rows[:, None]).all(axis=1)
    if limit is not None:
        allowed &= rows < limit
    if candidates is not None:
        allowed &= np.isin(rows, candidates)
    return allowed
