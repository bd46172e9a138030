"""The neighbourhood graph of a model, and how far such graphs agree between models."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain, combinations, pairwise, zip_longest
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo import _fast, _graph, _lists
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import atomic_folder, write_json
from wordgeo.progress import Progress, resolve_progress
from wordgeo.query.leading import LeadingCopy, leading_axes, sample_of
from wordgeo.query.screens import (
    GROUP,
    MOST_K,
    ROWS_A_FLAG,
    FloatScreen,
    Int8Codes,
    Int8Copy,
    Queries,
    int8_repays,
)
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import number, row_numbers, whole_number

__all__ = ["NeighborGraph", "Overlaps", "neighbor_graph", "overlaps"]

GRAPH_MARKER = "graph.json"
WORDS_A_BLOCK = 1024  # about
WORDS_AT_ONCE = 48  # blocks are multiples of it, and it is one of GROUP and of the words that kernels take at a time
ROWS_A_ROUND = 16 << 10  # that are no words: some hundredths of a second for a block of words, how long Ctrl-C waits
VISITS_AT_ONCE = 1024  # many, since threads wait for the last one
WORDS_A_TILE = 192
ROWS_A_TILE = 512
FIRST_ROWS = 4 * ROWS_A_TILE  # what a word without a floor meets first, in one tile: the more, the better is its floor
LEAST_WAITING = 192
MOST_KEPT = 32 << 20  # bytes
WORDS_A_COUNT = 4096  # words whose lists are compared at a time

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """The k nearest neighbours of the first n words: `rows` int64 and `scores` float32, both [n, k], best first.

    Places that nothing fills (fewer words than neighbours) have row -1 and score NaN. `guessed` float32 are the scores
    of what was guessed, all guesses side by side. `together` uint32 are all rows in the order in which they were met,
    near ones together, or None where they were met as they come.
    """

    rows: I64
    scores: F32
    guessed: F32 = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    together: U32 | None = None


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Agreement of neighbour lists, for each of n words and each of P pairs of models (0, 1), (0, 2), ... (1, 2), ...

    `overlap` |∩| / k, `jaccard` |∩| / |∪| and `rbo` (rank-biased overlap, extrapolated, persistence p) are float64
    [n, P]; `joint_overlap` and `joint_jaccard`, float64 [n], take all models at once: neighbours in every list over k,
    and over those in any list. References: Wendlandt, Kummerfeld & Mihalcea 2018; Antoniak & Mimno 2018; Hellrich &
    Hahn 2016; Webber, Moffat & Zobel 2010.
    """

    pairs: tuple[tuple[int, int], ...]
    overlap: npt.NDArray[np.float64]
    jaccard: npt.NDArray[np.float64]
    rbo: npt.NDArray[np.float64]
    joint_overlap: npt.NDArray[np.float64]
    joint_jaccard: npt.NDArray[np.float64]


def neighbor_graph(
    embeddings: Embeddings,
    *,
    k: int = 10,
    n: int | None = None,
    guess: Sequence[I64] = (),
    together: U32 | None = None,
    output: str | Path | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> NeighborGraph:
    """The k nearest neighbours, among all words, of every word or of the `n` most frequent (the first rows).

    The same rows and bytes as `top_k` gives one by one; every pair of words is multiplied once. With `output` the
    arrays are written to a folder (rows.npy, scores.npy) as they grow, and mapped from there. `guess` are rows, int64
    [n, any number], that may be near these words, such as their neighbours in other models of the same words: the
    better it is the sooner the graph is done, and it is the same graph. `together` is that of such a model's graph,
    which saves looking for such an order.
    """
    size = len(embeddings)
    n = size if n is None else min(size, whole_number("n", n, 1))
    k = min(whole_number("k", k, 1, MOST_K), max(size - 1, 1))
    known = np.concatenate([np.empty((n, 0), dtype=np.int64), *(_guess(each, n, size) for each in guess)], axis=1)
    guessed = np.empty(known.shape, dtype=np.float32)
    if together is not None:
        together = _order_of_all(together, size)
    if output is None:
        rows, scores = np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.float32)
        together = _fill(embeddings, rows, scores, known, guessed, together, threads, resolve_progress(progress))
        return NeighborGraph(rows, scores, guessed, together)
    with atomic_folder(output, marker=GRAPH_MARKER, overwrite=overwrite) as folder:
        rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.int64, (n, k))
        scores = np.lib.format.open_memmap(folder / "scores.npy", "w+", np.float32, (n, k))
        together = _fill(embeddings, rows, scores, known, guessed, together, threads, resolve_progress(progress))
        rows.flush()
        scores.flush()
        write_json(folder / GRAPH_MARKER, {"format_version": 1, "words": n, "neighbors": k, "among": size})
    return NeighborGraph(
        np.load(Path(output) / "rows.npy", mmap_mode="r"),
        np.load(Path(output) / "scores.npy", mmap_mode="r"),
        guessed,
        together,
    )


