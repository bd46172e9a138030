"""How far whole spaces differ, whatever their rotation: eigenspace instability, and the PIP loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.threads import run_blocks

__all__ = ["SpaceDistances", "space_distances"]

ROWS_A_BLOCK = 1 << 13
ALPHA = 3  # of the eigenspace instability, as its authors chose
LEAST_SINGULAR = 1e-6  # of the largest: directions below it are rounding errors of float32

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpaceDistances:
    """Distances of models i < j over the same words, float64 [pairs], all 0 for a model and its rotation.

    `eigenspace` is the eigenspace instability tr((UUᵀ + ŨŨᵀ - 2 ŨŨᵀUUᵀ) Σ) / tr(Σ), from 0 to 1, with U and Ũ the left
    singular vectors of the two and Σ = (XXᵀ)³ + (X̃X̃ᵀ)³ (Leszczynski et al. 2020); `pip` is ‖XXᵀ - X̃X̃ᵀ‖ of Frobenius
    (Yin & Shen 2018), which grows with words and lengths, and `pip_relative` that over (‖XXᵀ‖² + ‖X̃X̃ᵀ‖²)^½.
    """

    pairs: tuple[tuple[int, int], ...]
    words: int
    eigenspace: F64
    pip: F64
    pip_relative: F64


def space_distances(
    models: Sequence[Embeddings], rows: Sequence[npt.NDArray[np.int64]], threads: int | None = None
) -> SpaceDistances:
    """Distances of each pair of models over the words that have the rows rows[m] (int64 [n]) in model m.

    Only the products XᵀX̃ [dimensions, dimensions] are made, never XXᵀ.
    """
    n, count = len(rows[0]), len(models)
    products: dict[tuple[int, int], F64] = {
        (i, j): np.zeros((models[i].dimensions, models[j].dimensions)) for i in range(count) for j in range(i, count)
    }
    for begin in range(0, n, ROWS_A_BLOCK):
        block = [
            model.vectors[own[begin : begin + ROWS_A_BLOCK]].astype(np.float64)
            for model, own in zip(models, rows, strict=True)
        ]

        def add(i: int, j: int, block: list[F64] = block) -> None:
            # NumPy multiplies an array with itself by another routine, whose rounding differs.
            products[i, j] += block[i].T @ (block[j].copy() if i == j else block[j])

        run_blocks(add, products, threads)
    own = [_spectrum(products[i, i]) for i in range(count)]
    pairs = tuple(combinations(range(count), 2))
    found = np.array([_distances(products, own, i, j) for i, j in pairs]).reshape(-1, 3)
    return SpaceDistances(pairs, n, *found.T)


def _spectrum(gram: F64) -> tuple[F64, F64]:
    """Singular values (descending) and right singular vectors (columns) of X, from XᵀX."""
    values, vectors = np.linalg.eigh(gram)
    values, vectors = np.sqrt(np.maximum(values[::-1], 0)), vectors[:, ::-1]
    kept = values > LEAST_SINGULAR * values[0]
    return values[kept], vectors[:, kept]


def _distances(products: dict[tuple[int, int], F64], own: list[tuple[F64, F64]], i: int, j: int) -> tuple[float, ...]:
    (s, v), (t, w) = own[i], own[j]
    # UᵀŨ: with X = U S Vᵀ, U = X V S⁻¹. With P = UᵀŨ the trace is Σs⁶ - ‖S³P‖² + Σt⁶ - ‖PT³‖².
    between = (v.T @ products[i, j] @ w) / s[:, None] / t[None, :]
    weight = (s ** (2 * ALPHA)).sum() + (t ** (2 * ALPHA)).sum()
    shared = ((s[:, None] ** ALPHA * between) ** 2).sum() + ((between * t**ALPHA) ** 2).sum()
    lengths = (products[i, i] ** 2).sum() + (products[j, j] ** 2).sum()
    pip = lengths - 2 * (products[i, j] ** 2).sum()
    if np.array_equal(products[i, i], products[i, j]) and np.array_equal(products[j, j], products[i, j]):
        return 0.0, 0.0, 0.0  # the same vectors, to the bit
    pip = float(np.sqrt(max(pip, 0.0)))
    return max(0.0, 1 - float(shared / weight)), pip, pip / float(np.sqrt(lengths))
