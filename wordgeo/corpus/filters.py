"""Which words of a text stay, and with their digits or without: decided once for each distinct word."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.corpus.blocks import fold, pack
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OptionError
from wordgeo.validate import choice, whole_number
from wordgeo.vocabulary import Vocabulary, WordCounter

__all__ = ["StopWords", "WordFilter", "read_stop_words"]

MOST_FILE_BYTES = 64 << 20
DIGIT = re.compile(r"\d")  # every decimal digit of Unicode
REASONS = ("stop_words", "min_length", "max_length")


@dataclass(frozen=True)
class StopWords:
    """The words of a file, and the checksum of that file."""

    words: frozenset[str]
    blake2b: str

    def to_dict(self) -> dict[str, Any]:
        """What is recorded of them: the file may be anywhere, its content counts."""
        return {"words": len(self.words), "blake2b": self.blake2b}


def read_stop_words(path: str | Path) -> StopWords:
    """One word a line, UTF-8; empty lines are passed over.

    Raises `NotFoundError`, `OptionError` for what is no path, `FormatError` for what is not such a file.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise OptionError(f"stop_words is {path!r}; give the path of a file with one word a line")
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist; stop_words takes a file with one word a line") from None
    except (OSError, ValueError) as problem:
        raise FormatError(f"cannot be read ({problem}); stop_words takes a text file", path) from None
    if len(data) > MOST_FILE_BYTES:
        raise FormatError(f"more than {MOST_FILE_BYTES >> 20} MB; stop_words takes a file with one word a line", path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise FormatError(f"byte {problem.start} is not UTF-8; stop_words takes a text file", path) from None
    words: set[str] = set()
    for at, line in enumerate(re.split(r"\r\n?|\n", text), 1):
        parts = line.split()
        if len(parts) > 1:
            raise FormatError(f"line {at} has {len(parts)} words; give one word a line", path)
        words.update(parts)
    if not words:
        raise FormatError("no word in it; stop_words takes a file with one word a line", path)
    return StopWords(frozenset(words), hashlib.blake2b(data, digest_size=32).hexdigest())


@dataclass(frozen=True)
class WordFilter:
    """What is done to distinct words: stop words go, digits become 0 (`digits="zero"`), and lengths are limited.

    Stop words are looked for before digits are mapped, and folded as the text is (`lower`). Lengths are in code points.
    """

    stop_words: StopWords | None = None
    digits: str = "keep"
    min_length: int = 1
    max_length: int | None = None
    lower: bool = True

    def __post_init__(self) -> None:
        choice("digits", self.digits, ("keep", "zero"))
        whole_number("min_length", self.min_length, 1)
        if self.max_length is not None:
            whole_number("max_length", self.max_length, self.min_length)

    def recorded(self) -> dict[str, Any]:
        """The options that are not what they are by default."""
        return {
            **({"stop_words": self.stop_words.to_dict()} if self.stop_words else {}),
            **({"digits": self.digits} if self.digits != "keep" else {}),
            **({"min_length": self.min_length} if self.min_length != 1 else {}),
            **({"max_length": self.max_length} if self.max_length is not None else {}),
        }

    def applied(self, vocabulary: Vocabulary) -> tuple[Vocabulary, npt.NDArray[np.uint32], dict[str, dict[str, int]]]:
        """The words that stay, the rank of each former one among them, and what went for which reason.

        A word that went has the rank after the last. Raises `CorpusError` if none stays.
        """
        counts = vocabulary.counts
        assert counts is not None  # of an encoding
        words = vocabulary.words
        reason = np.zeros(len(words), dtype=np.uint8)
        if self.stop_words:
            stop = {fold(word, self.lower) for word in self.stop_words.words}
            reason[[row for row, word in enumerate(words) if word in stop]] = 1
        if self.digits == "zero":
            words = DIGIT.sub("0", "\n".join(words)).split("\n")
        lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
        reason[(reason == 0) & (lengths < self.min_length)] = 2
        if self.max_length is not None:
            reason[(reason == 0) & (lengths > self.max_length)] = 3
        dropped = {
            name: {"types": int((reason == i).sum()), "tokens": int(counts[reason == i].sum())}
            for i, name in enumerate(REASONS, 1)
        }
        rows = np.flatnonzero(reason == 0)
        if not len(rows):
            raise CorpusError("no word is left after stop_words, min_length and max_length; let more words stay")
        blob, offsets = pack([words[row].encode() for row in rows.tolist()])
        counter = WordCounter()  # two words may have become the same
        mapping = counter.add(blob, offsets, counts[rows])
        kept, ranks = counter.ranked()
        moved = np.full(len(words), len(kept), dtype=np.uint32)
        moved[rows] = ranks[mapping]
        return kept, moved, dropped
