"""Which words may answer: by count, by frequency rank, by pattern, by list."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.validate import whole_number

__all__ = ["Filter"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Filter:
    """Restricts the answers of a query; the words asked about may lie outside.

    `min_count`: words that occur at least so often. `top`: the most frequent words (the first rows).
    `match`: a regular expression found anywhere in the word. `words`: only these.
    """

    min_count: int | None = None
    top: int | None = None
    match: str | None = None
    words: Iterable[str] | None = None

    def candidates(self, embeddings: Embeddings) -> npt.NDArray[np.int64] | None:
        """Rows that may answer, ascending int64; None where all may. Raises `OptionError`."""
        if self.min_count is None and self.top is None and self.match is None and self.words is None:
            return None
        kept = np.ones(len(embeddings), dtype=bool)
        if self.top is not None:
            kept[whole_number("top", self.top, 1) :] = False
        if self.min_count is not None:
            if embeddings.counts is None:
                raise OptionError("min_count needs word counts, which this model does not have; use top instead")
            kept &= embeddings.counts >= whole_number("min_count", self.min_count, 0)
        if self.words is not None:
            kept &= self._listed(embeddings)
        if self.match is not None:
            try:
                found = re.compile(self.match).search
            except re.error as problem:
                raise OptionError(f"match is {self.match!r}, no regular expression: {problem}") from None
            rows = np.flatnonzero(kept)
            kept[rows] = [found(embeddings.vocabulary[row]) is not None for row in rows.tolist()]
        return np.flatnonzero(kept)

    def _listed(self, embeddings: Embeddings) -> npt.NDArray[np.bool_]:
        if isinstance(self.words, str):
            raise OptionError("words is one string; give a list of words")
        rows = embeddings.vocabulary.find(self.words or ())
        missing = int((rows < 0).sum())
        if missing:
            log.warning("%d of the %d words that may answer are not in the vocabulary", missing, len(rows))
        listed = np.zeros(len(embeddings), dtype=bool)
        listed[rows[rows >= 0]] = True
        return listed
