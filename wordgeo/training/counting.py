"""Counts which words stand near each other in an encoded corpus: exact, on all cores, in a given memory."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import queue
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wordgeo import files
from wordgeo.errors import CorpusError, NotFoundError, OptionError, TrainingError, WordgeoError
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.training import _counts
from wordgeo.training.counting_file import (
    FORMAT,
    I64,
    MARKER,
    U32,
    U64,
    VOCABULARY,
    Counts,
    RowsWriter,
    open_rows,
    row_blocks,
)
from wordgeo.training.resample import Resample, resampled_vocabulary, unit_of, unit_offsets
from wordgeo.training.sentences import ranges
from wordgeo.validate import choice, number, whole_number
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus
    from wordgeo.training.config import TrainingConfig

__all__ = ["CountingOptions", "count", "count_cached", "memory_bytes"]

logger = logging.getLogger(__name__)

MEMORY = "4G"
DEFAULT_MIN_COUNT = 5
LARGEST_UNIT = 2**32
BLOCKS_A_THREAD = 16
BYTES_A_TOKEN, BYTES_AN_ENTRY = 8, 12  # of a stream and its places; of a column and its sum
FEWEST_TOKENS = 1 << 10
SHARE_OF_OUTPUT = 4  # a part of the memory that holds rows which are counted and not yet written


@dataclass(frozen=True, kw_only=True)
class CountingOptions:
    """What is counted as a pair, and how much it counts; the words mean what they mean in `TrainingConfig`.

    `words` are a vocabulary from outside, whose order the rows take; unset, it is the corpus's own words that occur
    `min_count` (5) times or more, by descending count. Raises `OptionError`.

    >>> CountingOptions(window=2).weighting
    'harmonic'
    """

    window: int = 10
    sides: str = "both"
    weighting: str = "harmonic"
    bounds: str = "sentence"
    subsampling: str = "dirty"
    sample: float = 0.0
    min_count: int | None = None
    words: Sequence[str] | None = None

    def __post_init__(self) -> None:
        whole_number("window", self.window, low=1, high=10_000)
        choice("sides", self.sides, ("both", "left", "right"))
        choice("weighting", self.weighting, ("harmonic", "flat", "dynamic"))
        choice("bounds", self.bounds, ("sentence", "document"))
        choice("subsampling", self.subsampling, ("dirty", "clean"))
        number("sample", self.sample, 0, 1)
        if self.words is not None and self.min_count is not None:
            raise OptionError(f"min_count is {self.min_count}, but the words are given; leave one of them out")
        if self.words is None:
            least = DEFAULT_MIN_COUNT if self.min_count is None else self.min_count
            object.__setattr__(self, "min_count", whole_number("min_count", least, low=1, high=2**63 - 1))

    @classmethod
    def of(cls, config: TrainingConfig) -> CountingOptions:
        """Those of a training by GloVe or PPMI."""
        names = ("window", "sides", "weighting", "bounds", "subsampling", "sample", "min_count")
        return cls(**{name: getattr(config, name) for name in names})

    def weights(self, tokens: int) -> tuple[U64, int, bool]:
        """What pairs 0, 1, ..., `window` words apart count, in whole parts of a unit; the unit; whether they are exact.

        Harmonic weights 1/d are exact in parts of the least common multiple of 1..window. Where that is above 2^32
        (window > 22), or the sums of so many tokens might pass 2^64, they are rounded to parts of a power of 2.
        """
        d = range(1, self.window + 1)
        if self.weighting == "flat":
            unit, exact, weights = 1, True, [1 for _ in d]
        elif self.weighting == "dynamic":
            unit, exact, weights = self.window, True, [self.window - i + 1 for i in d]
        else:
            unit = math.lcm(*d)
            exact, weights = unit <= LARGEST_UNIT, [unit // i for i in d]
        if not exact or 2 * tokens * sum(weights) >= 2**64:
            scale = [w / unit for w in weights]
            unit = 1 << min(32, 62 - math.ceil(math.log2(2 * tokens * sum(scale))))
            exact, weights = False, [round(unit * w) for w in scale]
        return np.array([0, *weights], dtype=np.uint64), unit, exact


def count(
    corpus: EncodedCorpus,
    output: str | Path,
    options: CountingOptions | None = None,
    *,
    overwrite: bool = False,
    resample: Resample | None = None,
    memory: str | int = MEMORY,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> Counts:
    """Counts the pairs of words that stand at most `window` apart, into the folder `output`.

    The count of a word w and a context c is the sum of the weight of their distance over all places where c stands on
    a side of w that counts, in whole parts of a unit: the same bytes for any number of threads and any memory.

    `memory` ("500M", "4G", or bytes) is what counting may take beside the vocabulary; a corpus that is too large for
    it is counted in pieces, which are kept in the output's own folder and added up. It appears whole or not at all.
    With `resample` it is another sample of the documents that is counted, by their places: the corpus is not copied.

    Raises `OptionError` where the memory is too small, `OutputError` where the disk is full or gone, `TrainingError`
    where no word is frequent enough, `CorpusError` for a damaged corpus.
    """
    options = options or CountingOptions()
    with files.atomic_folder(output, marker=MARKER, overwrite=overwrite) as folder:
        counting = _Counting(
            corpus, options, resample, memory_bytes(memory), resolve_threads(threads), resolve_progress(progress)
        )
        counting.run(folder)
    return Counts.open(output)


def count_cached(
    corpus: EncodedCorpus,
    options: CountingOptions,
    *,
    resample: Resample | None = None,
    memory: str | int | None = None,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> Counts:
    """Like `count`, into the cache: what was counted before is only mapped."""
    cache = files.cache_folder("counts")
    entry = cache / fingerprint(corpus, options, resample)
    try:
        found = Counts.open(entry)
        os.utime(entry)
        logger.info("counted before: %s", entry)
        return found
    except NotFoundError:
        pass
    except WordgeoError as problem:
        logger.warning("%s; counting again", problem)
    counted = count(
        corpus, entry, options, overwrite=True, resample=resample, memory=memory or MEMORY, threads=threads,
        progress=progress,
    )  # fmt: skip
    files.evict(cache, keep=entry)
    return counted


def fingerprint(corpus: EncodedCorpus, options: CountingOptions, resample: Resample | None = None) -> str:
    """Of the corpus and all that shapes the counts: the same fingerprint, the same bytes."""
    words = None if options.words is None else list(options.words)
    shapes: list[Any] = [FORMAT, corpus.fingerprint, {**asdict(options), "words": words}]
    if resample is not None:
        shapes.append(asdict(resample))
    text = json.dumps(shapes, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def memory_bytes(value: str | int) -> int:
    """A size such as "500M" or "4G" (powers of 1,000) in bytes. Raises `OptionError`.

    >>> memory_bytes("1.5G")
    1500000000
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return whole_number("memory", value, low=1)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)[bB]?", value) if isinstance(value, str) else None
    if not found or float(found[1]) == 0:
        raise OptionError(f"memory is {value!r}; give a size such as 500M or 4G")
    return int(float(found[1]) * 1000 ** " KMGT".index(found[2].upper() or " "))


