"""Intervals of proportions and correlations."""

from __future__ import annotations

import dataclasses
import math
import warnings
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "RESAMPLES",
    "Correlation",
    "SpearmanDifference",
    "bootstrap_intervals",
    "correlations",
    "difference_of_spearman",
    "score_end",
    "spearman",
    "wilson_interval",
]

RESAMPLES = 2000
NUMBERS_A_BLOCK = 1 << 20

Numbers = Any  # a number, or an array of them


def wilson_interval(successes: int, trials: int, level: float = 0.95) -> tuple[float, float] | None:
    """The Wilson score interval of a proportion (without continuity correction); None where there are no trials.

    With p = successes / trials and z the normal quantile at (1 + level) / 2, its ends are
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    Reference: E. B. Wilson 1927; R. G. Newcombe 1998.

    >>> low, high = wilson_interval(81, 263)
    >>> f"{low:.4f} {high:.4f}"
    '0.2553 0.3662'
    """
    if trials == 0:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    low, high = (float(score_end(successes / trials, trials, q)) for q in (-z, z))
    return low, high


def score_end(p: Numbers, trials: Numbers, quantile: Numbers) -> Numbers:
    """The end of Wilson's interval of a share p of `trials` that belongs to a quantile, negative for the lower end.

    (p + q²/2n + q √(p(1-p)/n + q²/4n²)) / (1 + q²/n). Numbers or arrays that go together.
    """
    square = quantile * quantile / trials
    end = (p + square / 2 + quantile * np.sqrt(p * (1 - p) / trials + square / (4 * trials))) / (1 + square)
    # Without successes (or failures) the end is 0 (or 1) exactly, which rounding would miss.
    sure = ((p == 0) & (quantile < 0)) | ((p == 1) & (quantile > 0))
    return np.where(sure, p, np.clip(end, 0.0, 1.0))


@dataclasses.dataclass(frozen=True)
class Correlation:
    """A coefficient, its two-sided p-value, and its interval; None where it is not defined."""

    value: float | None
    p_value: float | None
    low: float | None
    high: float | None


def correlations(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], *, level: float = 0.95, seed: int = 1
) -> tuple[Correlation, Correlation]:
    """Spearman's and Pearson's coefficient of paired values (each float64 [n]), with bootstrap intervals.

    Values and p-values are SciPy's (the p-values assume independent pairs). A coefficient is None for fewer than two
    pairs or values that are all the same; an interval is None for fewer than three pairs.
    """
    from scipy import stats

    if len(x) < 2:
        return Correlation(None, None, None, None), Correlation(None, None, None, None)
    intervals = bootstrap_intervals(x, y, level=level, seed=seed)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        warnings.simplefilter("ignore", stats.NearConstantInputWarning)
        for measure, interval in zip((stats.spearmanr, stats.pearsonr), intervals, strict=True):
            value, p_value = (float(number) for number in measure(x, y))
            defined = math.isfinite(value)
            low, high = interval if defined and interval else (None, None)
            found.append(
                Correlation(value if defined else None, p_value if math.isfinite(p_value) else None, low, high)
            )
    return found[0], found[1]


