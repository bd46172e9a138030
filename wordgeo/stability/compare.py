"""The comparison of two spaces, and what it reports."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.progress import Progress, resolve_progress
from wordgeo.results import Result, Table
from wordgeo.stability.alignment import align, shared_vocabulary
from wordgeo.stability.change import MEASURES, PairChange, change_of, judge
from wordgeo.stability.ensemble import Ensemble
from wordgeo.stability.shape import Isometry, isometry
from wordgeo.validate import choice, number

__all__ = ["ChangeReport", "ShiftTest", "WordChanges", "compare_spaces"]

LISTED = 10  # neighbours that came or went, for each word
WORDS_SHOWN = 20
ENOUGH_PAIRS = 19  # with fewer null pairs than this, chance alone calls words changed in over 5 % of comparisons

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, repr=False, eq=False)
class WordChanges(Result):
    """One entry a word, arrays of one length, the most frequent words first.

    `cosine` and `overlap` are the changes (1 - cosine after alignment; share of neighbours that are others). Against a
    null: `..._effect` is the change beyond that of words of its frequency in this pair and its own, beyond them, in the
    null (`null_p_values`), `..._p` the raw p-values, `..._q` those of Benjamini and Hochberg over all words, and `q`
    that of the measure by which words are called changed. Without a null these are None, and `cosine_within` and
    `overlap_within` the mean changes between runs of the same side, where there are several. `came` and `went` are
    neighbours that only the second or only the first space has among its first ten.
    """

    words: tuple[str, ...]
    counts: npt.NDArray[np.uint64] | None
    cosine: F64
    overlap: F64
    cosine_effect: F64 | None
    overlap_effect: F64 | None
    cosine_p: F64 | None
    overlap_p: F64 | None
    cosine_q: F64 | None
    overlap_q: F64 | None
    q: F64 | None
    cosine_within: F64 | None
    overlap_within: F64 | None
    came: tuple[tuple[str, ...], ...]
    went: tuple[tuple[str, ...], ...]

    def ordered(self) -> npt.NDArray[np.int64]:
        """Places of the words, the most changed first: by q, or without a null by the change beyond that within."""
        beyond = self.cosine_effect
        if beyond is None:
            beyond = self.cosine - (0 if self.cosine_within is None else self.cosine_within)
        return np.lexsort((-beyond, np.zeros(len(self.words)) if self.q is None else self.q))

    def tables(self, rows: npt.NDArray[np.int64] | None = None, title: str = "") -> list[Table]:
        """One row for each word (or for those at `rows`)."""
        rows = np.arange(len(self.words)) if rows is None else rows
        names = ("cosine", "overlap", "cosine_effect", "overlap_effect", "cosine_p", "overlap_p",
                 "cosine_q", "overlap_q",
                 "cosine_within", "overlap_within")  # fmt: skip
        kept = [name for name in names if getattr(self, name) is not None]
        arrays = [getattr(self, name) for name in kept]
        values = [
            (
                self.words[i],
                None if self.counts is None else int(self.counts[i]),
                *(float(array[i]) for array in arrays),
                " ".join(self.came[i]),
                " ".join(self.went[i]),
            )
            for i in rows.tolist()
        ]
        return [Table(("word", "count", *kept, "came", "went"), values, title)]


@dataclass(frozen=True)
class ShiftTest:
    """Whether the two spaces as wholes differ more than null pairs do: mean change, that of null pairs, and p."""

    measure: str
    mean: float
    null_mean: float
    null_low: float
    null_high: float
    p: float


@dataclass(frozen=True, repr=False, eq=False)
class ChangeReport(Result):
    """Which words changed between two spaces.

    `null_pairs` is how many pairs without change it is held against (0: finished models only, so that nothing can be
    called changed, and the run-to-run variation stands beside). `changed` are the words with q ≤ `alpha` by `measure`,
    the least q first, then the largest effect; `comparisons` is the number of p-values that were corrected for.
    `shifts` tests the spaces as wholes, `residual` is that of the alignment.
    """

    first: str
    second: str
    neighbors: int
    shared: int
    null_pairs: int
    runs: tuple[int, int]
    alpha: float
    measure: str
    comparisons: int
    changed: tuple[str, ...]
    shifts: tuple[ShiftTest, ...]
    residual: float
    isometry: Isometry | None
    bands: tuple[str, ...]
    words: WordChanges

    @property
    def verdict(self) -> str:
        """What it comes to, for somebody who has never heard of any of the measures."""
        if not self.null_pairs:
            beside = (
                "What runs of the same side differ by is shown beside."
                if max(self.runs) > 1
                else "Not even the variation between runs is known: give ensembles (train with --runs 5)."
            )
            return (
                "No word can be called changed: these are finished models, and without the corpora there is no null to "
                f"hold the change against (--corpora). {beside}"
            )
        text = (
            f"{len(self.changed)} of {self.shared} words changed more than they do where the same documents are split "
            f"at random ({self.null_pairs} re-splits, false discovery rate {self.alpha:.0%}, {self.comparisons} "
            "comparisons)."
        )
        if self.null_pairs < ENOUGH_PAIRS:
            text += (
                f" {self.null_pairs} re-splits are few: with fewer than {ENOUGH_PAIRS} chance alone may call words "
                "changed in more than 5 % of comparisons."
            )
        return text

    def to_dict(self) -> dict[str, object]:
        """All fields, and the verdict."""
        return {"verdict": self.verdict, **super().to_dict()}

    def tables(self) -> list[Table]:
        """The words that changed most, then the spaces as wholes."""
        rows = self.words.ordered()[: max(WORDS_SHOWN, min(len(self.changed), 200))]
        (words,) = self.words.tables(rows, f"{self.first} → {self.second}: {self.shared} shared words")
        notes = [f"Verdict: {self.verdict}"]
        notes.append(
            f"cosine: 1 - cosine after alignment. overlap: share of {self.neighbors} neighbours that are others."
        )
        if self.null_pairs:
            notes.append(
                "effect: beyond words of its frequency and the word's own change in re-splits. q: Benjamini–Hochberg; "
                f"changed is by {self.measure}."
            )
            least = len(self.bands) / self.null_pairs  # the q of a p that no null value reaches, in bands of one size
            if least > self.alpha:
                notes.append(
                    f"With {self.null_pairs} re-splits a single word cannot have a q below {least:.2g}, only several "
                    f"together; with {len(self.bands) / self.alpha:.0f} it can."
                )
        tables = [Table(words.columns, words.rows, words.title, notes)]
        if self.shifts:
            shifts = [(s.measure, s.mean, s.null_mean, s.null_low, s.null_high, s.p) for s in self.shifts]
            columns = ("mean change", "real", "null mean", "null least", "null greatest", "p")
            tables.append(Table(columns, shifts, "the spaces as wholes"))
        if self.isometry is not None:
            tables += self.isometry.tables()
        return tables


def compare_spaces(
    a: Embeddings | Ensemble,
    b: Embeddings | Ensemble,
    *,
    null: Iterable[tuple[Embeddings, Embeddings]] = (),
    neighbors: int = 50,
    anchors: str = "all",
    center: bool = True,
    measure: str = "cosine",
    alpha: float = 0.05,
    min_count: int | None = None,
    names: tuple[str, str] = ("first", "second"),
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> ChangeReport:
    """Which words changed between two spaces, each a model or an ensemble of runs.

    Change is 1 - cosine after Procrustes alignment (Hamilton, Leskovec & Jurafsky 2016), and the share of the
    `neighbors` nearest shared words that are others, which needs no alignment (Gonen et al. 2020). `null` are pairs of
    models between which nothing changed: trained in the same way on the documents of both sides, re-split at random
    (`wordgeo.compare` makes them). Statistics of the null are pooled within bands of frequency, and a word is changed
    where Benjamini and Hochberg's q over all words, by `measure` ("cosine" or "overlap"), is at most `alpha`.
    `min_count` leaves out words that either side has less often.

    With ensembles and without a null, changes are means over all pairs of a run of one side and a run of the other, and
    those within each side stand beside. Raises `OptionError` for spaces that share too little.
    """
    alpha = number("alpha", alpha, 1e-6, 0.5)
    choice("measure", measure, MEASURES)
    sides = [each if isinstance(each, Ensemble) else Ensemble([each]) for each in (a, b)]
    null = list(null)
    options: dict[str, Any] = {"neighbors": neighbors, "anchors": anchors, "center": center, "threads": threads}
    if null and max(map(len, sides)) > 1:
        raise OptionError("a null is for one model a side; name one run of each ensemble")
    shown = resolve_progress(progress)
    shown.start("comparing spaces", 1 + len(null), "pairs")
    try:
        real = change_of(sides[0][0], sides[1][0], **options)
        shown.advance(1)
        without = []
        for pair in null:
            without.append(_kept(change_of(*pair, **options), min_count))
            shown.advance(1)
    finally:
        shown.finish()
    real = _kept(real, min_count)
    judged = judge(real, without) if without else None
    tests = {} if judged is None else judged.tests
    within = _within(sides, real, options) if not without and max(map(len, sides)) > 1 else None
    if within is not None:
        real = _between(sides, real, options)
    came, went = _exchanged(real)
    changes = WordChanges(
        words=tuple(real.words.words),
        counts=real.words.counts,
        cosine=real.cosine,
        overlap=real.overlap,
        cosine_effect=tests["cosine"].effect if tests else None,
        overlap_effect=tests["overlap"].effect if tests else None,
        cosine_p=tests["cosine"].p if tests else None,
        overlap_p=tests["overlap"].p if tests else None,
        cosine_q=tests["cosine"].q if tests else None,
        overlap_q=tests["overlap"].q if tests else None,
        q=tests[measure].q if tests else None,
        cosine_within=None if within is None else within[0],
        overlap_within=None if within is None else within[1],
        came=came,
        went=went,
    )
    q = changes.q
    called = [] if q is None else [i for i in changes.ordered().tolist() if q[i] <= alpha]
    found = align(sides[0][0], sides[1][0], anchors=anchors, center=center)
    _, rows_a, rows_b = shared_vocabulary(sides[0][0], sides[1][0])
    return ChangeReport(
        first=names[0],
        second=names[1],
        neighbors=neighbors,
        shared=len(real.words),
        null_pairs=len(without),
        runs=(len(sides[0]), len(sides[1])),
        alpha=alpha,
        measure=measure,
        comparisons=len(real.words) if without else 0,
        changed=tuple(real.shared[i] for i in called),
        shifts=tuple(
            ShiftTest(name, test.shift, float(np.mean(test.null_shift)), min(test.null_shift), max(test.null_shift),
                      test.shift_p)
            for name, test in tests.items()
        ),
        residual=real.residual,
        isometry=isometry(found, rows_a, rows_b, most=1000) if len(rows_a) >= 3 else None,
        bands=() if judged is None else judged.bands,
        words=changes,
    )  # fmt: skip


def _kept(found: PairChange, min_count: int | None) -> PairChange:
    """Without the words that either side has less often (neighbours may still be any)."""
    counts = found.shared.counts
    if min_count is None:
        return found
    if counts is None:
        raise OptionError("min_count is for models with counts, and these have none; leave it out")
    n = int((np.asarray(counts) >= np.uint64(min_count)).sum())
    if not n:
        raise OptionError(f"no shared word occurs {min_count} times on both sides; lower min_count")
    return replace(
        found, cosine=found.cosine[:n], overlap=found.overlap[:n], first=found.first[:n], second=found.second[:n]
    )


def _between(sides: Sequence[Ensemble], real: PairChange, options: dict[str, Any]) -> PairChange:
    """Mean changes over all pairs of a run of one side and a run of the other."""
    pairs = [(a, b) for a in sides[0] for b in sides[1]]
    cosine, overlap = _means(real, pairs, options)
    return replace(real, cosine=cosine, overlap=overlap)


def _within(sides: Sequence[Ensemble], real: PairChange, options: dict[str, Any]) -> tuple[F64, F64]:
    """Mean changes over all pairs of runs of the same side."""
    return _means(real, [pair for side in sides for pair in combinations(side, 2)], options)


def _means(
    real: PairChange, pairs: Iterable[tuple[Embeddings, Embeddings]], options: dict[str, Any]
) -> tuple[F64, F64]:
    """Means over pairs of models for the words of `real`, of those pairs that share the word (NaN for none)."""
    words = real.words.words
    found = []
    for pair in pairs:
        change = change_of(*pair, **options)
        rows = change.shared.find(words)
        values = np.stack([change.cosine, change.overlap])[:, np.maximum(rows, 0)]
        found.append(np.where(rows >= 0, values, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of words that no pair shares
        cosine, overlap = np.nanmean(found, axis=0)
    return cosine, overlap


def _exchanged(real: PairChange) -> tuple[tuple[tuple[str, ...], ...], tuple[tuple[str, ...], ...]]:
    """The neighbours that only the second, and only the first space has among its first ten."""
    first, second = real.first[:, :LISTED], real.second[:, :LISTED]
    words = real.shared.words
    in_first = (second[:, :, None] == first[:, None, :]).any(axis=2)
    in_second = (first[:, :, None] == second[:, None, :]).any(axis=2)

    def names(rows: I64, gone: npt.NDArray[np.bool_]) -> tuple[tuple[str, ...], ...]:
        return tuple(tuple(words[i] for i in own[out].tolist()) for own, out in zip(rows, gone, strict=True))

    return names(second, ~in_first), names(first, ~in_second)
