"""Words and vectors that arrive block by block: checked, counted, and laid into one growing matrix."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo.errors import FormatError
from wordgeo.formats import _text
from wordgeo.vocabulary import Vocabulary, WordCounter

__all__ = ["Rows"]

BLOCK_ROWS = 1 << 14


class Rows:
    """The rows of one file so far. `replaced` and `left_out` count what was not taken as it stood.

    `replace`: words that are not UTF-8 get U+FFFD, else they are an error; `keep_first`: a word that stands again is
    left out, else it is an error. `first_line` is the line of row 0 in a text, None in a binary file.
    """

    def __init__(self, path: Path, *, replace: bool, keep_first: bool) -> None:
        self.path, self.replace, self.keep_first = path, replace, keep_first
        self.first_line: int | None = None
        self.count = self.replaced = self.left_out = 0
        self._matrix = np.empty((0, 0), dtype=np.float32)
        self._blobs: list[npt.NDArray[np.uint8]] = []
        self._sizes: list[npt.NDArray[np.uint64]] = []

    def expect(self, rows: int, dimensions: int) -> None:
        """Makes room at once for a number of rows that the size of the file allows; untouched room costs nothing."""
        self._matrix = np.empty((rows, dimensions), dtype=np.float32)

    def room(self, rows: int, dimensions: int) -> npt.NDArray[np.float32]:
        """Where the next rows go, float32 [rows, dimensions]; not to be kept beyond the next call."""
        needed = self.count + rows
        if not self.count and not len(self._matrix):
            self._matrix = np.empty((rows, dimensions), dtype=np.float32)
        elif needed > len(self._matrix):
            # In place where the allocator can (it moves large blocks by remapping pages): there is no second matrix.
            self._matrix.resize((max(needed, self.count + self.count // 4), dimensions), refcheck=False)
        return self._matrix[self.count : needed]

    def add(self, text: npt.NDArray[np.uint8], begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> None:
        """Takes the words text[begins:ends] of as many rows, whose vectors have been put where `room` said."""
        offsets = np.zeros(len(begins) + 1, dtype=np.uint64)
        np.cumsum((ends - begins).astype(np.uint64), out=offsets[1:])
        empty = np.flatnonzero(begins == ends)
        if len(empty):
            raise self.error(self.count + int(empty[0]), "the word is empty")
        blob = np.empty(int(offsets[-1]), dtype=np.uint8)
        if len(begins):
            _text.gather(text, begins, offsets, blob)
        if not _is_utf8(blob, offsets):
            blob, offsets = self._repaired(blob, offsets)
        self._blobs.append(blob)
        self._sizes.append(np.diff(offsets))
        self.count += len(begins)

    def finish(self) -> tuple[Vocabulary, npt.NDArray[np.float32]]:
        """The vocabulary and the matrix, cut to size."""
        blob = np.concatenate(self._blobs)
        offsets = np.zeros(self.count + 1, dtype=np.uint64)
        np.cumsum(np.concatenate(self._sizes), out=offsets[1:])
        self._blobs, self._sizes = [], []
        keep = _first_of_each(blob, offsets)
        if len(keep) < self.count:
            blob, offsets = self._without_repeated(blob, offsets, keep)
        vocabulary = Vocabulary.from_packed(blob, offsets, None)
        self._matrix.resize((self.count, self._matrix.shape[1]), refcheck=False)
        return vocabulary, self._matrix

    def error(self, row: int, message: str) -> FormatError:
        """A `FormatError` that says where a row is: the line of a text, or the row counted from 1."""
        if self.first_line is None:
            return FormatError(f"row {1 + row}: {message}", self.path)
        return FormatError(message, self.path, self.first_line + row)

    def _repaired(
        self, blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.uint64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
        raw, ends = blob.tobytes(), offsets.tolist()
        words = [raw[a:b] for a, b in itertools.pairwise(ends)]
        for i, word in enumerate(words):
            repaired = word.decode("utf-8", "replace").encode()
            if repaired != word:
                if not self.replace:
                    raise self.error(
                        self.count + i,
                        f"the word {word[:60]!r} is not UTF-8; convert the file, or replace what is not with "
                        'encoding_errors="replace"',
                    )
                words[i] = repaired
                self.replaced += 1
        offsets = np.zeros(len(words) + 1, dtype=np.uint64)
        np.cumsum(np.array([len(word) for word in words], dtype=np.uint64), out=offsets[1:])
        return np.frombuffer(b"".join(words), dtype=np.uint8), offsets

    def _without_repeated(
        self, blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.uint64], keep: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
        repeated = self.count - len(keep)
        if not self.keep_first:
            again = int(np.setdiff1d(np.arange(self.count), keep, assume_unique=True)[0])
            word = blob[offsets[again] : offsets[again + 1]].tobytes()
            ends = offsets.tolist()
            same = (i for i in range(again) if blob[ends[i] : ends[i + 1]].tobytes() == word)
            before = f"line {self.first_line + next(same)}" if self.first_line else f"row {1 + next(same)}"
            raise self.error(
                again,
                f"the word '{word.decode()}' stands in {before} already ({repeated} of {self.count} rows repeat a "
                'word); keep the first of each with duplicates="first"',
            )
        self.left_out = repeated
        for begin in range(0, len(keep), BLOCK_ROWS):  # rows only move up, so no block overwrites what is still needed
            block = keep[begin : begin + BLOCK_ROWS]
            self._matrix[begin : begin + len(block)] = self._matrix[block]
        sizes = np.diff(offsets)[keep]
        kept = np.zeros(len(keep) + 1, dtype=np.uint64)
        np.cumsum(sizes, out=kept[1:])
        packed = np.empty(int(kept[-1]), dtype=np.uint8)
        _text.gather(blob, offsets[keep].astype(np.int64), kept, packed)
        self.count = len(keep)
        return packed, kept


def _is_utf8(blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.uint64]) -> bool:
    """Whether every word is: they are together, and none begins in the middle of a character."""
    try:
        blob.tobytes().decode()
    except UnicodeDecodeError:
        return False
    return not ((blob[offsets[:-1]] & 0xC0) == 0x80).any()


def _first_of_each(blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The rows at which each word stands for the first time, ascending."""
    numbers = WordCounter().add(blob, offsets, np.ones(len(offsets) - 1, dtype=np.uint64))
    # Words are numbered as they come, so a new one has the number after the highest so far.
    highest = np.maximum.accumulate(numbers.astype(np.int64))
    return np.flatnonzero(np.diff(highest, prepend=-1) > 0)
