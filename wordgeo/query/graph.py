"""The neighbourhood graph of a model, and how far such graphs agree between models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo import _fast, _graph
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import atomic_folder, write_json
from wordgeo.progress import Progress, resolve_progress
from wordgeo.query.screens import MOST_K, FloatScreen, Int8Copy, Queries, int8_repays
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import number, whole_number

__all__ = ["NeighborGraph", "Overlaps", "neighbor_graph", "overlaps"]

GRAPH_MARKER = "graph.json"
WORDS_A_BLOCK = 1024  # a multiple of 16, and of the words and rows of a tile
BLOCKS_AT_ONCE = 16  # of rows that are no words: some tenths of a second, how long Ctrl-C waits
WORDS_A_TILE = 192
ROWS_A_TILE = 512
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
    products = _Int8Products(embeddings) if int8_repays(embeddings, n, k) else _FloatProducts(embeddings)

    threads = resolve_threads(threads)
    free = [
        (
            np.empty((WORDS_A_TILE, ROWS_A_TILE), dtype=np.float32),
            np.empty(ROWS_A_TILE, dtype=np.float32),
            np.empty(ROWS_A_TILE, dtype=np.uint32),
        )
        for _ in range(threads)
    ]

    def visit(i: int, j: int, stop: int, both: bool) -> None:
        first, begin = i * WORDS_A_BLOCK, j * WORDS_A_BLOCK
        words, end = min(first + WORDS_A_BLOCK, n), min(stop * WORDS_A_BLOCK, size)
        scratch = free.pop()
        _graph.visit(
            embeddings.vectors, embeddings.norms, *products.of_rows, first, *products.of_words(first, words), begin,
            end, both, pools, scores, rows, held, *scratch,
        )  # fmt: skip
        free.append(scratch)

    def finish(i: int) -> None:
        run = slice(i * WORDS_A_BLOCK, min((i + 1) * WORDS_A_BLOCK, n))
        _graph.finish(embeddings.vectors, embeddings.norms, run.start, run.stop, pools, scores, rows, held)
        _fast.sort_best(scores[run], rows[run], held[run])
        unfilled = np.arange(k) >= held[run, None]
        rows[run][unfilled], scores[run][unfilled] = -1, np.nan

    progress.start("neighbours", len(_rounds(n, size)), "rounds")
    try:
        for pairs in _rounds(n, size):  # threads never share a word
            run_blocks(visit, pairs, threads)
            progress.advance(1)
        run_blocks(finish, [(i,) for i in range(-(-n // WORDS_A_BLOCK))], threads)
    finally:
        progress.finish()


def _rounds(n: int, size: int) -> list[list[tuple[int, int, int, bool]]]:
    """Blocks of words and of rows, (i, first j, the one behind the last, whether the rows are all words), in rounds
    within which no block of words comes twice.

    First every block with itself; then, by the circle method, every pair of whole blocks of words once for both; last
    the rows that are no words, and the block in which words end, for the words alone.
    """
    whole, words, rows = n // WORDS_A_BLOCK, -(-n // WORDS_A_BLOCK), -(-size // WORDS_A_BLOCK)
    rounds = [[(i, i, i + 1, False) for i in range(words)]]
    players = list(range(whole)) + ([-1] if whole % 2 else [])
    for _ in range(len(players) - 1):
        half = len(players) // 2
        games = zip(players[:half], reversed(players[half:]), strict=True)
        rounds.append([(i, j, j + 1, True) for i, j in games if i >= 0 and j >= 0])
        players = [players[0], players[-1], *players[1:-1]]
    for j in range(whole, rows, BLOCKS_AT_ONCE):
        stop = min(j + BLOCKS_AT_ONCE, rows)
        rounds.append([(i, begin, stop, False) for i in range(words) if (begin := j + (i == j)) < stop])
    if words > whole > 0:  # the last words look among the whole blocks, as these have looked among them
        rounds.append([(whole, 0, whole, False)])
    return [pairs for pairs in rounds if pairs]


class _Int8Products:
    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings, self.copy = embeddings, Int8Copy.of(embeddings)
        self.of_rows = (np.empty(0, dtype=np.float32), self.copy.codes, self.copy.scales, self.copy.errors)
        self._made: dict[int, tuple[np.ndarray, ...]] = {}

    def of_words(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        """Every block of words meets every block of rows, so what is made of its words is kept, as far as it fits."""
        made = self._made.get(first)
        if made is None:
            unit = Queries(self.embeddings.vectors[first:last], self.embeddings.norms[first:last]).unit
            codes, _, corrections, scales, slack = self.copy.quantised(unit, 1)
            made = unit, codes, corrections, scales, slack
            if len(self._made) < MOST_KEPT // (unit.nbytes + codes.nbytes):
                self._made[first] = made
        return made


class _FloatProducts:
    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings, self.screen = embeddings, FloatScreen.of(embeddings)
        empty = np.empty(0, dtype=np.float32)
        errors = np.zeros(len(embeddings), dtype=np.float32)
        self.of_rows = (self.screen.scale, np.empty(0, dtype=np.uint8), empty, errors)

    def of_words(self, first: int, last: int) -> tuple[np.ndarray, ...]:
        n = last - first
        unit = Queries(self.embeddings.vectors[first:last], self.embeddings.norms[first:last]).unit
        codes, corrections = np.empty((1, 2, 4), dtype=np.int8), np.empty((1, 2), dtype=np.int32)
        slack = np.full(n, self.screen.slack, dtype=np.float32)
        return unit, codes, corrections, np.empty(0, dtype=np.float32), slack


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
    stacked = np.ascontiguousarray(np.stack(lists), dtype=np.int64)
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
