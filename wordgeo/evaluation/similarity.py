"""Cosines of the pairs of a similarity suite, beside what people say."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.suites import SimilaritySuite
from wordgeo.query.search import cosine_pairs

__all__ = ["Cosines", "score_pairs"]


@dataclasses.dataclass(frozen=True)
class Cosines:
    """`rows` int64 [pairs, 2] (-1: unknown word), people's scores and the model's cosines, both float64 [pairs].

    The cosine of a pair with an unknown word is 0.
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
    found.cosines[known] = cosine_pairs(
        model, np.ascontiguousarray(rows[known, 0]), np.ascontiguousarray(rows[known, 1])
    )
    return found
