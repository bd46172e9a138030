"""The place of one word among the neighbours of another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.embeddings import Embeddings
from wordgeo.query.search import ROWS_A_SCORE, cosine_pairs
from wordgeo.threads import run_blocks

__all__ = ["ranks"]

I64 = npt.NDArray[np.int64]


def ranks(embeddings: Embeddings, a: I64, b: I64, *, threads: int | None = None) -> list[tuple[int, int, float]]:
    """First and last place of row b[i] among the neighbours of row a[i] (ties between), and their cosine.

    Places count from 1; row a[i] itself takes none, and has (0, 0) where it is asked for.
    """
    exact = cosine_pairs(embeddings, a, b)
    counts = np.zeros((len(a), 2, -(-len(embeddings) // ROWS_A_SCORE)), dtype=np.int64)
    norms = embeddings.norms  # computed here once, and not by every thread

    def count(i: int, block: int) -> None:
        row, part = int(a[i]), slice(block * ROWS_A_SCORE, min((block + 1) * ROWS_A_SCORE, len(embeddings)))
        scores = np.empty(part.stop - part.start, dtype=np.float32)
        query = embeddings.vectors[row].astype(np.float64)
        _fast.scores(embeddings.vectors[part], norms[part], query, float(norms[row]), scores, np.empty(len(scores)))
        if part.start <= row < part.stop:
            scores[row - part.start] = np.nan
        counts[i, :, block] = (scores > exact[i]).sum(), (scores >= exact[i]).sum()

    run_blocks(count, [(i, block) for i in range(len(a)) for block in range(counts.shape[2])], threads)
    places = np.where((a == b)[:, None], 0, counts.sum(axis=2) + np.array([1, 0]))
    return [(int(low), int(high), float(score)) for (low, high), score in zip(places, exact, strict=True)]
