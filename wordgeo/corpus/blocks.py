"""One block of text becomes numbered words, sentence ends and document ends: what threads do side by side."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

import wordgeo.corpus._encode as _encode

__all__ = ["LINE_END", "TABLES_VERSION", "Block", "Numbered", "Tokenizer", "fold", "pack", "valid_text"]

TABLES_VERSION: str = _encode.TABLES_VERSION
EMPTY_SLOT = np.uint64(2**64 - 1)
FEWEST_WORDS = 1 << 15
PLACES_KEPT = 5
LINE_END = re.compile(rb"\r\n?|\n")
REPLACEMENT = "\ufffd".encode()

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Block:
    """A piece of a source: whole lines as a rule, and no more than one source."""

    text: bytes
    source: int  # which of the sources
    breaks: tuple[int, ...] = ()  # where in `text` documents end, whatever the lines say
    mid_line: bool = False  # whether the text begins within a line, whose last sentence then goes on
    plain: bool = True  # plain text, in which lines tell documents


@dataclass(frozen=True)
class Numbered:
    """What became of a block: its own vocabulary, and the text as numbers into that."""

    blob: U8
    offsets: U64
    counts: U64
    ids: U32  # [tokens]
    sentences: U64  # tokens before each sentence end
    documents: U64  # sentence ends before each document end
    lines: int
    nul_characters: int
    replaced: int  # byte sequences that are not UTF-8
    places: list[int] = field(default_factory=list)  # their first few lines, counted from 0 within the block


class Tokenizer:
    """Numbers the words of blocks, with memory that it keeps from block to block. One thread uses it at a time."""

    def __init__(self, *, tokens: str, case: str, documents: str) -> None:
        self._unicode, self._lower = tokens == "unicode", case == "lower"
        self._documents = documents
        self._make_table(FEWEST_WORDS)
        self._make_text(0)

    def _make_table(self, words: int) -> None:
        self._slots = np.empty(2 * words, dtype=np.uint64)
        self._offsets = np.empty(words + 1, dtype=np.uint64)
        self._counts = np.empty(words, dtype=np.uint64)
        self._foreign = np.empty(words, dtype=np.uint32)

    def _make_text(self, size: int) -> None:
        # Every token has a byte of its own, a sentence end can come before all tokens, a document end before all those.
        most = size + 2
        self._blob, self._word = np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.uint8)
        self._ids = np.empty(most, dtype=np.uint32)
        self._sentences, self._documents_ends = np.empty(most, dtype=np.uint64), np.empty(most, dtype=np.uint64)

    def number(self, block: Block) -> Numbered:
        """Tokenises a block. Bytes that are not UTF-8 become U+FFFD, and are counted."""
        text, replaced, places = valid_text(block.text)
        text = text or b" "  # an empty text has breaks at most
        if len(text) > len(self._blob):
            self._make_text(len(text))
        breaks = np.array(block.breaks, dtype=np.uint64)
        while True:
            self._slots.fill(EMPTY_SLOT)
            found = _encode.tokenize(
                np.frombuffer(text, dtype=np.uint8),
                breaks,
                block.mid_line,
                self._unicode,
                self._lower,
                block.plain and self._documents == "blank",
                block.plain and self._documents == "line",
                self._slots,
                self._blob,
                self._offsets,
                self._counts,
                self._foreign,
                self._word,
                self._ids,
                self._sentences,
                self._documents_ends,
            )
            if found:
                break
            self._make_table(2 * len(self._counts))
        words, foreign, tokens, sentences, documents, lines = found
        blob, offsets = folded(
            self._blob[: int(self._offsets[words])], self._offsets[: words + 1], self._foreign[:foreign], self._lower
        )
        return Numbered(
            blob,
            offsets,
            self._counts[:words].copy(),
            self._ids[:tokens].copy(),
            self._sentences[:sentences].copy(),
            self._documents_ends[:documents].copy(),
            lines,
            text.count(b"\0"),
            replaced,
            places,
        )


def fold(text: str, lower: bool) -> str:
    """Lower case (`str.lower`) where wanted, in Unicode form NFC."""
    return unicodedata.normalize("NFC", text.lower() if lower else text)


def pack(words: Sequence[bytes]) -> tuple[U8, U64]:
    """Words of UTF-8 laid end to end, and the offset of each."""
    offsets = np.zeros(len(words) + 1, dtype=np.uint64)
    np.cumsum(np.fromiter(map(len, words), dtype=np.uint64, count=len(words)), out=offsets[1:])
    return np.frombuffer(b"".join(words), dtype=np.uint8), offsets


def folded(blob: U8, offsets: U64, foreign: U32, lower: bool) -> tuple[U8, U64]:
    """Packed words (copied) with those that are not all ASCII folded; two words may become the same.

    All foreign words are folded in one go: a line feed between them has no part in any rule of case or form.
    """
    if not len(foreign):
        return blob.copy(), offsets.copy()
    data, ends = blob.tobytes(), offsets.tolist()
    before = b"\n".join(data[ends[i] : ends[i + 1]] for i in foreign.tolist())
    after = fold(before.decode(), lower).encode()
    if after == before:
        return blob.copy(), offsets.copy()
    new = after.split(b"\n")
    pieces, at = [], 0
    for i, word in zip(foreign.tolist(), new, strict=True):
        pieces += [data[at : ends[i]], word]
        at = ends[i + 1]
    pieces.append(data[at:])
    sizes = np.diff(offsets)
    sizes[foreign] = np.fromiter(map(len, new), dtype=np.uint64, count=len(new))
    moved = np.zeros_like(offsets)
    np.cumsum(sizes, out=moved[1:])
    return np.frombuffer(b"".join(pieces), dtype=np.uint8), moved


def valid_text(text: bytes) -> tuple[bytes, int, list[int]]:
    """The text as UTF-8, how many sequences of bytes became U+FFFD for that, and the first few lines of such."""
    if not text or _encode.valid_prefix(np.frombuffer(text, dtype=np.uint8)) == len(text):
        return text, 0, []
    places: list[int] = []
    line = at = 0
    while len(places) < PLACES_KEPT:
        bad = at + _encode.valid_prefix(np.frombuffer(text[at:], dtype=np.uint8)) if at < len(text) else len(text)
        if bad == len(text):
            break
        line += len(LINE_END.findall(text, at, bad))
        places.append(line)
        at = bad + 1
    valid = text.decode("utf-8", "replace").encode()
    # The replacement character's own first byte begins nothing else, so those that stood there can be counted.
    return valid, valid.count(REPLACEMENT) - text.count(REPLACEMENT), places
