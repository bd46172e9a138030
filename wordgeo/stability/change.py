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
from wordgeo.stability.lists import nearest
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["Judgement", "PairChange", "benjamini_hochberg", "change_of", "joined_bands", "judge", "null_p_values"]

WORDS_A_BAND, MOST_BANDS = 150, 8
MEASURES = ("cosine", "overlap")
TIE_BREAK = 1e-6
TRIMMED = 0.25  # of each end, where the level of a pair is taken

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
    lists = [nearest(model, shared, everything, neighbors, threads)[0] for model in (a, b)]
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

    `effect` is the change of each word less the level of its band in the pair, see `null_p_values`, `expected` that
    level in the null (median over pairs), `p` the raw p-values and `q` those of Benjamini and Hochberg, all float64
    [words]; `shift` is the mean change of the pair, `null_shift` that of each null pair, `shift_p` the share of pairs
    with as large a one.
    """

    expected: F64
    effect: F64
    p: F64
    q: F64
    shift: float
    null_shift: tuple[float, ...]
    shift_p: float


def null_p_values(real: F64, bands: I64, null: Sequence[tuple[F64, I64]], *, center: bool = True) -> NullTest:
    """p-values of the change of words against pairs of spaces without change, pooled within bands of frequency.

    `real` float64 [words] with `bands` int64 [words]; `null` holds the same for each null pair. With `center`, the
    changes in each band of every pair, real or null, are taken less their level, the mean of the middle half: a pair
    may be noisier as a whole, which says nothing of a word (it is tested apart, as `shift`). Then p = (1 + #{null of
    the band ≥ real}) / (1 + #null of the band).
    """
    effect, own_levels = _centred(real, bands)
    of_null = [_centred(values, own) for values, own in null]
    tested = effect if center else real
    p = np.empty(len(real))
    expected = np.empty(len(real))
    for band in np.unique(bands).tolist():
        parts = [
            (values if center else raw)[own == band] for (values, _), (raw, own) in zip(of_null, null, strict=True)
        ]
        pooled = np.sort(np.concatenate(parts))
        mine = bands == band
        as_large = len(pooled) - np.searchsorted(pooled, tested[mine], side="left")
        p[mine] = (1 + as_large) / (1 + len(pooled))
        levels = [found[band] for _, found in of_null if band in found]
        expected[mine] = float(np.median(levels)) if levels else own_levels[band]
    shifts = tuple(float(values.mean()) for values, _ in null)
    shift = float(real.mean())
    beyond = sum(other >= shift for other in shifts)
    return NullTest(expected, effect, p, benjamini_hochberg(p), shift, shifts, (1 + beyond) / (1 + len(shifts)))


@dataclass(frozen=True, eq=False)
class Judgement:
    """The test of each measure, and the bands of frequency."""

    tests: dict[str, NullTest]
    bands: tuple[str, ...]


def judge(real: PairChange, null: Sequence[PairChange]) -> Judgement:
    """Holds the change of one pair against pairs without change."""
    bands, of_null = joined_bands(real.words, [each.words for each in null])
    tests = {
        name: null_p_values(
            _statistic(real, name),
            bands.of,
            [(_statistic(each, name), own) for each, own in zip(null, of_null, strict=True)],
            center=name == "cosine",
        )
        for name in MEASURES
    }
    return Judgement(tests, tuple(name for name in bands.names if name))


def _statistic(found: PairChange, name: str) -> F64:
    """Overlaps are fractions, and often 0 or 1: where they tie the cosine decides, and no level is taken from them."""
    values: F64 = getattr(found, name)
    return values + TIE_BREAK * found.cosine if name == "overlap" else values


def _centred(values: F64, bands: I64) -> tuple[F64, dict[int, float]]:
    from scipy import stats

    levels = {band: float(stats.trim_mean(values[bands == band], TRIMMED)) for band in np.unique(bands).tolist()}
    return values - np.array([levels[band] for band in bands.tolist()]), levels


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
