"""Intervals and tests for questions that share word pairs: the unit that is resampled is the pair."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from wordgeo.evaluation.statistics import RESAMPLES, score_end

__all__ = ["PairBootstrap", "Resampled", "holm", "mcnemar"]

NUMBERS_A_BLOCK = 1 << 22

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class PairBootstrap:
    """Bootstrap of means over questions, each of which is made of one or two word pairs of its stratum (section).

    `pairs` int64 [n, 2] are the numbers of each question's pairs, the second -1 where there is one only; `strata`
    int64 [n]; no pair stands in two strata. What a pair contributes to a mean is the sum of its questions' deviations
    from the mean of the stratum, over their number. A resample draws as many pairs of each stratum as there are, with
    replacement, and adds up what they contribute (the linear part of resampling pairs: A. Owen 2007; L. Davezies,
    X. D'Haultfœuille & Y. Guyonvarch 2021). The sums are brought to the variance that is robust to shared pairs: the
    sum, over all questions that share a pair, of the products of their deviations (P. Aronow, C. Samii &
    V. Assenova 2015), times P / (P - 1) for P pairs, and never less than that of independent questions.

    >>> pairs = np.array([[i, j] for i in range(9) for j in range(9) if i != j])
    >>> right = (pairs[:, 1:] < 6).astype(float)
    >>> low, high = PairBootstrap(pairs, np.zeros(len(pairs), dtype=int)).of(right).intervals()[:, 0]
    >>> bool(low < 2 / 3 < high)
    True
    """

    pairs: I64
    strata: I64
    seed: int = 1
    resamples: int = RESAMPLES

    def of(self, values: F64, counted: Bool | None = None) -> Resampled:
        """The resampled means of each column of `values` float64 [n, m], over the questions `counted` bool [n, m].

        All columns see the same resamples. Stratum s draws by the seed [seed, s].
        """
        counted = np.ones(values.shape, dtype=np.bool_) if counted is None else counted
        names, stratum = np.unique(self.strata, return_inverse=True)
        sizes = _sums(stratum, counted, len(names))
        means = _sums(stratum, np.where(counted, values, 0), len(names)) / np.maximum(sizes, 1)
        parts = np.where(counted, values - means[stratum], 0) / np.maximum(sizes, 1)[stratum]
        numbers, places = np.unique(self.pairs, return_inverse=True)
        places = places.reshape(-1, 2)
        skip = int(numbers[:1].tolist() == [-1])  # the place of "no second pair"
        of_pair = np.zeros(len(numbers), dtype=np.int64)
        of_pair[places] = stratum[:, np.newaxis]
        of_pair = of_pair[skip:]
        first, second = places.T
        gained = (_sums(first, parts, len(numbers)) + _sums(second, parts, len(numbers)))[skip:]
        present = (_sums(first, counted, len(numbers)) + _sums(second, counted, len(numbers)))[skip:] > 0
        own = _sums(of_pair, present, len(names))
        # Questions made of the same two pairs were counted with both.
        two = second != skip - 1
        both = np.sort(places[two], axis=1) @ np.array([len(numbers), 1])
        _, at, same = np.unique(both, return_index=True, return_inverse=True)
        twice = _sums(same, parts[two], len(at))
        shared = _sums(of_pair, gained**2, len(names)) - _sums(stratum[two][at], twice**2, len(names))
        variances = np.maximum(_sums(stratum, parts**2, len(names)), shared) * own / np.maximum(own - 1, 1)
        deviations = np.zeros((len(names), self.resamples, values.shape[1]))
        for s, name in enumerate(names.tolist()):
            generator = np.random.default_rng([self.seed, name])
            drawn = _resampled(gained[of_pair == s], self.resamples, generator)
            drawn -= drawn.mean(axis=0)
            spread = drawn.std(axis=0)
            # Where what pairs contribute cancels out, all that is left is chance.
            drawn[:, spread == 0] = generator.standard_normal((self.resamples, 1))
            deviations[s] = drawn * (np.sqrt(variances[s]) / drawn.std(axis=0))
        return Resampled(names, sizes, own, means, variances, deviations)


@dataclasses.dataclass(frozen=True, eq=False)
class Resampled:
    """Means of m columns and how they vary over resamples, for each of S strata.

    `strata` int64 [S]; the rest float64: `questions`, `pairs`, `means`, `variances` [S, m] and `deviations` from the
    mean [S, resamples, m].
    """

    strata: I64
    questions: F64
    pairs: F64
    means: F64
    variances: F64
    deviations: F64

    def size(self, strata: Sequence[int] | None = None) -> list[int]:
        """How many pairs there are in the `strata` (None: in all), for each column."""
        return [int(count) for count in self.pairs[self._chosen(strata)].sum(axis=0)]

    def draws(self, strata: Sequence[int] | None = None) -> F64:
        """Resampled means over all questions of the `strata` (None: of all), float64 [resamples, m]."""
        shares = self._shares(strata)
        means: F64 = (shares * self.means).sum(axis=0) + np.einsum("sm,srm->rm", shares, self.deviations)
        return means

    def intervals(self, level: float = 0.95, strata: Sequence[int] | None = None) -> F64:
        """Ends of the intervals of means of values that are 0 or 1, float64 [2, m]; NaN with fewer than two pairs.

        An end is Wilson's for the effective number of questions p (1 - p) / variance (E. Korn & B. Graubard 1998), in
        which the bootstrap's quantile, in units of its standard deviation, stands for that of the normal distribution,
        widened as Student's t is for the pairs' degrees of freedom (F. Satterthwaite 1946 over strata). Where no
        stratum has both values it is Wilson's interval with one trial for each pair.
        """
        shares = self._shares(strata)
        p = (shares * self.means).sum(axis=0)
        variance = (shares**2 * self.variances).sum(axis=0)
        pairs = self.pairs[self._chosen(strata)].sum(axis=0)
        varies = variance > 0
        trials = np.where(varies, p * (1 - p) / np.where(varies, variance, 1), np.maximum(pairs, 1))
        drawn = self.draws(strata) - p
        drawn /= np.where(varies, drawn.std(axis=0), 1)
        plain, wide = self._critical(level, shares)
        ends = np.where(varies, np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0) * wide / plain,
                        [[-plain], [plain]])  # fmt: skip
        return np.where(pairs >= 2, score_end(p, trials, ends), np.nan)

    def differences(self, level: float = 0.95) -> tuple[F64, F64]:
        """Of means of any values: ends of percentile intervals, widened as in `intervals`, float64 [2, m], and the
        two-sided p-values that a mean is 0, float64 [m]; NaN with fewer than two pairs.
        """
        shares = self._shares(None)
        means = (shares * self.means).sum(axis=0)
        plain, wide = self._critical(level, shares)
        draws = means + (self.draws() - means) * wide / plain
        ends = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
        tail = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0)) + 1
        enough = self.pairs.sum(axis=0) >= 2
        p_values = np.where(enough, np.minimum(1.0, 2 * tail / (len(draws) + 1)), np.nan)
        return np.where(enough, ends, np.nan), p_values

    def _chosen(self, strata: Sequence[int] | None) -> Bool:
        return np.ones(len(self.strata), dtype=np.bool_) if strata is None else np.isin(self.strata, strata)

    def _shares(self, strata: Sequence[int] | None) -> F64:
        """The share of each stratum in the questions, float64 [S, m]."""
        questions = np.where(self._chosen(strata)[:, np.newaxis], self.questions, 0)
        shares: F64 = questions / np.maximum(questions.sum(axis=0), 1)
        return shares

    def _critical(self, level: float, shares: F64) -> tuple[float, F64]:
        """The quantiles at (1 + level) / 2 of the normal distribution and of Student's t, float64 [m]."""
        from scipy import special

        parts = shares**2 * self.variances
        over = (parts**2 / np.maximum(self.pairs - 1, 1)).sum(axis=0)
        freedom = np.divide(parts.sum(axis=0) ** 2, over, out=np.full(len(over), np.inf), where=over > 0)
        top = (1 + level) / 2
        return float(special.ndtri(top)), special.stdtrit(freedom, top)


def _sums(groups: I64, values: F64 | Bool, size: int) -> F64:
    """Sums of the columns of `values` [n, m] by group, float64 [size, m]."""
    return np.stack([np.bincount(groups, column, size) for column in values.T], axis=1)


def _resampled(gained: F64, resamples: int, generator: np.random.Generator) -> F64:
    """Sums over as many draws with replacement as there are rows of `gained` [pairs, m]; float64 [resamples, m]."""
    own = len(gained)
    found = np.empty((resamples, gained.shape[1]))
    rows = max(1, NUMBERS_A_BLOCK // own)
    for begin in range(0, resamples, rows):
        picks = generator.integers(own, size=(min(rows, resamples - begin), own))
        picks += own * np.arange(len(picks))[:, np.newaxis]
        times = np.bincount(picks.ravel(), minlength=picks.size).reshape(picks.shape)
        found[begin : begin + rows] = times.astype(np.float64) @ gained
    return found


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
