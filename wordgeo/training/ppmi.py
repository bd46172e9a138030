"""PPMI and truncated SVD: positive pointwise mutual information of words and contexts, reduced; nothing is drawn."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError, TrainingError
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.training.config import TrainingConfig
from wordgeo.training.counting import CountingOptions, count_cached
from wordgeo.training.counting_file import Counts, row_blocks
from wordgeo.training.records import machine, provenance
from wordgeo.training.resample import Resample, recorded

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import LinearOperator

    from wordgeo.corpus import EncodedCorpus

__all__ = ["ppmi", "train_ppmi", "truncated_svd"]

logger = logging.getLogger(__name__)

F64 = npt.NDArray[np.float64]

DENSE_WORDS = 500  # up to here all singular values are computed, and the largest taken
PARTS_A_THREAD = 4


def train_ppmi(
    corpus: EncodedCorpus,
    config: TrainingConfig,
    *,
    resample: Resample | None = None,
    memory: str | int | None = None,
    progress: Progress | bool | None = None,
) -> Embeddings:
    """Vectors float32 [words, dim] for the words that occur `min_count` times or more, by descending count.

    The matrix M of `ppmi` is reduced to its `dim` largest singular values, M ≈ U Σ Vᵀ. A word has the vector U Σ^p,
    with p the `eigenvalue_power`, as a context V Σ^p. `run` of the result holds the singular values.

    No random number is drawn, and the seed has no effect: the same machine gives the same bytes with any number of
    threads. On another, or with another SciPy, singular values agree to about 1e-6 of the largest, and so do the
    subspaces where singular values are well apart.

    Raises `OptionError` where `dim` is not below the number of words, `TrainingError` where no pair has positive
    information. References: Levy & Goldberg 2014; Levy, Goldberg & Dagan 2015.
    """
    threads, shown = resolve_threads(config.threads), resolve_progress(progress)
    started, start = datetime.now(UTC), perf_counter()
    counts = count_cached(
        corpus, CountingOptions.of(config), resample=resample, memory=memory, threads=threads, progress=shown
    )
    if config.dim >= len(counts):
        raise OptionError(f"dim is {config.dim}; {len(counts)} words have {len(counts) - 1} dimensions at most")
    counted = perf_counter() - start
    matrix = ppmi(counts, context_smoothing=config.context_smoothing, shift=config.shift)
    if not matrix.nnz:
        raise TrainingError("no pair of words has positive information; lower shift or min_count, or give more text")
    logger.info("ppmi by the native engine: %d pairs of %d words", matrix.nnz, len(counts))
    shown.start("truncated SVD", None, "products")
    try:
        left, singular, right = truncated_svd(matrix, config.dim, threads=threads, progress=shown)
    finally:
        shown.finish()
    parts = {"word": (left,), "context": (right,), "sum": (left, right)}[config.combine]
    vectors = sum(parts) * singular**config.eigenvalue_power
    run = {
        "started": started.isoformat(timespec="seconds"),
        "seconds": perf_counter() - start,
        "counting_seconds": counted,
        "machine": machine(),
        "pairs": int(matrix.nnz),
        "singular_values": singular.tolist(),
    }
    made = provenance(corpus, config, threads, reproducible=True)
    if resample is not None:
        made["resample"] = recorded(corpus, resample, resample.order(corpus), len(counts))
    return Embeddings(counts.vocabulary, np.ascontiguousarray(vectors, dtype=np.float32), provenance=made, run=run)


def ppmi(counts: Counts, *, context_smoothing: float = 0.75, shift: float = 1.0) -> csr_array:
    """Shifted positive pointwise mutual information, a sparse float64 [words, contexts].

        M_wc = max(0, log(P(w, c) / (P(w) P_α(c))) - log k)        P_α(c) = #(c)^α / Σ #(c')^α

    with α the `context_smoothing` and k the `shift`. Sums run over the counts, not over the words of the corpus.
    """
    matrix = counts.to_scipy()
    words = np.asarray(matrix.sum(axis=1)).ravel()
    contexts = np.asarray(matrix.sum(axis=0)).ravel()
    with np.errstate(divide="ignore"):
        smoothed = np.where(contexts > 0, contexts, 1) ** context_smoothing
        smoothed[contexts == 0] = 0
        by_word = -np.log(words) - np.log(shift)
        by_context = np.log(smoothed.sum()) - np.log(smoothed)
    np.log(matrix.data, out=matrix.data)
    matrix.data += np.repeat(by_word, np.diff(matrix.indptr))
    matrix.data += by_context[matrix.indices]
    np.maximum(matrix.data, 0, out=matrix.data)
    matrix.eliminate_zeros()
    return matrix


def truncated_svd(
    matrix: csr_array, dim: int, *, threads: int | None = None, progress: Progress | None = None
) -> tuple[F64, F64, F64]:
    """The `dim` largest singular values, descending, with their left and right vectors as columns.

    By Lanczos iteration (ARPACK) from a fixed start; up to 500 words by LAPACK. The element of each left vector that is
    largest in magnitude (the first of them) is positive. Sparse products run on `threads` threads, row by row, and
    BLAS on one, so that the bytes do not depend on their number.
    """
    from scipy.linalg import svd
    from scipy.sparse.linalg import ArpackError, svds
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        if max(matrix.shape) <= DENSE_WORDS:
            left, singular, right = svd(matrix.toarray(), full_matrices=False)
            left, singular, right = left[:, :dim], singular[:dim], right[:dim]
        else:
            start = np.full(min(matrix.shape), min(matrix.shape) ** -0.5)
            try:
                left, singular, right = svds(_operator(matrix, threads, progress), dim, v0=start)
            except ArpackError as problem:
                raise TrainingError(f"the SVD did not converge ({problem}); lower dim") from None
            left, singular, right = left[:, ::-1], singular[::-1], right[::-1]
    signs = np.sign(left[np.argmax(np.abs(left), axis=0), np.arange(len(singular))])
    signs[signs == 0] = 1
    return left * signs, singular, right.T * signs


def _operator(matrix: csr_array, threads: int | None, progress: Progress | None) -> LinearOperator:
    """Products with the matrix and its transpose, each by rows on several threads."""
    from scipy.sparse.linalg import LinearOperator

    def product(rows: csr_array) -> tuple[list[tuple[int, int]], list[csr_array]]:
        lengths = np.diff(rows.indptr).astype(np.uint64)
        share = int(lengths.sum()) // (PARTS_A_THREAD * resolve_threads(threads)) + 1
        blocks = row_blocks(lengths, share, lengths, share)
        return blocks, [rows[first:last] for first, last in blocks]

    def times(blocks: list[tuple[int, int]], parts: list[csr_array], vector: F64) -> F64:
        out = np.empty(blocks[-1][1])

        def work(i: int) -> None:
            first, last = blocks[i]
            out[first:last] = parts[i] @ vector.ravel()

        run_blocks(work, [(i,) for i in range(len(blocks))], threads)
        if progress is not None:
            progress.advance(1)
        return out

    forward, backward = product(matrix), product(matrix.T.tocsr())
    return LinearOperator(
        matrix.shape, matvec=lambda x: times(*forward, x), rmatvec=lambda x: times(*backward, x), dtype=np.float64
    )
