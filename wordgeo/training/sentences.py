"""An encoded corpus as sentences of words, decoded block by block from the mapped ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wordgeo.errors import CorpusError
from wordgeo.training.resample import unit_offsets

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["LONGEST_SENTENCE", "RARE", "Sentences", "Walk", "ranges"]

LONGEST_SENTENCE = 10_000  # gensim silently drops what a sentence has beyond this
SENTENCES_A_BLOCK = 1 << 15
TOKENS_A_BLOCK = 1 << 17
UNITS_A_BLOCK = 1 << 12
RARE = ""  # stands for all words that are not trained: no word of a vocabulary is empty

I64 = npt.NDArray[np.int64]


class Walk:
    """Which sentences of a corpus are trained, in which order: places among its ids, which are never copied.

    `order`, int64, are the documents to walk (see `document_order`); unset, all in their order. Sentences of more than
    `LONGEST_SENTENCE` words come in pieces: `pieces` is how many sentences one pass has then, `tokens` how many words
    they have, `cut` how many sentences were cut.
    """

    def __init__(self, corpus: EncodedCorpus, order: I64 | None = None) -> None:
        self.ids, self.path = corpus.ids, corpus.path
        self._offsets, self._order = corpus.sentences, order
        self._units = None if order is None else unit_offsets(corpus)
        self.pieces = self.tokens = self.cut = 0
        for numbers in self._numbers():
            lengths = self._lengths(numbers)
            self.pieces += int((-(-lengths // LONGEST_SENTENCE)).sum())
            self.tokens += int(lengths.sum())
            self.cut += int((lengths > LONGEST_SENTENCE).sum())

    def blocks(self) -> Iterator[tuple[I64, I64]]:
        """Where some thousand sentences begin among the ids and how many words they have, block by block."""
        for numbers in self._numbers():
            yield self._pieces(numbers)

    def _numbers(self) -> Iterator[I64]:
        """The numbers of the sentences in the order of the walk, block by block."""
        if self._order is None or self._units is None:
            for first in range(0, len(self._offsets) - 1, SENTENCES_A_BLOCK):
                yield np.arange(first, min(first + SENTENCES_A_BLOCK, len(self._offsets) - 1))
            return
        for first in range(0, len(self._order), UNITS_A_BLOCK):
            units = self._order[first : first + UNITS_A_BLOCK]
            begins = self._units[units].astype(np.int64)
            yield ranges(begins, self._units[units + 1].astype(np.int64) - begins)

    def _lengths(self, numbers: I64) -> I64:
        lengths: I64 = (self._offsets[numbers + 1] - self._offsets[numbers]).astype(np.int64)
        return lengths

    def _pieces(self, numbers: I64) -> tuple[I64, I64]:
        """Where the sentences begin among the ids and how many words they have, those that are too long in pieces."""
        begins, lengths = self._offsets[numbers].astype(np.int64), self._lengths(numbers)
        if lengths.max(initial=0) <= LONGEST_SENTENCE:
            return begins, lengths
        pieces = -(-lengths // LONGEST_SENTENCE)
        inside = ranges(np.zeros_like(pieces), pieces) * LONGEST_SENTENCE
        return np.repeat(begins, pieces) + inside, np.minimum(np.repeat(lengths, pieces) - inside, LONGEST_SENTENCE)


class Sentences:
    """Iterates over the sentences of a walk as lists of `str`, any number of times.

    `words` are those of the first ids of the corpus, `RARE` where one is not trained; all others come as `RARE`, so
    that they keep counting as words of the corpus.
    """

    def __init__(self, corpus: EncodedCorpus, words: Iterable[str], order: I64 | None = None) -> None:
        self.walk = Walk(corpus, order)
        self._words = len(corpus.vocabulary)
        self._table = np.array([*words, RARE], dtype=object)

    def __iter__(self) -> Iterator[list[str]]:
        for begins, lengths in self.walk.blocks():
            ends = np.cumsum(lengths)
            at = 0
            while at < len(ends):
                done = int(ends[at - 1]) if at else 0
                end = int(np.searchsorted(ends, done + TOKENS_A_BLOCK, side="right"))
                words = self._decode(begins[at:end], lengths[at:end])
                for a, b in pairwise([0, *(ends[at:end] - done).tolist()]):
                    yield words[a:b]
                at = end

    def _decode(self, begins: I64, lengths: I64) -> list[str]:
        places = ranges(begins, lengths)
        ids = self.walk.ids[places]
        if int(ids.max()) >= self._words:
            at = int(places[np.argmax(ids >= self._words)])
            raise CorpusError(
                f"{self.walk.path}: token {at} has the id {int(self.walk.ids[at])}, but there are {self._words} words; "
                "the corpus is damaged: encode the text again"
            )
        words: list[str] = self._table.take(ids, mode="clip").tolist()  # ids beyond the trained words become RARE
        return words


def ranges(begins: I64, lengths: I64) -> I64:
    """The numbers begins[i], begins[i] + 1, ... (lengths[i] of them), one range after another."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(begins - (ends - lengths), lengths) + np.arange(total)
