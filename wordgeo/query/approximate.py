"""Approximate neighbours through an HNSW index of faiss, for models so large that exact search is too slow.

The exact search stays the default. The index is built in memory at the first use, and its recall is measured then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import MissingExtraError
from wordgeo.query.screens import Queries
from wordgeo.query.search import scores_of, top_k
from wordgeo.query.wordvectors import Neighbors
from wordgeo.results import Table
from wordgeo.threads import resolve_threads
from wordgeo.validate import float_rows, whole_number

__all__ = ["ApproximateIndex", "ApproximateNeighbors"]

LINKS, EFFORT_TO_BUILD, EFFORT_TO_SEARCH = 32, 200, 128  # M, efConstruction and efSearch of Malkov & Yashunin 2018
WORDS_TO_MEASURE, NEIGHBORS_TO_MEASURE = 500, 10


@dataclass(frozen=True, repr=False, eq=False)
class ApproximateNeighbors(Neighbors):
    """Neighbours that an index found: scores are exact, but a nearer word may be missing.

    `recall` is the share of the 10 nearest words that the index found, over 500 of the model's own words (evenly
    spaced by frequency rank).
    """

    recall: float = float("nan")

    def tables(self) -> list[Table]:
        """One row a word, and the recall."""
        table = super().tables()[0]
        note = f"approximate: the index finds {100 * self.recall:.1f} % of the 10 nearest words of this model"
        return [Table(table.columns, table.rows, table.title, [note])]


class ApproximateIndex:
    """An HNSW index of the unit vectors of a model (Malkov & Yashunin 2018)."""

    def __init__(self, embeddings: Embeddings) -> None:
        try:
            import faiss
        except ImportError:
            raise MissingExtraError("approximate search", "ann") from None
        faiss.omp_set_num_threads(resolve_threads())
        self.index = faiss.IndexHNSWFlat(embeddings.dimensions, LINKS, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = EFFORT_TO_BUILD
        self.index.hnsw.efSearch = EFFORT_TO_SEARCH
        self.index.add(Queries(embeddings.vectors, embeddings.norms).unit)
        self.recall = self._measure(embeddings)

    @property
    def nbytes(self) -> int:
        """Memory of the index: the vectors, and each one's links, offset and level."""
        graph: Any = self.index.hnsw
        links = 4 * graph.neighbors.size() + 8 * graph.offsets.size() + 4 * graph.levels.size()
        return int(4 * self.index.ntotal * self.index.d + links)

    @classmethod
    def of(cls, embeddings: Embeddings) -> ApproximateIndex:
        """The one of a model, built at the first use."""
        index: ApproximateIndex = embeddings.derived("approximate index", lambda: cls(embeddings))
        return index

    def search(self, queries: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
        """About the k nearest rows of unit vectors, int64 [n, k], -1 where the index found fewer."""
        self.index.hnsw.efSearch = max(EFFORT_TO_SEARCH, 2 * k)
        found: npt.NDArray[np.int64] = self.index.search(queries, k)[1]
        return found

    def neighbors(
        self,
        embeddings: Embeddings,
        names: Sequence[str],
        queries: npt.ArrayLike,
        k: int,
        exclude: npt.NDArray[np.int64] | None,
    ) -> list[Neighbors]:
        """The k nearest words that the index finds, scored exactly."""
        vectors = float_rows("queries", queries, embeddings.dimensions)
        beside = 0 if exclude is None else exclude.shape[1]
        k = min(whole_number("k", k, 1), len(embeddings))
        found = self.search(Queries(vectors).unit, min(k + beside, len(embeddings)))
        results: list[Neighbors] = []
        for i, name in enumerate(names):
            rows = found[i][found[i] >= 0]
            if exclude is not None:
                rows = rows[~np.isin(rows, exclude[i])]
            scores = scores_of(embeddings, rows, vectors[i])
            order = np.lexsort((rows, -scores))[:k]
            words = tuple(embeddings.vocabulary[row] for row in rows[order].tolist())
            results.append(ApproximateNeighbors(name, words, scores[order], rows[order], self.recall))
        return results

    def _measure(self, embeddings: Embeddings) -> float:
        rows = np.unique(np.linspace(0, len(embeddings) - 1, WORDS_TO_MEASURE).astype(np.int64))
        k = min(NEIGHBORS_TO_MEASURE + 1, len(embeddings))  # the word itself among them
        exact, _ = top_k(embeddings, embeddings.vectors[rows], k=k)
        found = self.search(Queries(embeddings.vectors[rows], embeddings.norms[rows]).unit, k)
        hits = sum(len(np.intersect1d(a, b)) for a, b in zip(exact, found, strict=True))
        return hits / exact.size
