"""The neighbourhood graph of a model, and how far such graphs agree between models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo import _fast, _graph
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import atomic_folder, write_json
from wordgeo.progress import Progress, resolve_progress
from wordgeo.query.leading import LeadingCopy
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
WORDS_A_TILE = 192
ROWS_A_TILE = 512
FIRST_ROWS = 4 * ROWS_A_TILE  # what a word meets first, in one tile: the more, the better is its floor
LEAST_WAITING = 192
MOST_KEPT = 32 << 20  # bytes
WORDS_A_COUNT = 4096  # words whose lists are compared at a time

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NeighborGraph:
    """The k nearest neighbours of the first n words: `rows` int64 and `scores` float32, both [n, k], best first.

    Places that nothing fills (fewer words than neighbours) have row -1 and score NaN.
    """

    rows: I64
    scores: F32


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
    output: str | Path | None = None,
    overwrite: bool = False,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> NeighborGraph:
    """The k nearest neighbours, among all words, of every word or of the `n` most frequent (the first rows).

    The same rows and bytes as `top_k` gives one by one; every pair of words is multiplied once. With `output` the
    arrays are written to a folder (rows.npy, scores.npy) as they grow, and mapped from there.
    """
    size = len(embeddings)
    n = size if n is None else min(size, whole_number("n", n, 1))
    k = min(whole_number("k", k, 1, MOST_K), max(size - 1, 1))
    if output is None:
        rows, scores = np.empty((n, k), dtype=np.int64), np.empty((n, k), dtype=np.float32)
        _fill(embeddings, rows, scores, threads, resolve_progress(progress))
        return NeighborGraph(rows, scores)
    with atomic_folder(output, marker=GRAPH_MARKER, overwrite=overwrite) as folder:
        rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.int64, (n, k))
        scores = np.lib.format.open_memmap(folder / "scores.npy", "w+", np.float32, (n, k))
        _fill(embeddings, rows, scores, threads, resolve_progress(progress))
        rows.flush()
        scores.flush()
        write_json(folder / GRAPH_MARKER, {"format_version": 1, "words": n, "neighbors": k, "among": size})
    return NeighborGraph(
        np.load(Path(output) / "rows.npy", mmap_mode="r"), np.load(Path(output) / "scores.npy", mmap_mode="r")
    )


def _fill(embeddings: Embeddings, rows: I64, scores: F32, threads: int | None, progress: Progress) -> None:
    n, k = rows.shape
    size = len(embeddings)
    room = max(LEAST_WAITING, 4 * k)
    lower = np.empty((n, k), dtype=np.float32)
    waiting = np.empty((n, room), dtype=np.uint32), np.empty((n, room), dtype=np.float32)
    pools = np.empty(n * _fast.pool_bytes(), dtype=np.uint8)
    held = np.zeros(n, dtype=np.int64)
    _fast.prepare_pools(lower, *waiting, pools)
    first_products, products = _products(embeddings, n, k)

    threads = resolve_threads(threads)
    free = [
        (
            np.empty((WORDS_A_TILE, ROWS_A_TILE), dtype=np.float32),
            np.empty((WORDS_A_TILE, ROWS_A_TILE // ROWS_A_FLAG), dtype=np.uint8),
            np.empty(WORDS_A_TILE, dtype=np.float32),
            np.empty(FIRST_ROWS, dtype=np.float32),
            np.empty(FIRST_ROWS, dtype=np.uint32),
        )
        for _ in range(threads)
    ]

    def visit(by: _Products, first: int, last: int, begin: int, end: int, both: bool) -> None:
        scratch = free.pop()
        _graph.visit(
            embeddings.vectors, embeddings.norms, *by.of_rows, first, *by.of_words(first, last), begin, end, both,
            pools, scores, rows, held, *scratch,
        )  # fmt: skip
        free.append(scratch)

    def finish(first: int, last: int) -> None:
        run = slice(first, last)
        _graph.finish(embeddings.vectors, embeddings.norms, first, last, pools, scores, rows, held)
        _fast.sort_best(scores[run], rows[run], held[run])
        unfilled = np.arange(k) >= held[run, None]
        rows[run][unfilled], scores[run][unfilled] = -1, np.nan

    rounds = _rounds(n, size, threads)
    progress.start("neighbours", len(rounds), "rounds")
    try:
        for i, pairs in enumerate(rounds):  # threads never share a word
            run_blocks(partial(visit, products if i else first_products), pairs, threads)
            progress.advance(1)
        run_blocks(finish, _blocks(n, threads), threads)
    finally:
        progress.finish()


def _blocks(n: int, threads: int) -> list[tuple[int, int]]:
    """Words in blocks of nearly the same size, as many for every thread, also when blocks meet two by two."""
    units, many = -(-n // WORDS_AT_ONCE), 2 * threads
    blocks = min(-(-n // WORDS_A_BLOCK // many) * many, units)
    bounds = [min(units * i // blocks * WORDS_AT_ONCE, n) for i in range(blocks + 1)]
    return list(pairwise(bounds))


def _rounds(n: int, size: int, threads: int) -> list[list[tuple[int, int, int, int, bool]]]:
    """Words first .. last and rows begin .. end that meet, and whether the rows are words that look among these too, in
    rounds within which no word comes twice.

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
    begins = [edge, *range(edge + FIRST_ROWS, size, ROWS_A_ROUND), size]
    others = [[(*block, begin, end, False) for block in blocks] for begin, end in pairwise(begins) if begin < end]
    rounds = others + rounds if size - edge > n else rounds + others  # the longest first, for the sake of floors
    return [pairs for pairs in rounds if pairs]


