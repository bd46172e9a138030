"""Words in their context: lines of the corpus around a word, or around a word that stands near another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wordgeo import files
from wordgeo.errors import CorpusError, FormatError
from wordgeo.results import Result, Table
from wordgeo.validate import whole_number

if TYPE_CHECKING:
    from wordgeo.corpus.encoded import EncodedCorpus

__all__ = ["Concordance", "ContextLine", "context"]

POSITIONS, MARKER = "positions.npy", "postings.json"
TOKENS_A_BLOCK = 1 << 22

Positions = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True)
class ContextLine:
    """One occurrence: the words of its sentence before and after it, and where it stands, each counted from 0."""

    left: str
    word: str
    right: str
    document: int
    sentence: int
    position: int


@dataclass(frozen=True, repr=False)
class Concordance(Result):
    """Occurrences of `word`, of those `near` another word if one is given.

    `count` is how often the word occurs, `found` how many of the occurrences fit, and `lines` some or all of these:
    where there are more than were asked for, they are taken at even distances through the corpus.
    """

    word: str
    near: str | None
    window: int
    count: int
    found: int
    lines: tuple[ContextLine, ...]

    def tables(self) -> list[Table]:
        """One row for each line."""
        what = f"{self.word} near {self.near}" if self.near is not None else self.word
        fit = f", {self.found} within {self.window} words of {self.near}" if self.near is not None else ""
        title = f"{what}: {self.count} occurrences{fit}; {len(self.lines)} shown"
        rows = [(line.document, line.left, line.word, line.right) for line in self.lines]
        width = max((len(row[1]) for row in rows), default=0)  # words stand one below the other
        return [
            Table(
                ("document", "left", "word", "right"),
                [(document, left.rjust(width), word, right) for document, left, word, right in rows],
                title,
            )
        ]


def context(
    corpus: EncodedCorpus, word: str, near: str | None = None, *, window: int = 5, limit: int = 20
) -> Concordance:
    """The evidence behind a word, or behind its similarity to a neighbour: where it stands in the corpus.

    With `near`, only occurrences with that word at most `window` words away in the same sentence. Lines show up to
    `window` words on either side, within the sentence. At most `limit` lines are shown, spread evenly.

    The first call for a corpus makes an index of all positions, 4 bytes a token, which is kept in the cache and
    belongs to the fingerprint of the corpus. Raises `UnknownWordError` and `OptionError`.
    """
    window, limit = whole_number("window", window, 1, 1000), whole_number("limit", limit, 1)
    row = corpus.vocabulary.index(word)
    other = None if near is None else corpus.vocabulary.index(near)
    positions = _positions(corpus)
    counts = corpus.vocabulary.counts
    assert counts is not None  # `EncodedCorpus.open` demands them

    def of(row: int) -> Positions:
        begin = int(counts[:row].sum())
        found = positions[begin : begin + int(counts[row])]
        if len(found) and (corpus.ids[found] != row).any():
            raise CorpusError(f"{corpus.path}: the index of positions does not fit the corpus; it was changed")
        return found

    found = all_of_it = of(row)
    if other is not None:
        found = found[_is_near(corpus, found, of(other), window)]
    picked = found if len(found) <= limit else found[np.linspace(0, len(found) - 1, limit).round().astype(np.int64)]
    return Concordance(
        word, near, window, len(all_of_it), len(found), tuple(_line(corpus, int(at), window) for at in picked)
    )


def _is_near(corpus: EncodedCorpus, ours: Positions, theirs: Positions, window: int) -> npt.NDArray[np.bool_]:
    """Which of our positions have one of theirs, other than itself, in the same sentence within the window."""
    at = ours.astype(np.int64)
    sentence = np.searchsorted(corpus.sentences, ours, side="right")
    low = np.maximum(at - window, corpus.sentences[sentence - 1].astype(np.int64))
    high = np.minimum(at + window, corpus.sentences[sentence].astype(np.int64) - 1)
    others = theirs.astype(np.int64)

    def any_between(begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return np.searchsorted(others, begin, side="left") < np.searchsorted(others, end, side="right")

    return any_between(low, at - 1) | any_between(at + 1, high)


def _line(corpus: EncodedCorpus, at: int, window: int) -> ContextLine:
    sentence = int(np.searchsorted(corpus.sentences, at, side="right")) - 1
    document = int(np.searchsorted(corpus.documents, sentence, side="right")) - 1
    begin, end = int(corpus.sentences[sentence]), int(corpus.sentences[sentence + 1])

    def text(first: int, last: int) -> str:
        return " ".join(corpus.vocabulary[int(row)] for row in corpus.ids[first:last])

    return ContextLine(
        text(max(begin, at - window), at),
        text(at, at + 1),
        text(at + 1, min(end, at + 1 + window)),
        document,
        sentence,
        at,
    )


def _positions(corpus: EncodedCorpus) -> Positions:
    """All positions, those of word 0 first, each word's ascending; made if the cache has none for this fingerprint."""
    cache = files.cache_folder("postings")
    entry = cache / corpus.fingerprint
    dtype = np.dtype("<u4" if len(corpus.ids) < 2**32 else "<u8")
    if not _is_whole(entry, len(corpus.ids), dtype):
        with files.atomic_folder(entry, marker=MARKER, overwrite=True) as folder:
            _write(corpus, folder / POSITIONS, dtype)
            files.write_json(folder / MARKER, {"fingerprint": corpus.fingerprint, "tokens": len(corpus.ids)})
    os.utime(entry)
    files.evict(cache, entry)
    found: Positions = np.load(entry / POSITIONS, mmap_mode="r", allow_pickle=False)
    return found


def _is_whole(entry: Path, tokens: int, dtype: np.dtype) -> bool:
    try:
        found = np.load(entry / POSITIONS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return bool((entry / MARKER).is_file() and found.shape == (tokens,) and found.dtype == dtype)


def _write(corpus: EncodedCorpus, path: Path, dtype: np.dtype) -> None:
    """A counting sort of the positions by word, block by block into a mapped file."""
    counts = corpus.vocabulary.counts
    assert counts is not None
    free = np.zeros(len(counts), dtype=np.int64)  # the next place of each word
    np.cumsum(counts[:-1], out=free[1:])
    positions = np.lib.format.open_memmap(path, "w+", dtype, (len(corpus.ids),))
    for begin in range(0, len(corpus.ids), TOKENS_A_BLOCK):
        ids = corpus.ids[begin : begin + TOKENS_A_BLOCK]
        if int(ids.max()) >= len(counts):
            raise FormatError(f"a token has number {ids.max()}, and there are {len(counts)} words", corpus.path)
        order = np.argsort(ids, kind="stable")
        words, firsts, many = np.unique(ids[order], return_index=True, return_counts=True)
        places = np.repeat(free[words] - firsts, many) + np.arange(len(ids))
        if int(places.max()) >= len(positions):
            raise FormatError("the tokens do not fit the counts of the words; it is damaged", corpus.path)
        positions[places] = order + begin
        free[words] += many
    positions.flush()
