"""Words, their counts and their look-up, opened by mapping a file or made in memory."""

from __future__ import annotations

import struct
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from wordgeo import _words
from wordgeo.errors import FormatError, UnknownWordError

__all__ = ["Vocabulary", "WordCounter"]

MAGIC = b"wgvocab1"
HEADER = struct.Struct("<8sQQQQ")  # magic, words, bytes of the blob, slots, 1 where counts follow
ALIGNMENT = 64
MOST_WORDS = 2**32 - 2
EMPTY = np.uint64(2**64 - 1)

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]


class Vocabulary(Sequence[str]):
    """The words of a corpus or a model: row i is word i, most frequent first where counts are known.

    A sequence of `str`; `counts` is uint64 [words] or None. Look-up is exact (no case folding).
    """

    def __init__(self, blob: U8, offsets: U64, counts: U64 | None, slots: U64) -> None:
        self._blob, self._offsets, self._slots = blob, offsets, slots
        self.counts = counts
        self._words: list[str] | None = None

    @classmethod
    def from_words(cls, words: Iterable[str], counts: npt.ArrayLike | None = None) -> Vocabulary:
        """From unique, non-empty words and, where they are known, their counts.

        Raises `FormatError` for a word that is empty, repeated, or not valid Unicode, and for counts of another length.

        >>> Vocabulary.from_words(["the", "of"], [7, 5]).index("of")
        1
        """
        blob, offsets = _pack(words)
        numbers = None
        if counts is not None:
            numbers = np.array(counts, dtype=np.uint64).reshape(-1)
            if len(numbers) != len(offsets) - 1:
                raise FormatError(f"{len(offsets) - 1} words but {len(numbers)} counts; give one count for each word")
        return cls.from_packed(blob, offsets, numbers)

    @classmethod
    def from_packed(cls, blob: U8, offsets: U64, counts: U64 | None) -> Vocabulary:
        """From words laid end to end as UTF-8 in `blob` (uint8), word i at offsets[i]:offsets[i + 1]."""
        empty = np.flatnonzero(offsets[1:] == offsets[:-1])
        if len(empty):
            raise FormatError(f"word {int(empty[0])} is empty; every row needs a word")
        slots = _empty_slots(len(offsets) - 1)
        first, again = _words.index(_never_empty(blob), offsets, slots)
        if first >= 0:
            word = bytes(blob[offsets[first] : offsets[first + 1]]).decode("utf-8", "replace")
            raise FormatError(f"the word '{word}' stands twice, at rows {first} and {again}; words must be unique")
        return cls(blob, offsets, counts, slots)

    @classmethod
    def open(cls, path: str | Path) -> Vocabulary:
        """Maps a vocabulary file read-only; the time does not depend on its size beyond a check of the offsets."""
        if sys.byteorder != "little":
            raise FormatError("vocabulary files are little-endian and this machine is not", path)
        try:
            data = np.memmap(path, dtype=np.uint8, mode="r")
        except ValueError:
            raise FormatError("the file is empty; it is not a wordgeo vocabulary", path) from None
        if len(data) < HEADER.size or bytes(data[:8]) != MAGIC:
            raise FormatError("not a wordgeo vocabulary (or one of a later version)", path)
        _, n, blob_size, slot_count, has_counts = HEADER.unpack(bytes(data[: HEADER.size]))
        places, size = _layout(n, blob_size, slot_count, has_counts)
        if n > MOST_WORDS or has_counts > 1 or slot_count & (slot_count - 1) or slot_count <= n or size != len(data):
            raise FormatError(f"the header and the {len(data)} bytes of the file disagree; it is damaged", path)

        def section(name: str, dtype: type) -> np.ndarray:
            begin, length = places[name]
            return np.asarray(data[begin : begin + length].view(dtype))

        offsets = section("offsets", np.uint64)
        if offsets[0] != 0 or offsets[-1] != blob_size or (offsets[1:] <= offsets[:-1]).any():
            raise FormatError("the offsets of the words run backwards; the file is damaged", path)
        counts = section("counts", np.uint64) if has_counts else None
        return cls(section("blob", np.uint8), offsets, counts, section("slots", np.uint64))

    def write(self, file: BinaryIO) -> None:
        """Writes the file that `open` maps."""
        header = HEADER.pack(MAGIC, len(self), len(self._blob), len(self._slots), int(self.counts is not None))
        places, _ = _layout(len(self), len(self._blob), len(self._slots), int(self.counts is not None))
        parts = {"offsets": self._offsets, "counts": self.counts, "slots": self._slots, "blob": self._blob}
        at = file.write(header)
        for name, (begin, length) in places.items():
            array = parts[name]
            if array is None or not length:
                continue
            file.write(bytes(begin - at))
            file.write(np.ascontiguousarray(array).data)
            at = begin + length

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, i):  # type: ignore[no-untyped-def]
        if isinstance(i, slice):
            return self.take(np.arange(*i.indices(len(self))))
        n = len(self)
        if not -n <= i < n:
            raise IndexError(f"row {i} of a vocabulary of {n} words")
        i = int(i) % n
        if self._words is not None:
            return self._words[i]
        return bytes(self._blob[int(self._offsets[i]) : int(self._offsets[i + 1])]).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and self.find([word])[0] >= 0

    @property
    def words(self) -> list[str]:
        """All words as a list, decoded at the first use and kept."""
        if self._words is None:
            blob, ends = self._blob.tobytes(), self._offsets.tolist()
            self._words = [blob[a:b].decode("utf-8", "replace") for a, b in pairwise(ends)]
        return self._words

    def take(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The words of many rows. Raises `IndexError` for a row that is not there, as negative ones are not."""
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a vocabulary of {len(self)} words")
        if self._words is not None:
            return [self._words[i] for i in rows.tolist()]
        blob = self._blob.data
        ends = zip(self._offsets[rows].tolist(), self._offsets[1:][rows].tolist(), strict=True)
        return [str(blob[a:b], "utf-8", "replace") for a, b in ends]

    @property
    def packed(self) -> tuple[U8, U64]:
        """The words laid end to end as UTF-8 (uint8), and the offset of each (uint64 [words + 1])."""
        return self._blob, self._offsets

    def find(self, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """The row of each word, -1 for one that is not there; int64 [words asked]."""
        blob, offsets = _pack(words, strict=False)
        found = np.empty(len(offsets) - 1, dtype=np.int64)
        if len(found):
            _words.find(_never_empty(self._blob), self._offsets, self._slots, _never_empty(blob), offsets, found)
        return found

    def index(self, word: str) -> int:  # type: ignore[override]
        """The row of a word. Raises `UnknownWordError`, which carries the nearest spellings."""
        row = int(self.find([word])[0])
        if row < 0:
            raise UnknownWordError(word, len(self), self.suggest(word))
        return row

    def rows(self, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """The rows of many words; raises `UnknownWordError` for the first that is not there."""
        words = list(words)
        rows = self.find(words)
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            self.index(words[missing[0]])
        return rows

    def suggest(self, word: str, limit: int = 3) -> list[str]:
        """Words that may have been meant: the same in another case or Unicode form, then the closest spellings."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        try:
            word.encode()
        except UnicodeEncodeError:
            return []
        plain = unicodedata.normalize("NFC", word)
        forms = [plain, plain.lower(), plain.capitalize(), plain.upper(), plain.title(), plain.replace(" ", "_")]
        found = [form for form in dict.fromkeys(forms) if form != word and form in self]
        if len(found) < limit and len(word) <= 64:
            close = process.extract(
                plain.lower(), self.words, scorer=OSA.normalized_similarity, limit=limit + len(found), score_cutoff=0.65
            )
            found += [text for text, *_ in close if text not in found]
        return found[:limit]

    def head(self, n: int) -> Vocabulary:
        """The first n words with their counts."""
        if n >= len(self):
            return self
        offsets = np.array(self._offsets[: n + 1])
        counts = None if self.counts is None else np.array(self.counts[:n])
        return Vocabulary.from_packed(np.array(self._blob[: int(offsets[-1])]), offsets, counts)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self)} words>"


