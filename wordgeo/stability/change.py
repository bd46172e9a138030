"""`compare`: which words changed from one space to another, held against a null in which nothing changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.query.graph import overlaps
from wordgeo.stability.alignment import align, shared_vocabulary
from wordgeo.stability.intervals import FrequencyBands
from wordgeo.stability.lists import nearest_in_each
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = [
    "Judgement",
    "PairChange",
    "PairValues",
    "benjamini_hochberg",
    "change_of",
    "joined_bands",
    "judge",
    "null_p_values",
]

WORDS_A_BAND, MOST_BANDS = 150, 8
MEASURES = ("cosine", "overlap")
TIE_BREAK = 1e-6
TRIMMED = 0.25  # of each end, where the level of a band is taken
SPREAD = (0.1, 0.9)  # quantiles whose distance is the spread of a band
PRIOR_PAIRS = 4  # in which a word's deviation is taken to have been that of its band
TINY = 1e-24

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairChange:
    """The change of each word that two spaces share, most frequent first (by the lesser of its two counts).

    `shared` are all words that both have, of which the first are measured: `words`. `cosine` is 1 - cos after
    alignment, `overlap` 1 - |N_a ∩ N_b| / n over the n nearest shared words, float64 [words]; `first` and `second`
    int64 [words, n] are these neighbours, `residual` that of the alignment.
    """

    shared: Vocabulary
    cosine: F64
    overlap: F64
    first: I64
    second: I64
    residual: float

    @property
    def words(self) -> Vocabulary:
        """The words that are measured."""
        return self.shared.head(len(self.cosine))


def change_of(
    a: Embeddings,
    b: Embeddings,
    *,
    neighbors: int = 50,
    anchors: str = "all",
    center: bool = True,
    threads: int | None = None,
) -> PairChange:
    """Aligns `a` to `b` and measures the change of every word they share, by both measures."""
    found = align(a, b, anchors=anchors, center=center)
    shared, rows_a, rows_b = shared_vocabulary(a, b)
    neighbors = whole_number("neighbors", neighbors, 1)
    if neighbors >= len(shared):
        raise OptionError(f"neighbors is {neighbors}; the models share {len(shared)} words, so give less than that")
    left, right = found.source.vectors[rows_a].astype(np.float64), found.target.vectors[rows_b].astype(np.float64)
    everything = np.arange(len(shared))
    lists = [found.rows for found in nearest_in_each((a, b), shared, everything, neighbors, threads)]
    return PairChange(
        shared=shared,
        cosine=1 - (left * right).sum(axis=1),
        overlap=1 - overlaps(lists, threads=threads).overlap[:, 0],
        first=lists[0],
        second=lists[1],
        residual=found.residual,
    )


@dataclass(frozen=True, eq=False)
class NullTest:
    """What a null says of one measure of the real pair.

    `effect` is the change of each word beyond what it would be without change, see `null_p_values`, `p` the raw
    p-values and `q` those of Benjamini and Hochberg, all float64 [words]; `shift` is the mean change of the pair,
    `null_shift` that of each null pair, `shift_p` the share of pairs with as large a one.
    """

    effect: F64
    p: F64
    q: F64
    shift: float
    null_shift: tuple[float, ...]
    shift_p: float


@dataclass(frozen=True, eq=False)
class PairValues:
    """A measure of one pair: its words' changes, float64 [words], and their bands of frequency there, int64 [words].

    `rows` int64 [words of the real pair] are the places of those words in a null pair, -1 where it lacks them.
    """

    values: F64
    bands: I64
    rows: I64


def null_p_values(real: F64, bands: I64, null: Sequence[PairValues]) -> NullTest:
    """p-values of the change of words against pairs of spaces without change, pooled within bands of frequency.

    `real` float64 [words] with `bands` int64 [words]. Two things are taken from the change of a word in a pair first,
    the real one or a null one. The level of words of its frequency there, over their spread (the mean of the middle
    half, and the distance of the first and last tenth): a pair may be noisier as a whole, which says nothing of a word
    (it is tested apart, as `shift`), and a word rarer. Then the word's own mean in all *other* pairs, over its
    deviation there: names change with every split of novels, and `the` with none. Deviations of few pairs are held
    together by that of their band, as if it had been seen in 4 more. What remains, t, is the same for real and null
    pairs where nothing changed, and p = (1 + #{null t of the band ≥ t}) / (1 + #null t of the band).

    `effect` is the change less its expectation: the level of its band in the pair, and its own mean in the null.
    """
    level, spread = _of_bands(real, bands)
    table = np.full((1 + len(null), len(real)), np.nan)
    table[0] = (real - level) / spread
    for i, pair in enumerate(null, start=1):
        there, (of_pair, width) = pair.rows >= 0, _of_bands(pair.values, pair.bands)
        table[i, there] = ((pair.values - of_pair) / width)[pair.rows[there]]
    t = _beyond_own(table, bands)
    p = np.empty(len(real))
    for band in np.unique(bands).tolist():
        mine = bands == band
        pooled = t[1:, mine].ravel()
        pooled = np.sort(pooled[~np.isnan(pooled)])
        as_large = len(pooled) - np.searchsorted(pooled, t[0, mine], side="left")
        p[mine] = (1 + as_large) / (1 + len(pooled))
    own = np.nan_to_num(table[1:]).sum(axis=0) / np.maximum((~np.isnan(table[1:])).sum(axis=0), 1)
    shifts = tuple(float(pair.values.mean()) for pair in null)
    shift = float(real.mean())
    beyond = sum(other >= shift for other in shifts)
    return NullTest(
        real - level - spread * own, p, benjamini_hochberg(p), shift, shifts, (1 + beyond) / (1 + len(shifts))
    )


def _of_bands(values: F64, bands: I64) -> tuple[F64, F64]:
    """Level and spread of its band for each value."""
    from scipy import stats

    level, spread = np.empty(len(values)), np.empty(len(values))
    for band in np.unique(bands).tolist():
        mine = bands == band
        level[mine] = stats.trim_mean(values[mine], TRIMMED)
        first, last = np.quantile(values[mine], SPREAD)
        spread[mine] = last - first if last > first else 1.0
    return level, spread


def _beyond_own(table: F64, bands: I64) -> F64:
    """How far each value [pairs, words] is from the mean of its word in the other pairs, in deviations of it."""
    known = ~np.isnan(table)
    filled = np.where(known, table, 0)
    count, total, squares = known.sum(axis=0), filled.sum(axis=0), (filled**2).sum(axis=0)
    t = np.full_like(table, np.nan)
    for i, row in enumerate(filled):
        others = count - known[i]
        mean = (total - row) / np.maximum(others, 1)
        rest = np.maximum(squares - row**2 - others * mean**2, 0)
        degrees = np.maximum(others - 1, 0)
        usual = np.ones(len(row))
        for band in np.unique(bands).tolist():
            mine = bands == band
            if (several := mine & (degrees > 0)).any():
                usual[mine] = np.median(rest[several] / degrees[several])
        variance = (PRIOR_PAIRS * usual + rest) / (PRIOR_PAIRS + degrees) * (1 + 1 / np.maximum(others, 1))
        t[i] = np.where(known[i], (row - mean) / np.sqrt(np.maximum(variance, TINY)), np.nan)
    return t


@dataclass(frozen=True, eq=False)
class Judgement:
    """The test of each measure, and the bands of frequency."""

    tests: dict[str, NullTest]
    bands: tuple[str, ...]


def judge(real: PairChange, null: Sequence[PairChange]) -> Judgement:
    """Holds the change of one pair against pairs without change."""
    words = real.words
    bands, of_null = joined_bands(words, [each.words for each in null])
    rows = [each.words.find(words.words) for each in null]
    tests = {
        name: null_p_values(
            _statistic(real, name),
            bands.of,
            [PairValues(_statistic(each, name), *more) for each, *more in zip(null, of_null, rows, strict=True)],
        )
        for name in MEASURES
    }
    return Judgement(tests, tuple(name for name in bands.names if name))


def _statistic(found: PairChange, name: str) -> F64:
    """Overlaps are fractions, and often 0 or 1: where they tie the cosine decides."""
    values: F64 = getattr(found, name)
    return values + TIE_BREAK * found.cosine if name == "overlap" else values


def joined_bands(real: Vocabulary, null: Iterable[Vocabulary]) -> tuple[FrequencyBands, list[I64]]:
    """Bands of the words of the real pair, and of those of each null pair: about as many words of the real in each.

    By the lesser count of a word in the two spaces, or by rank where counts are unknown. Bands are narrow where words
    are many, as a p-value from the null of a narrow band is right for its words; and few, as it cannot be smaller than
    one over the words there.
    """
    numbers, *others = (
        np.arange(len(v)) + 1 if v.counts is None else np.asarray(v.counts).astype(np.int64) for v in (real, *null)
    )
    bands = min(max(len(numbers) // WORDS_A_BAND, 1), MOST_BANDS)
    cuts = np.unique(np.quantile(numbers, np.arange(1, bands) / bands, method="higher"))
    cuts = cuts[cuts > numbers.min()]
    of = [np.searchsorted(cuts, each, side="right") for each in (numbers, *others)]
    # Every band needs words of the null: one without goes with its neighbour.
    filled = np.unique(np.concatenate(of[1:])) if others else np.arange(len(cuts) + 1)
    target = filled[np.minimum(np.searchsorted(filled, np.arange(len(cuts) + 1)), len(filled) - 1)]
    names = []
    for band in range(len(cuts) + 1):
        mine = numbers[target[of[0]] == band]
        names.append(f"{mine.min()}–{mine.max()}" if len(mine) else "")
    by = "rank" if real.counts is None else "count"
    return FrequencyBands(by, tuple(names), target[of[0]]), [target[each] for each in of[1:]]


def benjamini_hochberg(p: F64) -> F64:
    """q-values: the least false discovery rate at which each test would be called (Benjamini & Hochberg 1995).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1)
    return q
