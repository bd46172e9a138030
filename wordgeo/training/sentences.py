"""An encoded corpus as sentences of words, decoded block by block from the mapped ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wordgeo.errors import CorpusError

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["LONGEST_SENTENCE", "Sentences"]

LONGEST_SENTENCE = 10_000  # gensim silently drops what a sentence has beyond this
SENTENCES_A_BLOCK = 1 << 16
TOKENS_A_BLOCK = 1 << 18
RARE = ""  # stands for all words that are not trained: no word of a vocabulary is empty


class Sentences:
    """Iterates over the sentences of a corpus as lists of `str`, any number of times.

    `words` are those of the first ids of the corpus, `RARE` where one is not trained; all others come as `RARE`, so
    that they keep counting as words of the corpus. Sentences of more than `LONGEST_SENTENCE` words come in pieces:
    `pieces` is how many lists one pass gives, `cut` how many sentences were cut. The ids are never modified nor copied
    whole.
    """

    def __init__(self, corpus: EncodedCorpus, words: Iterable[str]) -> None:
        self._ids, self._offsets = corpus.ids, corpus.sentences
        self._path, self._words = corpus.path, len(corpus.vocabulary)
        self._table = np.array([*words, RARE], dtype=object)
        self.pieces, self.cut = self._measure()

    def __iter__(self) -> Iterator[list[str]]:
        for first in range(0, len(self._offsets) - 1, SENTENCES_A_BLOCK):
            cuts = _cuts(self._offsets[first : first + SENTENCES_A_BLOCK + 1])
            begin = 0
            while begin < len(cuts) - 1:
                end = int(np.searchsorted(cuts, cuts[begin] + TOKENS_A_BLOCK, side="right")) - 1
                words = self._decode(int(cuts[begin]), int(cuts[end]))
                for a, b in pairwise((cuts[begin : end + 1] - cuts[begin]).tolist()):
                    yield words[a:b]
                begin = end

    def _decode(self, begin: int, end: int) -> list[str]:
        ids = self._ids[begin:end]
        if int(ids.max()) >= self._words:
            at = begin + int(np.argmax(ids >= self._words))
            raise CorpusError(
                f"{self._path}: token {at} has the id {int(self._ids[at])}, but there are {self._words} words; "
                "the corpus is damaged: encode the text again"
            )
        words: list[str] = self._table.take(ids, mode="clip").tolist()  # ids beyond the trained words become RARE
        return words

    def _measure(self) -> tuple[int, int]:
        pieces, cut = len(self._offsets) - 1, 0
        for first in range(0, len(self._offsets) - 1, SENTENCES_A_BLOCK):
            lengths = np.diff(self._offsets[first : first + SENTENCES_A_BLOCK + 1])
            long = lengths[lengths > LONGEST_SENTENCE]
            pieces += int(((long - 1) // LONGEST_SENTENCE).sum())
            cut += len(long)
        return pieces, cut


def _cuts(offsets: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The offsets of a block of sentences, with further ones inside those that are too long."""
    cuts = np.asarray(offsets).astype(np.int64)
    if np.diff(cuts).max(initial=0) <= LONGEST_SENTENCE:
        return cuts
    pieces = [np.arange(a, b, LONGEST_SENTENCE) for a, b in pairwise(cuts.tolist())]
    return np.concatenate([*pieces, cuts[-1:]])
