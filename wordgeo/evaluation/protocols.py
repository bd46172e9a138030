"""Evaluation protocols: declarations of how a tool reads a benchmark, all run by one solver."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.validate import choice, whole_number

__all__ = ["PROTOCOLS", "Lookup", "Protocol"]

FOLDS: Mapping[str, Callable[[str], str]] = {"none": str, "upper": str.upper}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The rules by which a question or a pair is looked up and an answer counted.

    `reproduces` is the tool and version whose counts these rules give. `fold` ("upper" or "none") is applied to the
    words of the suite and of the model; among rows that fold alike the first one stands for all (the most frequent,
    where rows are in the order of their counts). `limit` is how many rows from the first are known at all (None: all).
    `unknown` says what the headline score does with a question or pair that has a word outside them: "skip" it, or
    count it "wrong" (a pair: cosine 0). `shortlist` is how many of the best rows are looked at, after the rows
    of the three given words are dropped: the first whose folded word is none of the three is the answer, and the last
    one looked at where none qualifies.

    >>> PROTOCOLS["gensim"].limit
    300000
    """

    name: str
    reproduces: str
    fold: str
    limit: int | None
    unknown: str
    shortlist: int

    def __post_init__(self) -> None:
        choice("fold", self.fold, tuple(FOLDS))
        choice("unknown", self.unknown, ("skip", "wrong"))
        whole_number("shortlist", self.shortlist, 1)
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    def lookup(self, vocabulary: Sequence[str]) -> Lookup:
        """The words of a model as this protocol finds them."""
        return Lookup(vocabulary, FOLDS[self.fold], self.limit)


class Lookup:
    """Folded words and their rows. `same[i]` is the row that stands for row i, int64 [rows known]."""

    same: npt.NDArray[np.int64]

    def __init__(self, vocabulary: Sequence[str], fold: Callable[[str], str], limit: int | None) -> None:
        self._fold = fold
        self._first: dict[str, int] = {}
        words = (vocabulary.words if hasattr(vocabulary, "words") else vocabulary)[:limit]
        self.same = np.fromiter(
            (self._first.setdefault(fold(word), row) for row, word in enumerate(words)), np.int64, len(words)
        )

    def rows(self, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """The row that stands for each word, -1 for one that is not known."""
        return np.array([self._first.get(self._fold(word), -1) for word in words], dtype=np.int64)


# gensim.models.KeyedVectors.evaluate_word_analogies and evaluate_word_pairs with their default arguments.
# gensim also asks that the answer be in the folded vocabulary, which holds for every row below the limit.
GENSIM = Protocol(name="gensim", reproduces="gensim 4.4", fold="upper", limit=300_000, unknown="skip", shortlist=5)

PROTOCOLS: Mapping[str, Protocol] = {protocol.name: protocol for protocol in (GENSIM,)}
