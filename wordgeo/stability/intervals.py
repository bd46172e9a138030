"""Intervals of what is averaged over pairs of models and over words, and the bands of frequency that words fall in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo import _lists
from wordgeo.threads import product, run_blocks

__all__ = ["LEAST_MODELS", "FrequencyBands", "frequency_bands", "jackknife", "members", "word_bootstrap"]

LEAST_MODELS = 5  # a spread from fewer is no estimate
RESAMPLES = 2000
DRAWS_AT_ONCE = 1 << 17

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


def members(pairs: Sequence[tuple[int, int]], models: int) -> F64:
    """Which models are in which pairs, 0 or 1: float64 [pairs, models]. Values of pairs @ it are sums for each model.

    >>> members([(0, 1), (0, 2), (1, 2)], 3).tolist()
    [[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]
    """
    return (np.array(pairs)[:, :, None] == np.arange(models)).any(axis=1).astype(np.float64)


def jackknife(total: F64, of_model: F64, level: float = 0.95) -> tuple[F64, F64] | None:
    """Interval of a mean over all pairs of M models, by leaving out one model at a time; None for M < 5.

    `total` [...] is the sum over all M(M-1)/2 pairs, `of_model` [..., M] that over the pairs in which each model is.
    With θ_m the mean without model m, the variance is (M-1)/M Σ (θ_m - θ̄)², and the ends are t quantiles of M - 1
    degrees of freedom from the mean (Tukey 1958; Arvesen 1969 for means over pairs). A bootstrap over so few models
    would be far too narrow.

    >>> import numpy as np
    >>> values = np.array([[0, 0.5, 0.6, 0.5, 0.7], [0.5, 0, 0.4, 0.5, 0.6], [0.6, 0.4, 0, 0.5, 0.6],
    ...                    [0.5, 0.5, 0.5, 0, 0.6], [0.7, 0.6, 0.6, 0.6, 0]])
    >>> low, high = jackknife(values.sum() / 2, values.sum(axis=1))
    >>> f"{low:.3f} {high:.3f}"
    '0.384 0.716'
    """
    from scipy.special import stdtrit  # scipy.stats takes most of a second to import

    models = of_model.shape[-1]
    if models < LEAST_MODELS:
        return None
    mean = total / (models * (models - 1) / 2)
    without = (np.expand_dims(total, -1) - of_model) / ((models - 1) * (models - 2) / 2)
    spread = ((without - without.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) * (models - 1) / models
    half = stdtrit(models - 1, (1 + level) / 2) * np.sqrt(spread)
    return mean - half, mean + half


def word_bootstrap(
    values: F64, *, level: float = 0.95, seed: int = 1, threads: int | None = None
) -> tuple[F64, F64] | None:
    """Percentile interval of means over words: values [words, measures], ends [measures]; None for fewer than 2 words.

    It says how far the mean would be another one with other words of the same kind, the models being these.
    """
    words = len(values)
    if words < 2:
        return None
    means = np.empty((RESAMPLES, values.shape[1]))
    size = max(1, DRAWS_AT_ONCE // words)
    by_measure = np.ascontiguousarray(values.T)

    def resample(begin: int) -> None:
        block = means[begin : begin + size]
        draws = np.random.PCG64([seed, begin])  # its own, so that threads change nothing
        counts = np.empty((len(block), words))
        _lists.count_draws(draws.random_raw((len(block), (words + 1) // 2)), counts)
        block[:] = product(counts, by_measure)

    run_blocks(resample, [(begin,) for begin in range(0, RESAMPLES, size)], threads)
    low, high = np.quantile(means / words, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


@dataclass(frozen=True, eq=False)
class FrequencyBands:
    """`of` int64 [words] is the band of each word, from 0 (the rarest); `names` say what a band holds.

    `by` is "count" or, where no counts are known, "rank".
    """

    by: str
    names: tuple[str, ...]
    of: I64


def frequency_bands(counts: npt.NDArray[np.uint64] | None, rows: I64) -> FrequencyBands:
    """Bands of counts 1, 3, 10, 30, ... for words with these rows; of ranks where `counts` is None."""
    numbers = rows + 1 if counts is None else np.asarray(counts)[rows].astype(np.int64)
    most = int(numbers.max(initial=1))
    edges = [edge for power in range(19) for edge in (10**power, 3 * 10**power) if edge <= most]
    place = np.maximum(np.searchsorted(edges, numbers, side="right") - 1, 0)
    used = np.unique(place)
    by = "rank" if counts is None else "count"
    if counts is None:
        used = used[::-1]  # the rarest words first, as with counts
    band = np.zeros(len(edges), dtype=np.int64)
    band[used] = np.arange(len(used))
    names = []
    for i in used.tolist():
        names.append(f"{edges[i]}–{edges[i + 1] - 1}" if i + 1 < len(edges) else f"{edges[i]}+")
    return FrequencyBands(by, tuple(names), band[place])
