"""Intervals and tests for questions that share word pairs: the unit that is resampled is the pair."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from wordgeo.evaluation.statistics import RESAMPLES, wilson_interval

__all__ = ["PairBootstrap", "holm", "mcnemar"]

NUMBERS_A_BLOCK = 1 << 22

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class PairBootstrap:
    """Bootstrap of a mean over questions, each of which is made of one or two word pairs of its stratum (section).

    `pairs` int64 [n, 2] are the numbers of each question's pairs, the second -1 where there is one only; `strata`
    int64 [n]. A resample draws as many pairs of each stratum as there are, with replacement; a question counts as often
    as the product of its pairs' counts. That product spreads more than it should where questions also vary on their own
    (A. Owen 2007), so the resampled means are drawn together about the mean to the variance that is robust to shared
    pairs: the sum, over all questions that share a pair, of the products of their deviations (P. Aronow, C. Samii &
    V. Assenova 2015), times P / (P - 1) for P pairs, and never less than that of independent questions.

    >>> pairs = np.array([[i, j] for i in range(9) for j in range(9) if i != j])
    >>> bootstrap = PairBootstrap(pairs, np.zeros(len(pairs), dtype=int))
    >>> low, high = bootstrap.interval((pairs[:, 1] < 6).astype(float))
    >>> low < 2 / 3 < high
    True
    """

    pairs: I64
    strata: I64
    seed: int = 1
    resamples: int = RESAMPLES

    def draws(self, values: F64) -> F64:
        """Resampled means of `values` float64 [n], spread as said above, float64 [resamples]."""
        total = np.zeros(self.resamples)
        for stratum in np.unique(self.strata).tolist():
            mine = self.strata == stratum
            generator = np.random.default_rng([self.seed, stratum])
            total += mine.mean() * _means(self.pairs[mine], values[mine], self.resamples, generator)
        return total

    @property
    def size(self) -> int:
        """How many word pairs there are."""
        return len(np.unique(self.pairs[self.pairs >= 0]))

    def interval(self, values: F64, level: float = 0.95) -> tuple[float, float] | None:
        """Percentile interval of the mean of `values`, which are 0 or 1; None with fewer than two pairs.

        Where all values are alike so are the resamples: then it is Wilson's interval with one trial for each pair.
        """
        if self.size < 2:
            return None
        if values.min() == values.max():
            return wilson_interval(int(values[0]) * self.size, self.size, level)
        low, high = np.quantile(self.draws(values), [(1 - level) / 2, (1 + level) / 2])
        return max(0.0, float(low)), min(1.0, float(high))

    def difference(self, values: F64, level: float = 0.95) -> tuple[float, float, float] | None:
        """Interval of a mean difference, and the two-sided p-value that it is 0; None with fewer than two pairs."""
        if self.size < 2:
            return None
        means = self.draws(values)
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        tail = min((means <= 0).sum(), (means >= 0).sum()) + 1
        return float(low), float(high), min(1.0, 2 * float(tail) / (len(means) + 1))


def _means(pairs: I64, values: F64, resamples: int, generator: np.random.Generator) -> F64:
    """Resampled means of one stratum."""
    from scipy import sparse

    numbers, places = np.unique(pairs, return_inverse=True)
    none = 0 if numbers[0] == -1 else len(numbers)  # the place of "no second pair", which always counts once
    own = len(numbers) - (none == 0)
    middle = float(values.mean())
    if own < 2 or values.min() == values.max():
        return np.full(resamples, middle)
    places = places.reshape(-1, 2)
    first, second = places.T
    ones = sparse.csr_array((np.ones(len(values)), (first, second)), shape=(own + 1, own + 1))
    sums = sparse.csr_array((values, (first, second)), shape=(own + 1, own + 1))
    found = []
    rows = max(1, NUMBERS_A_BLOCK // own)
    for begin in range(0, resamples, rows):
        drawn = generator.multinomial(own, np.full(own, 1 / own), size=min(rows, resamples - begin))
        counts = np.insert(drawn, none, 1, axis=1).astype(np.float64)
        total, summed = ((counts * (counts @ table)).sum(axis=1) for table in (ones, sums))
        # A resample that happens to hold no question says nothing.
        found.append(np.divide(summed, total, out=np.full(len(counts), middle), where=total > 0))
    means = np.concatenate(found)
    spread = float(means.var())
    if spread == 0:
        return means
    scale = np.sqrt(_variance(places, (values - middle) / len(values), none) * own / (own - 1) / spread)
    centred: F64 = middle + scale * (means - means.mean())
    return centred


def _variance(places: I64, deviations: F64, none: int) -> float:
    """The variance of the sum of `deviations` where questions that share a pair depend on each other."""
    size = int(places.max()) + 2
    by_pair = np.bincount(places.ravel(), weights=np.repeat(deviations, 2), minlength=size)
    by_pair[none] = 0
    # Questions made of the same two pairs were counted with both.
    low, high = places.min(axis=1), places.max(axis=1)
    two = (low != none) & (high != none)
    _, same = np.unique(low[two] * size + high[two], return_inverse=True)
    both = np.bincount(same, weights=deviations[two])
    return max(float((deviations**2).sum()), float((by_pair**2).sum() - (both**2).sum()))


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value that both answer equally well, from the questions that one only answered right.

    Reference: Q. McNemar 1947.

    >>> round(mcnemar(10, 2), 4)
    0.0386
    """
    from scipy import stats

    n = only_first + only_second
    return float(stats.binomtest(only_first, n).pvalue) if n else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several, in their order (S. Holm 1979).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    raised = accumulate((min(1.0, (len(order) - i) * p_values[at]) for i, at in enumerate(order)), max)
    adjusted = dict(zip(order, raised, strict=True))
    return [adjusted[i] for i in range(len(p_values))]