@dataclass(frozen=True)
class _Stream:
    """A piece of the corpus as rows of the vocabulary, see _counts.pyx; pairs end at `halo` or later."""

    rows: U32
    halo: int
    counts: U64  # how often each row is in it


class _Scratch:
    """The sums of one row of the matrix, and bits that tell which of them are not zero."""

    def __init__(self, columns: int) -> None:
        self.sums = np.zeros(columns, dtype=np.uint64)
        self.bits = np.zeros(-(-columns // 64), dtype=np.uint64)
        self.summary = np.zeros(-(-columns // 4096), dtype=np.uint64)
        self.arrays = (self.sums, self.bits, self.summary)


class _Counting:
    """One counting: the plan of its memory, and the pieces one after another."""

    def __init__(
        self,
        corpus: EncodedCorpus,
        options: CountingOptions,
        resample: Resample | None,
        memory: int,
        threads: int,
        progress: Progress,
    ) -> None:
        self.corpus, self.options, self.threads, self.progress = corpus, options, threads, progress
        self.resample = resample
        order = None if resample is None else resample.order(corpus)
        counted = corpus.vocabulary
        if resample is not None and order is not None and resample.vocabulary:
            counted = resampled_vocabulary(corpus, order)
        self.vocabulary, self.row_of = _rows(corpus, counted, options)
        self.words = len(self.vocabulary)
        self.kept = _kept(self.vocabulary, self.row_of, options.sample)
        self.begins, self.ends = _units(corpus, options.bounds, order)
        self.tokens = len(corpus.ids) if order is None else int((self.ends - self.begins).sum())
        self.weights, self.unit, self.exact = options.weights(self.tokens)
        self.symmetric = options.sides == "both"
        self._plan(memory)
        self._free: queue.SimpleQueue[_Scratch] = queue.SimpleQueue()
        for _ in range(threads):
            self._free.put(_Scratch(self.words))

    def _plan(self, memory: int) -> None:
        """Shares the memory out: tables, one scratch a thread, rows that wait to be written, and the stream."""
        n = self.words
        tables = 12 * len(self.row_of) + 9 * n * self.threads + 64 * n
        if self.resample is not None or self.options.bounds == "document":  # else they are mapped
            tables += 16 * len(self.begins)
        one_row, fewest = BYTES_AN_ENTRY * n, BYTES_A_TOKEN * max(FEWEST_TOKENS, 4 * self.options.window)
        least = tables + one_row + fewest
        if memory < least:
            raise OptionError(
                f"memory is {memory} bytes, but counting {n} words on {self.threads} threads needs "
                f"{math.ceil(least / 1000)}k at least; give more, or fewer threads"
            )
        waiting = max(one_row, min((memory - tables) // SHARE_OF_OUTPUT, memory - tables - fewest))
        self.most_entries = waiting // BYTES_AN_ENTRY
        whole = self.tokens + len(self.begins) + self.options.window + 2
        self.room = min((memory - tables - waiting) // BYTES_A_TOKEN, whole, 2**32 - 2)

    def run(self, folder: Path) -> None:
        """Counts everything into `folder`."""
        self.progress.start("counting", self.tokens, "words")
        spilled: list[Path] = []
        try:
            for number, (stream, last) in enumerate(self._streams()):
                place = folder
                if number or not last:
                    place = folder / f"run-{number:04}"
                    place.mkdir()
                    spilled.append(place)
                entries = self._count(stream, place)
                del stream
            if spilled:
                logger.info("adding up %d pieces", len(spilled))
                entries = self._merge(spilled, folder)
        finally:
            self.progress.finish()
        with (folder / VOCABULARY).open("wb") as file:
            self.vocabulary.write(file)
        files.write_json(folder / MARKER, self._info(entries))

    def _info(self, entries: int) -> dict[str, Any]:
        options = {name: value for name, value in asdict(self.options).items() if name != "words"}
        corpus = self.corpus
        return {
            "format": FORMAT,
            "fingerprint": fingerprint(corpus, self.options, self.resample),
            "words": self.words,
            "entries": entries,
            "unit": self.unit,
            "exact": self.exact,
            "options": {**options, "vocabulary": "corpus" if self.options.words is None else "given"},
            "corpus": {"fingerprint": corpus.fingerprint, "token_count": len(corpus.ids)},
        }

    def _streams(self) -> Iterator[tuple[_Stream, bool]]:
        """The corpus in pieces that fit the memory, and whether each is the last. One overwrites the other."""
        room = np.empty(self.room, dtype=np.uint32)
        begin = unit = within = halo = 0
        holes = self.options.subsampling == "clean"
        while begin < self.tokens:
            counts = np.zeros(self.words, dtype=np.uint64)
            before = room[:halo]
            np.add.at(counts, before[before < np.uint32(_counts.HOLE)], 1)
            read = _counts.gather(
                self.corpus.ids, self.begins, self.ends, begin, unit, within, self.row_of, self.kept, holes, room, halo,
                counts,
            )  # fmt: skip
            if read is None:
                raise CorpusError(f"{self.corpus.path}: an id is beyond the vocabulary; encode the text again")
            filled, end, unit, within = read
            yield _Stream(room[:filled], halo, counts), end == self.tokens
            self.progress.advance(end - begin)
            begin, halo = end, min(filled, self.options.window)
            room[:halo] = room[filled - halo : filled].copy()

    def _count(self, stream: _Stream, folder: Path) -> int:
        """Counts a stream into a folder; returns how many entries that are."""
        starts = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(stream.counts)])
        places = np.empty(int(starts[-1]), dtype=np.uint32)
        at = starts[:-1].copy()
        share = max(1, int(starts[-1]) // self.threads)
        parts = row_blocks(stream.counts, share, stream.counts, share)
        run_blocks(lambda first, last: _counts.place(stream.rows, first, last, at, places), parts, self.threads)
        sides = 2 if self.symmetric else 1
        bounds = np.minimum(self._widths(), stream.counts * np.uint64(sides * self.options.window))
        left, right = (self.options.sides in ("both", side) for side in ("left", "right"))
        rows = partial(_counts.count_rows, stream.rows, stream.halo, starts, places)
        return self._write(
            folder,
            bounds,
            stream.counts,
            lambda first, last, scratch, *out: rows(
                first, last, self.weights, left, right, self.symmetric, *scratch.arrays, *out
            ),
        )

    def _merge(self, spilled: list[Path], folder: Path) -> int:
        """Adds runs up into a folder, and removes them."""
        runs = []
        for place in spilled:
            entries = int(np.load(place / "rows.npy", mmap_mode="r")[-1])
            runs.append(open_rows(place, self.words, entries))
        columns, sums = (np.array([run[i].ctypes.data for run in runs], dtype=np.uint64) for i in (1, 2))
        together = np.zeros(self.words, dtype=np.uint64)
        for rows, _, _ in runs:
            together += np.diff(rows)

        def merged(first: int, last: int, scratch: _Scratch, *out: np.ndarray) -> int:
            starts = np.stack([rows[first : last + 1] for rows, _, _ in runs])
            found: int = _counts.merge_rows(columns, sums, starts, *scratch.arrays, *out)
            if found < 0:
                raise CorpusError(f"{folder}: what was spilled to disk came back damaged; check the disk")
            return found

        entries = self._write(folder, np.minimum(self._widths(), together), together, merged)
        for place in spilled:
            for file in place.iterdir():
                file.unlink()
            place.rmdir()
        return entries

    def _widths(self) -> U64:
        """How many columns each row can have."""
        if self.symmetric:
            return np.arange(1, self.words + 1, dtype=np.uint64)
        return np.full(self.words, self.words, dtype=np.uint64)

    def _write(self, folder: Path, bounds: U64, work: U64, make: Any) -> int:
        """Makes rows, of at most `bounds` entries each, and writes them in their order; returns how many entries.

        `make(first, last, scratch, columns, values, lengths)` makes the rows from `first` on and returns their entries.
        """
        most_work = int(work.sum()) // (BLOCKS_A_THREAD * self.threads) + 1
        blocks = row_blocks(bounds, max(1, self.most_entries // (2 * self.threads)), work, most_work)
        ends = np.concatenate([[0], np.cumsum(bounds)]).astype(np.int64)
        writer = RowsWriter(folder, self.words)
        try:
            begin = 0
            while begin < len(blocks):
                base, end = ends[blocks[begin][0]], begin + 1
                while end < len(blocks) and ends[blocks[end][1]] - base <= self.most_entries:
                    end += 1
                self._write_wave(writer, blocks[begin:end], ends - base, make)
                begin = end
            return writer.finish()
        finally:
            writer.close()

    def _write_wave(self, writer: RowsWriter, blocks: list[tuple[int, int]], at: np.ndarray, make: Any) -> None:
        room = int(at[blocks[-1][1]])
        columns, values = np.empty(room, dtype=np.uint32), np.empty(room, dtype=np.uint64)
        lengths = [np.empty(last - first, dtype=np.uint32) for first, last in blocks]
        found = [0] * len(blocks)

        def work(i: int) -> None:
            first, last = blocks[i]
            place = slice(int(at[first]), int(at[last]))
            scratch = self._free.get()
            try:
                found[i] = make(first, last, scratch, columns[place], values[place], lengths[i])
            finally:
                self._free.put(scratch)

        run_blocks(work, [(i,) for i in range(len(blocks))], self.threads)
        for i, (first, _) in enumerate(blocks):
            place = slice(int(at[first]), int(at[first]) + found[i])
            writer.append(lengths[i], columns[place], values[place])


def _units(corpus: EncodedCorpus, bounds: str, order: I64 | None) -> tuple[U64, U64]:
    """Where the sentences or documents that bound pairs begin and end among the ids, in the order of the walk.

    Sentences that were drawn each by itself make no documents.
    """
    by_document = bounds == "document" and (order is None or unit_of(corpus) == "document")
    offsets = corpus.sentences[corpus.documents.astype(np.int64)] if by_document else corpus.sentences
    if order is None:
        return offsets[:-1], offsets[1:]
    if not by_document:
        units = unit_offsets(corpus).astype(np.int64)
        order = ranges(units[order], units[order + 1] - units[order])
    return offsets[order], offsets[order + 1]


def _rows(corpus: EncodedCorpus, vocabulary: Vocabulary, options: CountingOptions) -> tuple[Vocabulary, U32]:
    """The words to count of a vocabulary, and the row of each id of the corpus (HOLE for none)."""
    counts = np.asarray(vocabulary.counts)
    row_of = np.full(len(corpus.vocabulary), _counts.HOLE, dtype=np.uint32)
    if options.words is not None:
        given = Vocabulary.from_words(options.words)
        rows = given.find(vocabulary.words)
        here = np.flatnonzero(rows >= 0)
        if not len(here):
            raise TrainingError("the corpus has none of the words that are given")
        known = np.zeros(len(given), dtype=np.uint64)
        known[rows[here]] = counts[here]
        _place(row_of, given, corpus.vocabulary)
        return Vocabulary.from_words(options.words, known), row_of
    assert options.min_count is not None
    kept = int(np.count_nonzero(counts >= np.uint64(options.min_count)))
    if kept < 2:
        raise TrainingError(
            f"{kept or 'no'} word{'' if kept == 1 else 's'} of the corpus occur{'s' if kept == 1 else ''} "
            f"{options.min_count} times or more, and pairs need two; lower min_count or give more text"
        )
    vocabulary = vocabulary.head(kept)
    _place(row_of, vocabulary, corpus.vocabulary)
    return vocabulary, row_of


def _place(row_of: U32, vocabulary: Vocabulary, ids: Vocabulary) -> None:
    """Writes down which row each id has."""
    rows = vocabulary.find(ids.words)
    here = np.flatnonzero(rows >= 0)
    row_of[here] = rows[here]


def _kept(vocabulary: Vocabulary, row_of: U32, sample: float) -> U64:
    """Of 2^32 occurrences of each word, how many are kept: word2vec's √(s/f) + s/f, with f the share of the word."""
    kept = np.full(len(row_of), 2**32, dtype=np.uint64)
    if sample:
        counts = np.asarray(vocabulary.counts).astype(np.float64)
        with np.errstate(divide="ignore"):
            limit = sample * counts.sum() / counts
        share = np.minimum(np.sqrt(limit) + limit, 1)
        here = row_of != _counts.HOLE
        kept[here] = np.rint(share[row_of[here]] * 2**32).astype(np.uint64)
    return kept