def spearman(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float | None:
    """Spearman's coefficient of paired values (each float64 [n]); None where it is not defined, as in `correlations`.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    0.5
    """
    if len(x) < 2:
        return None
    codes = [np.unique(values, return_inverse=True)[1][np.newaxis] for values in (x, y)]
    value = float(_pearson_by_row(*(_ranks(code, int(code.max()) + 1) for code in codes))[0])
    return value if math.isfinite(value) else None


def bootstrap_intervals(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    *,
    level: float = 0.95,
    seed: int = 1,
    resamples: int = RESAMPLES,
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Percentile bootstrap intervals of Spearman's and Pearson's coefficient: pairs are drawn with replacement.

    Both come from the same resamples. Ranks are made anew in each resample, ties at their middle rank. Resamples in
    which a side has one value only have no coefficient and are left out. None for fewer than three pairs.

    Reference: B. Efron & R. Tibshirani 1993, chapter 13.
    """
    n = len(x)
    if n < 3:
        return None, None
    generator = np.random.default_rng(seed)
    distinct_x, code_x = np.unique(x, return_inverse=True)
    distinct_y, code_y = np.unique(y, return_inverse=True)
    drawn: list[list[npt.NDArray[np.float64]]] = [[], []]
    rows = max(1, NUMBERS_A_BLOCK // n)
    for begin in range(0, resamples, rows):
        pick = generator.integers(n, size=(min(rows, resamples - begin), n))
        ranks = _ranks(code_x[pick], len(distinct_x)), _ranks(code_y[pick], len(distinct_y))
        drawn[0].append(_pearson_by_row(*ranks))
        drawn[1].append(_pearson_by_row(x[pick], y[pick]))
    ends = [(1 - level) / 2, (1 + level) / 2]
    intervals: list[tuple[float, float] | None] = []
    for parts in drawn:
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        intervals.append((float((q := np.quantile(values, ends))[0]), float(q[1])) if len(values) else None)
    return intervals[0], intervals[1]


@dataclasses.dataclass(frozen=True)
class SpearmanDifference:
    """Two coefficients with the same judgements, and the interval and p-value of second minus first."""

    first: float
    second: float
    low: float
    high: float
    p_value: float


def difference_of_spearman(
    judged: npt.NDArray[np.float64],
    first: npt.NDArray[np.float64],
    second: npt.NDArray[np.float64],
    *,
    level: float = 0.95,
    seed: int = 1,
    resamples: int = RESAMPLES,
) -> SpearmanDifference | None:
    """Paired percentile bootstrap: both coefficients come from the same resampled pairs; each float64 [n].

    None for fewer than three pairs, or where a coefficient is not defined.
    """
    n = len(judged)
    if n < 3:
        return None
    codes = [np.unique(values, return_inverse=True)[1] for values in (judged, first, second)]
    if any(code.max() == 0 for code in codes):
        return None
    sizes = [int(code.max()) + 1 for code in codes]
    generator = np.random.default_rng(seed)

    def coefficients(pick: npt.NDArray[np.int64]) -> list[npt.NDArray[np.float64]]:
        ranks = [_ranks(code[pick], size) for code, size in zip(codes, sizes, strict=True)]
        return [_pearson_by_row(ranks[0], other) for other in ranks[1:]]

    drawn = []
    rows = max(1, NUMBERS_A_BLOCK // n)
    for begin in range(0, resamples, rows):
        one, other = coefficients(generator.integers(n, size=(min(rows, resamples - begin), n)))
        drawn.append(other - one)
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    whole = [float(found[0]) for found in coefficients(np.arange(n)[np.newaxis])]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    tail = min((values <= 0).sum(), (values >= 0).sum()) + 1
    p_value = min(1.0, 2 * float(tail) / (len(values) + 1))
    return SpearmanDifference(whole[0], whole[1], float(low), float(high), p_value)


def _ranks(codes: npt.NDArray[np.int64], distinct: int) -> npt.NDArray[np.float64]:
    """Middle ranks within each row of `codes` (int64 [resamples, n], numbers of sorted distinct values).

    How often each value was drawn tells where its ranks end, so nothing is sorted.
    """
    rows = len(codes)
    offsets = np.arange(rows)[:, np.newaxis] * distinct
    counts = np.bincount((codes + offsets).ravel(), minlength=rows * distinct).reshape(rows, distinct)
    middle = np.cumsum(counts, axis=1) - (counts - 1) / 2
    return np.take_along_axis(middle, codes, axis=1)


def _pearson_by_row(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Pearson's coefficient of each row, float64 [rows]; NaN where a row has one value only."""
    constant = (x == x[:, :1]).all(axis=1) | (y == y[:, :1]).all(axis=1)
    x = x - x.mean(axis=1, keepdims=True)
    y = y - y.mean(axis=1, keepdims=True)
    spread = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.divide((x * y).sum(axis=1), spread, out=np.full(len(x), np.nan), where=~constant & (spread > 0))