class _Int8Products:
    def __init__(self, copy: Int8Codes, floats: FloatScreen | None = None) -> None:
        self.copy = copy
        scale, fine = (np.empty(0, dtype=np.float32), 0.0) if floats is None else (floats.scale, floats.slack)
        self.of_rows = scale, copy.codes, copy.scales, copy.errors, copy.worst, fine
        self._made: dict[int, tuple[np.ndarray, ...]] = {}

    def of_words(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        """Every block of words meets every block of rows, so what is made of its words is kept, as far as it fits."""
        made = self._made.get(first)
        if made is None:
            codes, *rest = self.copy.as_queries(first, last)
            made = np.empty((0, 1), dtype=np.float32), codes, *rest
            if len(self._made) < MOST_KEPT // codes.nbytes:
                self._made[first] = made
        return made


class _FloatProducts:
    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings, self.screen = embeddings, FloatScreen.of(embeddings)
        empty = np.empty(0, dtype=np.float32)
        errors = np.zeros(len(embeddings), dtype=np.float32)
        self.of_rows = self.screen.scale, np.empty(0, dtype=np.uint8), empty, errors, 0.0, 0.0

    def of_words(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        n = last - first
        unit = Queries(self.embeddings.vectors[first:last], self.embeddings.norms[first:last]).unit
        codes, corrections = np.empty((1, 2, 4), dtype=np.int8), np.empty((1, 2), dtype=np.int32)
        slack = np.full(n, self.screen.slack, dtype=np.float32)
        return unit, codes, corrections, np.empty(0, dtype=np.float32), slack


_Products = _Int8Products | _FloatProducts


def _products(embeddings: Embeddings, n: int, k: int) -> tuple[_Products, _Products]:
    """For the first round, in which every word meets its first rows and gets a floor, and for the others."""
    if not int8_repays(embeddings, n, k):
        floats = _FloatProducts(embeddings)
        return floats, floats
    whole, leading = _Int8Products(Int8Copy.of(embeddings)), LeadingCopy.of(embeddings, n, k)
    return whole, whole if leading is None else _Int8Products(leading, FloatScreen.of(embeddings))


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
    ordered = np.sort(stacked, axis=2)
    if (ordered[:, :, 1:] == ordered[:, :, :-1]).any():
        raise OptionError("a list of neighbours names a row twice")
    pairs = tuple(combinations(range(models), 2))
    common = np.empty((n, len(pairs)), dtype=np.int64)
    rbo = np.empty((n, len(pairs)))
    joint = np.empty((n, 2), dtype=np.int64)
    size = int(stacked.max()) + 1

    def count(begin: int) -> None:
        block = slice(begin, begin + WORDS_A_COUNT)
        marks, ranks = np.zeros(size, dtype=np.int64), np.empty(size, dtype=np.int64)
        mine = np.ascontiguousarray(stacked[:, block])
        _fast.overlaps(mine, p, common[block], rbo[block], joint[block], marks, ranks, np.empty(k + 1, dtype=np.int64))

    run_blocks(count, [(begin,) for begin in range(0, n, WORDS_A_COUNT)], threads)
    return Overlaps(pairs, common / k, common / (2 * k - common), rbo, joint[:, 0] / k, joint[:, 0] / joint[:, 1])
