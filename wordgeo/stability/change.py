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
from wordgeo.stability.intervals import FrequencyBands, frequency_bands
from wordgeo.stability.lists import nearest
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["PairChange", "benjamini_hochberg", "change_of", "null_p_values"]

NULLS_A_BAND = 50  # bands with fewer words than this are joined to the next
MEASURES = ("cosine", "overlap")

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

    `expected` is the median of the null in the band of each word, `effect` the change less that (both shifted by the
    pair's own median of the band, see `null_p_values`), `p` the raw p-values, all float64 [words]; `shift` is the mean
    change of the pair, `null_shift` that of each null pair, `shift_p` the share of pairs with as large a one.
    """

    expected: F64
    effect: F64
    p: F64
    shift: float
    null_shift: tuple[float, ...]
    shift_p: float


def null_p_values(real: F64, bands: I64, null: Sequence[tuple[F64, I64]]) -> NullTest:
    """p-values of the change of words against pairs of spaces without change, pooled within bands of frequency.

    `real` float64 [words] with `bands` int64 [words]; `null` holds the same for each null pair. Of every pair, real or
    null, the median of a band is taken from the changes in it: a pair may be noisier as a whole, which says nothing of
    a word (it is tested apart, as `shift`). Then p = (1 + #{null of the band ≥ real}) / (1 + #null of the band).
    """
    centred, medians = _centred(real, bands)
    of_null = [_centred(values, own) for values, own in null]
    p = np.empty(len(real))
    expected = np.empty(len(real))
    for band in np.unique(bands).tolist():
        pooled = np.sort(
            np.concatenate([values[own == band] for (values, _), (_, own) in zip(of_null, null, strict=True)])
        )
        mine = bands == band
        as_large = len(pooled) - np.searchsorted(pooled, centred[mine], side="left")
        p[mine] = (1 + as_large) / (1 + len(pooled))
        levels = [found[band] for _, found in of_null if band in found]
        expected[mine] = float(np.median(levels)) if levels else medians[band]
    shifts = tuple(float(values.mean()) for values, _ in null)
    shift = float(real.mean())
    beyond = sum(other >= shift for other in shifts)
    return NullTest(expected, centred, p, shift, shifts, (1 + beyond) / (1 + len(shifts)))


def _centred(values: F64, bands: I64) -> tuple[F64, dict[int, float]]:
    medians = {band: float(np.median(values[bands == band])) for band in np.unique(bands).tolist()}
    return values - np.array([medians[band] for band in bands.tolist()]), medians


def joined_bands(real: Vocabulary, null: Iterable[Vocabulary]) -> tuple[FrequencyBands, list[I64]]:
    """Bands of the words of the real pair and of each null pair, wide enough that every one has words in the null.

    By the lesser count of a word in the two spaces, or by rank where counts are unknown.
    """
    null = list(null)
    vocabularies = [real, *null]
    every = [np.arange(len(v)) + 1 if v.counts is None else np.asarray(v.counts).astype(np.int64) for v in vocabularies]
    joined = frequency_bands(np.concatenate(every).astype(np.uint64), np.arange(sum(map(len, every))))
    cuts = np.cumsum([len(numbers) for numbers in every])[:-1]
    of = np.split(joined.of, cuts)
    target = np.arange(len(joined.names))
    # Each real pair's word needs null words beside it: bands too small on either side go with the one below.
    counts = np.minimum(
        sum((np.bincount(own, minlength=len(target)) for own in of[1:]), np.zeros(len(target), dtype=np.int64)),
        np.bincount(of[0], minlength=len(target)) * max(len(null), 1),
    )
    for band in range(len(target) - 1, 0, -1):
        if counts[band] < NULLS_A_BAND:
            target[target == band] = band - 1
            counts[band - 1] += counts[band]
    if len(target) > 1 and counts[0] < NULLS_A_BAND:
        nxt = next((band for band in range(1, len(target)) if target[band] == band), 0)
        target[target == 0] = nxt
    names = []
    for band in range(len(target)):
        members = [joined.names[i] for i in np.flatnonzero(target == band)]
        names.append(_span(members))
    by = "rank" if real.counts is None else "count"
    return FrequencyBands(by, tuple(names), target[of[0]]), [target[own] for own in of[1:]]


def _span(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    first, last = names[0].partition("–")[0].rstrip("+"), names[-1].rpartition("–")[2]
    return (
        last
        if last.endswith("+") and first == last.rstrip("+")
        else (f"{first}+" if "+" in last else f"{first}–{last}")
    )


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
