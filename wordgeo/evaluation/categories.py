"""Categorisation: whether words that people put in one category lie together."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import MissingExtraError
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.report import BenchmarkReport, facts
from wordgeo.evaluation.suites import CategorySuite
from wordgeo.results import Table

__all__ = ["CategoryReport", "score_categories"]

STARTS = 10


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class CategoryReport(BenchmarkReport):
    """Purity of as many clusters as there are categories: the share of words that are in their cluster's main one.

    `score` is `purity`, over the words in the vocabulary. `low` and `high` are the lowest and highest purity of
    `starts` clusterings that differ by their seed; `chance` is the mean purity where the same words are put into
    clusters of the same sizes at random.
    """

    items: int
    in_vocabulary: int
    coverage: float
    categories: int
    purity: float | None
    low: float | None
    high: float | None
    chance: float | None
    starts: int = STARTS
    interval: str = "range over starts"
    kind: str = "categories"

    def tables(self) -> list[Table]:
        """One row."""
        columns = ("items", "in_vocabulary", "categories", "purity", "low", "high", "chance")
        notes = [
            f"low to high: {self.starts} clusterings from other starts; chance: the same, at random.",
            *self.about_file(),
        ]
        values = [getattr(self, name) for name in columns]
        return [Table(columns, [values], f"{self.suite}: purity of k-means on unit vectors", notes)]


def score_categories(
    model: Embeddings, suite: CategorySuite, protocol: Protocol, *, level: float, seed: int
) -> CategoryReport:
    """Clusters the known words of `suite` by scikit-learn's k-means over unit vectors, one cluster a category.

    Raises `MissingExtraError` without scikit-learn. Reference: A. Almuhareb & M. Poesio 2005 (purity for AP).
    """
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise MissingExtraError("categorisation", "eval") from None
    rows = protocol.lookup(model.vocabulary).rows(suite.words)
    known = np.flatnonzero(rows >= 0)
    names, labels = np.unique(np.array(suite.categories)[known], return_inverse=True)
    purities: list[float] = []
    chance: list[float] = []
    if len(names) > 1:
        norms = model.norms[rows[known]]
        units = model.vectors[rows[known]] / np.where(norms > 0, norms, 1)[:, np.newaxis]
        shuffler = np.random.default_rng(seed)
        for start in range(STARTS):
            clusters = KMeans(len(names), n_init=10, random_state=seed + start).fit_predict(units)
            purities.append(_purity(clusters, labels))
            chance.append(_purity(shuffler.permutation(clusters), labels))
    own = purities[0] if purities else None
    return CategoryReport(
        **facts(model, suite, protocol, method="k-means", level=level, seed=seed),
        score=own,
        items=len(rows),
        in_vocabulary=len(known),
        coverage=len(known) / len(rows),
        categories=len(names),
        purity=own,
        low=min(purities, default=None),
        high=max(purities, default=None),
        chance=float(np.mean(chance)) if chance else None,
    )


def _purity(clusters: npt.NDArray[np.int64], labels: npt.NDArray[np.int64]) -> float:
    """Σ over clusters of the count of the most frequent label, over all."""
    most = (max(Counter(labels[clusters == one].tolist()).values()) for one in np.unique(clusters))
    return sum(most) / len(labels)