def _guess(rows: I64, n: int, size: int) -> I64:
    rows = row_numbers("guess", rows, (n, -1))
    if rows.size and not 0 <= rows.min() <= rows.max() < size:
        raise OptionError(f"guess has rows from {rows.min()} to {rows.max()}; the rows are 0 to {size - 1}")
    return rows


def _order_of_all(rows: U32, size: int) -> U32:
    found = np.asarray(rows)
    if found.dtype != np.uint32 or not np.array_equal(np.sort(found, axis=None), np.arange(size)):
        raise OptionError(f"together has to hold each row from 0 to {size - 1} once, as uint32")
    return np.ascontiguousarray(found.reshape(size))


def _fill(
    embeddings: Embeddings,
    rows: I64,
    scores: F32,
    guess: I64,
    guessed: F32,
    together: U32 | None,
    threads: int | None,
    progress: Progress,
) -> U32 | None:
    """Fills rows, scores and guessed; the order in which rows were met, if any."""
    n, k = rows.shape
    size = len(embeddings)
    room = max(LEAST_WAITING, 4 * k)
    lower = np.empty((n, k), dtype=np.float32)
    waiting = np.empty((n, room), dtype=np.uint32), np.empty((n, room), dtype=np.float32)
    pools = np.empty(n * _fast.pool_bytes(), dtype=np.uint8)
    held, floors = np.zeros(n, dtype=np.int64), np.empty(n, dtype=np.float32)
    _fast.prepare_pools(lower, *waiting, pools)
    embeddings.norms  # noqa: B018  (by all threads, before each works for itself)
    threads = resolve_threads(threads)

    def seed(words: U32) -> None:
        scratch = (
            np.zeros(size, dtype=np.uint32),
            np.empty(size, dtype=np.float32),
            np.empty(guess.shape[1], dtype=np.int64),
        )
        _graph.seed(
            embeddings.vectors, embeddings.norms, guess, guessed, floors, words, *scratch, pools, scores, rows, held
        )  # fmt: skip

    blocks, order = _blocks(n, threads), np.arange(n, dtype=np.uint32) if together is None else together[together < n]
    axes: list[tuple[F32, tuple[int, int]] | None] = []
    int8, floors_known = int8_repays(embeddings, n, k), guess.shape[1] >= k

    def look() -> None:
        axes.append(leading_axes(embeddings, n, k, floors if floors_known else None) if int8 else None)

    seed(sample_of(n).astype(np.uint32))
    seeds = [(seed, order[first:last]) for first, last in blocks] if guess.shape[1] else []
    run_blocks(lambda task, *of: task(*of), [(look,), *seeds], threads)
    products = _products(embeddings, n, int8, axes[0], together)
    near = [(products.order[first:last],) for first, last in blocks]

    free = [
        (
            np.empty((WORDS_A_TILE, ROWS_A_TILE), dtype=np.float32),
            np.empty(FIRST_ROWS, dtype=np.float32),
            np.empty(FIRST_ROWS, dtype=np.uint32),
            np.empty((WORDS_A_TILE, ROWS_A_TILE // ROWS_A_FLAG), dtype=np.uint8),
            np.empty(_graph.WORDS_A_SWEEP, dtype=np.float32),
            np.empty(_graph.WORDS_A_SWEEP * ROWS_A_TILE + GROUP, dtype=np.float32),
            np.empty(_graph.WORDS_A_SWEEP * ROWS_A_TILE + GROUP, dtype=np.uint32),
            np.empty((WORDS_A_TILE, ROWS_A_TILE), dtype=np.float32),
        )
        for _ in range(threads)
    ]

    own = {first: Lock() for first, _ in blocks}  # for who works on the words of a block

    def visit(first: int, last: int, begin: int, end: int, both: bool) -> None:
        with own[first], own[begin] if both else nullcontext():
            scratch = free.pop()
            products.visit(
                embeddings.vectors, embeddings.norms, *products.of_rows, first, *products.of_words(first, last), begin,
                end, both, pools, scores, rows, held, *scratch[: products.scratch],
            )  # fmt: skip
            free.append(scratch)

    def finish(words: U32) -> None:
        _graph.finish(embeddings.vectors, embeddings.norms, words, pools, scores, rows, held)
        unfilled = np.arange(k) >= held[words, None]
        if unfilled.any():
            places = words[np.nonzero(unfilled)[0]], np.nonzero(unfilled)[1]
            rows[places], scores[places] = -1, np.nan

    visits = list(chain.from_iterable(_rounds(n, size, threads, products.near, floors_known)))
    progress.start("neighbours", len(visits), "blocks")
    try:
        for begin in range(0, len(visits), VISITS_AT_ONCE):
            run_blocks(visit, visits[begin : begin + VISITS_AT_ONCE], threads, progress.advance)
        run_blocks(finish, near, threads)
    finally:
        progress.finish()
    return products.together


def _blocks(n: int, threads: int) -> list[tuple[int, int]]:
    """Words in blocks of nearly the same size, as many for every thread, also when blocks meet two by two."""
    units, many = -(-n // WORDS_AT_ONCE), 2 * threads
    blocks = min(-(-n // WORDS_A_BLOCK // many) * many, units)
    bounds = [min(units * i // blocks * WORDS_AT_ONCE, n) for i in range(blocks + 1)]
    return list(pairwise(bounds))


def _rounds(
    n: int, size: int, threads: int, near: I64 | None = None, guessed: bool = False
) -> list[list[tuple[int, int, int, int, bool]]]:
    """Words first .. last and rows begin .. end that meet, and whether the rows are words that look among these too, in
    rounds within which no word comes twice: threads hardly ever wait for each other.

    Every block of words with itself; by the circle method, every pair of blocks once for both; and the rows that are no
    words. Rows come in whole groups, so the last block of words has the next few rows with it.
    """
    blocks = _blocks(n, threads)
    edge = min(-(-n // GROUP) * GROUP, size)

    def rows(i: int) -> tuple[int, int]:
        return blocks[i][0], edge if i == len(blocks) - 1 else blocks[i][1]

    rounds = [[(*block, *rows(i), False) for i, block in enumerate(blocks)]]
    players = list(range(len(blocks))) + ([-1] if len(blocks) % 2 else [])
    for _ in range(len(players) - 1):
        half = len(players) // 2
        games = [sorted(game) for game in zip(players[:half], reversed(players[half:]), strict=True)]
        rounds.append([(*blocks[i], *rows(j), True) for i, j in games if i >= 0])
        players = [players[0], players[-1], *players[1:-1]]
    others = [[(*block, begin, end, False) for begin, end in _others(block, n, size, edge, near)] for block in blocks]
    others = [[visit for visit in each if visit] for each in zip_longest(*others)]
    # For the sake of floors: what is longest first; where these are nearly known, words, among which most is near.
    rounds = others + rounds if size - edge > n and not guessed else rounds + others
    return [pairs for pairs in rounds if pairs]


def _others(block: tuple[int, int], n: int, size: int, edge: int, near: I64 | None) -> list[tuple[int, int]]:
    """Runs of the rows that are no words, for a block of words: first those near it, where that is known."""
    first = edge
    if near is not None:
        first += max(0, min(int(near[sum(block) // 2]) - FIRST_ROWS // 2, size - edge - FIRST_ROWS)) // GROUP * GROUP
    begins = [first, *range(first + FIRST_ROWS, size, ROWS_A_ROUND), size]
    before = [*range(edge, first, ROWS_A_ROUND), first]
    return [(begin, end) for begin, end in (*pairwise(begins), *pairwise(before)) if begin < end]


class _Int8Products:
    visit, scratch = staticmethod(_graph.visit8), 8

    def __init__(self, copy: Int8Codes) -> None:
        self.copy, self.near, self.together = copy, copy.near, copy.together
        self.leading, shifts, self.numbers, self.pairs = copy.for_graphs()
        self.order = np.arange(len(copy.scales), dtype=np.uint32) if copy.order is None else copy.order
        self.of_rows = copy.codes, self.numbers, self.pairs, self.order, self.leading, shifts
        self._made: dict[int, tuple[Any, ...]] = {}

    def of_words(self, first: int, last: int) -> tuple[Any, ...]:
        """Every block of words meets every block of rows, so what is made of its words is kept, as far as it fits."""
        made = self._made.get(first)
        if made is None:
            numbers = np.ascontiguousarray(self.numbers[:, first:last])
            numbers[2] = self.copy.slack(numbers[2])
            pairs = np.ascontiguousarray(self.pairs[:, first:last])
            made = *self.copy.as_queries(first, last, self.leading), numbers, pairs, self.copy.rounding
            if len(self._made) < MOST_KEPT // made[0].nbytes:
                self._made[first] = made
        return made


class _FloatProducts:
    visit, scratch, near, together = staticmethod(_graph.visit), 3, None, None

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings, self.screen = embeddings, FloatScreen.of(embeddings)
        self.order = np.arange(len(embeddings), dtype=np.uint32)
        self.of_rows = self.screen.scale, np.zeros(len(embeddings), dtype=np.float32)

    def of_words(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        words = Queries(self.embeddings.vectors[first:last], self.embeddings.norms[first:last])
        return words.unit, np.full(last - first, self.screen.slack, dtype=np.float32)


def _products(
    embeddings: Embeddings,
    n: int,
    int8: bool,
    axes: tuple[F32, tuple[int, int]] | None,
    together: U32 | None,
) -> _Int8Products | _FloatProducts:
    if axes is not None:
        return _Int8Products(LeadingCopy(embeddings.vectors, embeddings.norms, *axes, n, together))
    return _Int8Products(Int8Copy.of(embeddings)) if int8 else _FloatProducts(embeddings)


def overlaps(lists: Sequence[I64], *, p: float = 0.9, threads: int | None = None) -> Overlaps:
    """How far the neighbour lists of two or more models agree.

    `lists` has one int64 array [n, k] for each model: the rows of each word's neighbours, the best first, in one
    vocabulary that all models share. All lists are full (no -1) and without repetition.
    """
    number("p", p, 0.0, 1.0)
    if not 0 < p < 1:
        raise OptionError(f"p is {p}; give a number between 0 and 1")
    if len(lists) < 2 or len({np.shape(each) for each in lists}) != 1 or np.ndim(lists[0]) != 2:
        raise OptionError("overlaps compares two or more arrays of the same shape [words, neighbours]")
    stacked = row_numbers("lists", np.stack(lists), (len(lists), -1, -1))
    models, n, k = stacked.shape
    if stacked.size == 0 or stacked.min() < 0:
        raise OptionError("a list of neighbours has gaps (row -1) or none at all; ask for fewer neighbours")
    pairs = tuple(combinations(range(models), 2))
    common = np.empty((n, len(pairs)), dtype=np.int64)
    rbo = np.empty((n, len(pairs)))
    joint = np.empty((n, 2), dtype=np.int64)
    size = int(stacked.max()) + 1

    def count(begin: int) -> None:
        block = slice(begin, begin + WORDS_A_COUNT)
        marks, ranks = np.zeros(size, dtype=np.int64), np.empty(size, dtype=np.int64)
        mine = np.ascontiguousarray(stacked[:, block])
        scratch = marks, ranks, np.empty(k + 1, dtype=np.int64)
        if not _lists.overlaps(mine, p, common[block], rbo[block], joint[block], *scratch):
            raise OptionError("a list of neighbours names a row twice")

    run_blocks(count, [(begin,) for begin in range(0, n, WORDS_A_COUNT)], threads)
    return Overlaps(pairs, common / k, common / (2 * k - common), rbo, joint[:, 0] / k, joint[:, 0] / joint[:, 1])
