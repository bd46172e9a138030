"""Cosines of the pairs of a similarity suite, beside what people say."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.suites import SimilaritySuite
from wordgeo.query.search import cosine_pairs
from wordgeo.vocabulary import Vocabulary

__all__ = ["Cosines", "score_pairs"]


@dataclasses.dataclass(frozen=True)
class Cosines:
    """`rows` int64 [pairs, 2] (-1: unknown word), people's scores and the model's cosines, both float64 [pairs].

    The cosine of a pair with an unknown word is 0, or that of the mean vector where the protocol puts it in its place.
    """

    rows: npt.NDArray[np.int64]
    human: npt.NDArray[np.float64]
    cosines: npt.NDArray[np.float64]

    @property
    def in_vocabulary(self) -> npt.NDArray[np.bool_]:
        """Which pairs have both words known, bool [pairs]."""
        return np.min(self.rows, axis=1) >= 0


def score_pairs(model: Embeddings, suite: SimilaritySuite, protocol: Protocol) -> Cosines:
    """The cosines of the pairs of `suite`, whose words are looked up by the rules of `protocol`."""
    lookup = protocol.lookup(model.vocabulary)
    rows = lookup.rows(word for pair in suite.pairs for word in (pair.a, pair.b)).reshape(-1, 2)
    human = np.array([pair.score for pair in suite.pairs], dtype=np.float64)
    found = Cosines(rows, human, np.zeros(len(rows)))
    known = found.in_vocabulary
    if protocol.unknown == "mean":
        return _with_means(model, rows, human)
    found.cosines[known] = cosine_pairs(
        model, np.ascontiguousarray(rows[known, 0]), np.ascontiguousarray(rows[known, 1])
    )
    return found


def _with_means(model: Embeddings, rows: npt.NDArray[np.int64], human: npt.NDArray[np.float64]) -> Cosines:
    """The same with the mean of all vectors in the place of an unknown word's."""
    used, places = np.unique(rows, return_inverse=True)
    vectors = model.vectors[used]
    vectors[used < 0] = model.vectors.mean(axis=0, dtype=np.float64)
    words = Embeddings(Vocabulary.from_words(map(str, range(len(used)))), vectors)
    places = places.reshape(-1, 2)
    return Cosines(rows, human, cosine_pairs(words, places[:, 0], places[:, 1]).astype(np.float64))
