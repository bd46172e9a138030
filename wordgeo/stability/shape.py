"""How far two spaces have the same shape, by four measures, over words that stand for each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo.errors import OptionError
from wordgeo.results import Result, Table
from wordgeo.stability.alignment import Alignment
from wordgeo.validate import whole_number

__all__ = ["Isometry", "bottleneck", "isometry"]

GRAPH_NEIGHBORS = 10
ENERGY = 0.9

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class Isometry(Result):
    """Four measures over `words` pairs of words; all but `relational` are 0 where the shapes are the same.

    `residual` of the Procrustes fit; `relational`, Spearman's correlation of all pairwise cosines, 1 for the same shape
    (relational similarity); `eigenvector`, Σ (λ_i - μ_i)² of the first Laplacian eigenvalues of the graphs of 10
    neighbours, as many as hold 90 % of the sum in either (Søgaard, Ruder & Vulić 2018); `bottleneck`, the bottleneck
    distance of the persistence diagrams of dimension 0 of the Rips filtrations, at most twice the Gromov–Hausdorff
    distance (Patra et al. 2019; Chazal et al. 2009), in Euclidean distance between unit vectors.
    """

    words: int
    residual: float
    relational: float
    eigenvector: float
    bottleneck: float

    def tables(self) -> list[Table]:
        """One row for each measure."""
        rows = [
            ("Procrustes residual", self.residual),
            ("relational similarity", self.relational),
            ("eigenvector similarity (a distance)", self.eigenvector),
            ("Gromov–Hausdorff (bottleneck distance)", self.bottleneck),
        ]
        return [Table(("measure", "value"), rows, f"isometry over {self.words} pairs of words")]


def isometry(found: Alignment, rows_a: I64, rows_b: I64, *, most: int = 2000) -> Isometry:
    """Measures two aligned spaces over pairs of rows (int64 [n]), of which the first `most` are taken."""
    from scipy import stats

    most = whole_number("most", most, 3)
    rows_a, rows_b = rows_a[:most], rows_b[:most]
    if len(rows_a) < 3:
        raise OptionError(f"{len(rows_a)} pairs of words have no shape; give at least three")
    x, y = found.source.vectors[rows_a].astype(np.float64), found.target.vectors[rows_b].astype(np.float64)
    cosines = [space @ space.T for space in (x, y)]
    pairs = np.triu_indices(len(x), 1)
    return Isometry(
        words=len(x),
        residual=float(np.sqrt(((x - y) ** 2).sum() / ((x**2).sum() + (y**2).sum()))),
        relational=float(stats.spearmanr(cosines[0][pairs], cosines[1][pairs]).statistic),
        eigenvector=_spectral(*cosines),
        bottleneck=bottleneck(*(_deaths(each) for each in cosines)),
    )


def _spectral(first: F64, second: F64) -> float:
    spectra = [_laplacian(cosine) for cosine in (first, second)]
    kept = min(int(np.searchsorted(np.cumsum(s) / s.sum(), ENERGY)) + 1 for s in spectra)
    return float(((spectra[0][:kept] - spectra[1][:kept]) ** 2).sum())


def _laplacian(cosine: F64) -> F64:
    """Eigenvalues of the Laplacian of the neighbour graph (an edge where either is a neighbour), the largest first."""
    size = len(cosine)
    apart = cosine.copy()
    np.fill_diagonal(apart, -np.inf)
    near = np.argsort(-apart, axis=1, kind="stable")[:, : min(GRAPH_NEIGHBORS, size - 1)]
    graph = np.zeros((size, size))
    np.put_along_axis(graph, near, 1, axis=1)
    graph = np.maximum(graph, graph.T)
    values: F64 = np.maximum(np.linalg.eigvalsh(np.diag(graph.sum(axis=1)) - graph)[::-1], 0)
    return values


def _deaths(cosine: F64) -> F64:
    """When components merge as the distance grows: the edges of the minimum spanning tree, ascending."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    distance = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    np.fill_diagonal(distance, 0)
    # An absent edge is 0 there: words with the same vector are moved apart by less than matters.
    edges = minimum_spanning_tree(np.maximum(distance, 1e-12)).data
    return np.sort(edges)


def bottleneck(first: F64, second: F64) -> float:
    """Bottleneck distance of two persistence diagrams whose points are all born at 0; deaths ascending.

    The least t with which every point that dies later than 2t (others may vanish on the diagonal) is matched to one
    of the other diagram whose death differs by t at most. By Mendelsohn and Dulmage's theorem each side may be looked
    at alone, and on a line the greedy matching is a largest one.

    >>> bottleneck(np.array([1.0, 2.0]), np.array([1.5, 2.0]))
    0.5
    """
    candidates = [np.zeros(1), first / 2, second / 2, np.abs(first[:, None] - second[None, :]).ravel()]
    steps = np.unique(np.concatenate(candidates))
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high) // 2
        if _matched(first, second, steps[middle]) and _matched(second, first, steps[middle]):
            high = middle
        else:
            low = middle + 1
    return float(steps[low])


def _matched(mine: F64, others: F64, t: float) -> bool:
    """Whether each of my points beyond 2t finds one of the others within t, no two the same."""
    at = 0
    slack = 1e-12 * (1 + t)
    for death in mine[mine > 2 * t].tolist():
        while at < len(others) and others[at] < death - t - slack:
            at += 1
        if at == len(others) or others[at] > death + t + slack:
            return False
        at += 1
    return True