class WordCounter:
    """A growing table of words and counts, to which those of whole blocks are added; then sorted by frequency."""

    def __init__(self) -> None:
        self._words = 0
        self._slots = _empty_slots(0)
        self._blob = np.empty(1 << 16, dtype=np.uint8)
        self._offsets = np.zeros(1 << 12, dtype=np.uint64)
        self._counts = np.zeros(1 << 12, dtype=np.uint64)

    def __len__(self) -> int:
        return self._words

    def add(self, blob: U8, offsets: U64, counts: U64) -> npt.NDArray[np.uint32]:
        """Adds packed words with their counts; returns the number that each has in this table (uint32)."""
        new = len(counts)
        mapping = np.empty(new, dtype=np.uint32)
        if new:
            self._make_room(new, int(offsets[-1]))
            self._words = _words.merge(
                blob, offsets, counts, self._slots, self._blob, self._offsets, self._counts, self._words, mapping
            )
        return mapping

    def _make_room(self, words: int, size: int) -> None:
        if self._words + words > MOST_WORDS:
            raise FormatError(f"more than {MOST_WORDS} distinct words; prune the corpus or lower max_vocab")
        self._blob = _grown(self._blob, int(self._offsets[self._words]) + size)
        self._offsets = _grown(self._offsets, self._words + words + 1)
        self._counts = _grown(self._counts, self._words + words)
        if 2 * (self._words + words) > len(self._slots):
            self._slots = _empty_slots(2 * (self._words + words))
            if self._words:
                _words.index(self._blob, self._offsets[: self._words + 1], self._slots)

    def ranked(self) -> tuple[Vocabulary, npt.NDArray[np.uint32]]:
        """The vocabulary by (count descending, code points), and the rank that each number of this table got."""
        n = self._words
        order = np.arange(n, dtype=np.uint32)
        if n:
            _words.sort(self._blob, self._offsets, self._counts, order, np.empty_like(order))
        ranks = np.empty_like(order)
        ranks[order] = np.arange(n, dtype=np.uint32)
        sizes = np.diff(self._offsets[: n + 1])[order]
        offsets = np.zeros(n + 1, dtype=np.uint64)
        np.cumsum(sizes, out=offsets[1:])
        # Byte j of the sorted blob comes from where its word began before, plus how far j is into the word.
        shift = (self._offsets[order] - offsets[:-1]).astype(np.int64)
        blob = np.empty(int(offsets[-1]), dtype=np.uint8)
        for begin in range(0, n, 1 << 20):  # in pieces, so that the index array stays small
            end = min(begin + (1 << 20), n)
            low, high = int(offsets[begin]), int(offsets[end])
            source = np.arange(low, high) + np.repeat(shift[begin:end], sizes[begin:end].astype(np.int64))
            blob[low:high] = self._blob[source]
        return Vocabulary.from_packed(blob, offsets, self._counts[order]), ranks


