"""The neighbourhood of a query in a plane, with what the plane does not show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo.query import WordVectors
from wordgeo.query.expression import parse_expression
from wordgeo.results import Result, Table

__all__ = ["NeighborhoodMap", "neighborhood_map", "trustworthiness"]

LINKS_A_WORD = 3
MOST_NEIGHBORS = 5

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class NeighborhoodMap(Result):
    """Words in a plane: `x`, `y` (float64 [words]) are coordinates on the two first principal components.

    The words of the query come first, with score NaN (null) where they are several. `links` int64 [n, 2] are pairs of
    places in `words`: each word and its three nearest in the full space. `variance` is the share of the variance that
    the plane keeps, `trustworthiness` how true its neighbourhoods are (see `trustworthiness`).
    """

    query: str
    words: tuple[str, ...]
    scores: npt.NDArray[np.float32]
    x: F64
    y: F64
    links: npt.NDArray[np.int64]
    trustworthiness: float
    variance: float

    def tables(self) -> list[Table]:
        """One row a word."""
        rows = list(zip(self.words, self.scores.tolist(), self.x.tolist(), self.y.tolist(), strict=True))
        note = f"trustworthiness {self.trustworthiness:.3f}, variance kept {self.variance:.3f}"
        return [Table(("word", "score", "x", "y"), rows, self.query, [note])]


def neighborhood_map(model: WordVectors, expression: str, *, k: int = 40) -> NeighborhoodMap:
    """The words of an expression and the k nearest to it, placed by a PCA of their unit vectors."""
    found = model.query(expression, k)
    operands = [next(f for f in operand.forms if f in model) for operand in parse_expression(expression)]
    asked = list(dict.fromkeys(operands))
    words = [*asked, *found.words]
    rows = model.vocabulary.rows(words)
    norms = model.norms[rows]
    unit = model.vectors[rows] / np.where(norms > 0, norms, 1.0)[:, None]
    centred = unit - unit.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(words), 2))
    places[:, : min(2, len(sizes))] = left[:, :2] * sizes[:2]
    # The sign of a component is free: the one whose largest place is positive, so that a map looks the same again.
    places *= np.where(np.take_along_axis(places, np.abs(places).argmax(axis=0)[None], axis=0) < 0, -1.0, 1.0)
    cosines = unit @ unit.T
    nearest = _nearest(-cosines)[:, : min(LINKS_A_WORD, len(words) - 1)]
    links = {(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row}
    scores = np.concatenate([np.full(len(asked), 1.0 if len(asked) == 1 else np.nan, np.float32), found.scores])
    total = float((sizes**2).sum())
    return NeighborhoodMap(
        expression, tuple(words), scores, places[:, 0], places[:, 1],
        np.array(sorted(links), dtype=np.int64).reshape(-1, 2), trustworthiness(1.0 - cosines, places),
        float((sizes[:2] ** 2).sum()) / total if total else 0.0,
    )  # fmt: skip


def trustworthiness(distances: F64, places: F64) -> float:
    """How far neighbours in the plane are neighbours in truth, at most 1 (J. Venna & S. Kaski 2001).

    T = 1 - 2 / (n m (2n - 3m - 1)) Σ_i Σ_{j in U_i} (r(i, j) - m) with m = min(5, (n - 1) // 2), r(i, j) the rank of j
    among the neighbours of i by `distances` [n, n], and U_i the words that are among the m nearest of i in the plane
    (`places` [n, 2]) and not in truth. 1 for fewer than three words.
    """
    n = len(places)
    m = min(MOST_NEIGHBORS, (n - 1) // 2)
    if m < 1:
        return 1.0
    order = _nearest(distances)
    ranks = np.empty((n, n), dtype=np.int64)
    np.put_along_axis(ranks, order, np.arange(1, n + 1)[None, :], axis=1)
    shown = _nearest(((places[:, None, :] - places[None, :, :]) ** 2).sum(axis=2))[:, :m]
    excess = np.maximum(np.take_along_axis(ranks, shown, axis=1) - m, 0).sum()
    return float(1.0 - 2.0 * excess / (n * m * (2 * n - 3 * m - 1)))


def _nearest(distances: F64) -> npt.NDArray[np.int64]:
    """The others of each row by distance, ties by place; itself last."""
    distances = np.array(distances, dtype=np.float64)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")