def _pack(words: Iterable[str], strict: bool = True) -> tuple[U8, U64]:
    encoded = []
    for word in words:
        try:
            encoded.append(word.encode())
        except UnicodeEncodeError:
            if strict:
                raise FormatError(f"the word {word!r} is not valid Unicode") from None
            encoded.append(b"\xff")  # no word of a vocabulary is these bytes: it is simply not found
    offsets = np.zeros(len(encoded) + 1, dtype=np.uint64)
    np.cumsum(np.fromiter(map(len, encoded), dtype=np.uint64, count=len(encoded)), out=offsets[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets


def _empty_slots(words: int) -> U64:
    """At least twice as many free slots as words, a power of two."""
    return np.full(1 << max(4, (2 * words - 1).bit_length() if words else 4), EMPTY, dtype=np.uint64)


def _grown(array: np.ndarray, needed: int) -> np.ndarray:
    if needed <= len(array):
        return array
    larger = np.zeros(max(needed, 2 * len(array)), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def _never_empty(blob: U8) -> U8:
    return blob if len(blob) else np.zeros(1, dtype=np.uint8)


def _layout(n: int, blob_size: int, slots: int, has_counts: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Where each section begins and how long it is, in Python's unbounded integers; and the size of the file."""
    sizes = {"offsets": 8 * (n + 1), "counts": 8 * n * has_counts, "slots": 8 * slots, "blob": blob_size}
    at, places = HEADER.size, {}
    for name, length in sizes.items():
        at = -(-at // ALIGNMENT) * ALIGNMENT
        places[name] = (at, length)
        at += length
    return places, at
