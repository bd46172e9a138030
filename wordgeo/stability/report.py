"""What `stability` reports: frozen results whose field names are those of the JSON."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo.results import Result, Table
from wordgeo.stability.enough import RunsNeeded
from wordgeo.stability.intervals import LEAST_MODELS

__all__ = ["BandStability", "CurvePoint", "Estimate", "SpacePair", "StabilityReport", "WordStability"]

F64 = npt.NDArray[np.float64]
WORDS_SHOWN = 10
WORTH_SAYING = 0.05  # of a difference between bands
NAMES = {
    "overlap": "overlap", "jaccard": "Jaccard", "rbo": "rank-biased overlap", "second_order": "second-order similarity",
    "joint_overlap": "in all models (joint overlap)", "joint_jaccard": "joint Jaccard",
    "eigenspace": "eigenspace instability", "knn": "k-NN measure (k = 5)", "pip": "PIP loss",
    "pip_relative": "relative PIP loss",
}  # fmt: skip
# From which overlap on which advice holds. Rules of thumb, for k = 10 and spaces of thousands of words.
ADVICE = (
    (0.8, "Neighbour lists of one model can be trusted."),
    (0.6, "Most neighbours of one model can be trusted, but not each: look at the share of runs of those that matter."),
    (0.3, "A neighbour from one model alone is no evidence: report those that most runs share."),
    (0.0, "Neighbours differ more than they agree: train on more text, longer, or ask only about frequent words."),
)


@dataclass(frozen=True)
class Estimate:
    """A mean over words (of a mean over pairs of models), with its two kinds of interval.

    `low` to `high` says how far it would be another one with other models (None where a joint measure or fewer than 5
    models have none), `word_low` to `word_high` with other words. `chance` is what random vectors would give.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    word_low: float | None
    word_high: float | None
    chance: float | None


@dataclass(frozen=True)
class BandStability:
    """Words of like frequency: `name` is the range of counts (or ranks), `words` how many they are."""

    name: str
    words: int
    estimates: tuple[Estimate, ...]

    @property
    def overlap(self) -> Estimate:
        """The estimate of overlap."""
        return self.estimates[0]


@dataclass(frozen=True)
class CurvePoint:
    """Means over words at another k."""

    k: int
    overlap: float
    rbo: float
    joint_overlap: float
    chance: float


@dataclass(frozen=True)
class SpacePair:
    """Distances of two whole spaces over `words` words, and the overlap of 5 neighbours (the k-NN measure)."""

    first: int
    second: int
    words: int
    eigenspace: float
    knn: float
    pip: float
    pip_relative: float


@dataclass(frozen=True, repr=False, eq=False)
class WordStability(Result):
    """The measures of each word, arrays of one length; `low` to `high` is the interval of overlap over models."""

    words: tuple[str, ...]
    ranks: npt.NDArray[np.int64]
    counts: npt.NDArray[np.uint64] | None
    band: tuple[str, ...]
    overlap: F64
    low: F64 | None
    high: F64 | None
    jaccard: F64
    rbo: F64
    second_order: F64
    joint_overlap: F64
    joint_jaccard: F64

    def tables(self, rows: npt.NDArray[np.int64] | None = None, title: str = "") -> list[Table]:
        """One row for each word (or for those at `rows`)."""
        rows = np.arange(len(self.words)) if rows is None else rows
        columns = ("overlap", "low", "high", "jaccard", "rbo", "second_order", "joint_overlap", "joint_jaccard")
        arrays = [getattr(self, name) for name in columns]
        values = [
            (
                self.words[i],
                int(self.ranks[i]),
                None if self.counts is None else int(self.counts[i]),
                *(None if array is None else float(array[i]) for array in arrays),
            )
            for i in rows.tolist()
        ]
        return [Table(("word", "rank", "count", *columns), values, title)]

    def ordered(self, *, least: bool = False) -> npt.NDArray[np.int64]:
        """Places of the words by falling overlap (`least`: rising), ties by second-order similarity, then rank."""
        sign = 1 if least else -1
        return np.lexsort((self.ranks, sign * self.second_order, sign * self.overlap))


@dataclass(frozen=True, repr=False, eq=False)
class StabilityReport(Result):
    """How far models agree on the k nearest neighbours of words.

    `overall` and `bands` hold the means, `words` the measures of each word, `curve` those at other k, `pairs` the mean
    overlap of each pair of models (for a heat map), `spaces` distances of whole spaces, and `whole` their means with
    intervals over models. `shared` is the number of words
    that all models have, `shares` that over the words of each model. `differences` say in what the models were made
    differently, beside seed and sample; `needed` how intervals would shrink with more runs (None for fewer than 5);
    `skipped` names the damaged runs that were left out, `missing` the words. Each measure is also an attribute:
    `report.overlap`, `report.rbo`, ...
    """

    k: int
    p: float
    models: tuple[str, ...]
    level: float
    shared: int
    shares: tuple[float, ...]
    missing: tuple[str, ...]
    by: str
    overall: tuple[Estimate, ...]
    bands: tuple[BandStability, ...]
    curve: tuple[CurvePoint, ...]
    pairs: tuple[tuple[int, int, float], ...]
    spaces: tuple[SpacePair, ...]
    whole: tuple[Estimate, ...]
    words: WordStability
    differences: tuple[str, ...]
    skipped: tuple[str, ...]
    needed: RunsNeeded | None

    def __getattr__(self, name: str) -> Estimate:
        for estimate in () if name.startswith("_") else self.overall:
            if estimate.name == name:
                return estimate
        raise AttributeError(name)

    @property
    def verdict(self) -> str:
        """What it comes to, for somebody who has never heard of any of the measures."""
        found = self.overlap
        text = (
            f"Of the {self.k} nearest neighbours of a word, on average {self.k * found.value:.1f} are the same in two "
            f"of these {len(self.models)} models (overlap {found.value:.3f}"
        )
        if found.low is not None:
            text += f", {self.level:.0%} interval over models {found.low:.3f} to {found.high:.3f}"
        text += f"; by chance {self.k * (found.chance or 0):.2g}). "
        text += next(advice for least, advice in ADVICE if found.value >= least)
        large = [band for band in self.bands if band.words >= 30]
        if len(large) > 1:
            low, high = min(large, key=_overlap), max(large, key=_overlap)
            if high.overlap.value - low.overlap.value >= WORTH_SAYING:
                text += (
                    f" It depends on frequency: {high.overlap.value:.2f} for words of {self.by} {high.name}, "
                    f"{low.overlap.value:.2f} for {self.by} {low.name}."
                )
        return text

    def to_dict(self) -> dict[str, object]:
        """All fields, and the verdict."""
        return {"verdict": self.verdict, **super().to_dict()}

    def tables(self) -> list[Table]:
        """The means, then bands, curve, spaces, and the most and least stable words."""
        columns = ("measure", "value", "low", "high", "words low", "words high", "chance")
        rows = [(NAMES[e.name], e.value, e.low, e.high, e.word_low, e.word_high, e.chance) for e in self.overall]
        title = f"{self.k} nearest neighbours of {len(self.words.words)} words in {len(self.models)} models"
        tables = [Table(columns, rows, title, self._notes())]
        tables.append(self._band_table())
        curve = [(point.k, point.overlap, point.rbo, point.joint_overlap, point.chance) for point in self.curve]
        tables.append(Table(("k", "overlap", "rbo", "joint overlap", "chance overlap"), curve, "by k"))
        if self.spaces:
            of_pairs = [
                (f"{s.first + 1}–{s.second + 1}", s.eigenspace, s.knn, s.pip, s.pip_relative)
                for s in self.spaces[:WORDS_SHOWN]
            ]
            more = len(self.spaces) - len(of_pairs)
            means = [(NAMES[e.name], e.value, e.low, e.high, e.chance) for e in self.whole]
            title = f"whole spaces, over {self.spaces[0].words} words: means over pairs of models"
            tables.append(Table(("measure", "value", "low", "high", "chance"), means, title))
            tables.append(
                Table(
                    ("models", "eigenspace instability", "k-NN (k=5)", "PIP loss", "relative"),
                    of_pairs,
                    "whole spaces, by pair of models",
                    [f"and {more} more pairs"] if more else [],
                )
            )
        if self.needed is not None:
            tables.append(self.needed.table())
        half = max(1, min(WORDS_SHOWN, len(self.words.words) // 2))
        for least, name in ((False, "most stable"), (True, "least stable")):
            tables += self.words.tables(self.words.ordered(least=least)[:half], f"the {name} words")
        return tables

    def _notes(self) -> list[str]:
        notes = [f"Verdict: {self.verdict}"]
        if len(self.models) < LEAST_MODELS:
            notes.append(f"No interval over models: {len(self.models)} are too few, {LEAST_MODELS} are needed.")
        else:
            notes.append(f"low to high: {self.level:.0%} over models (leave-one-out jackknife, t).")
        notes.append("words low to words high: over words (bootstrap). chance: what random vectors would give.")
        share = ", ".join(f"{share:.1%}" for share in sorted(set(self.shares)))
        notes.append(f"{self.shared} words are in all models: {share} of the words of each.")
        if self.missing:
            notes.append(f"{len(self.missing)} words are not in all models: {', '.join(self.missing[:5])}")
        same = [f"{a + 1} and {b + 1}" for a, b, overlap in self.pairs if overlap == 1]
        if same:
            notes.append(f"Models {', '.join(same[:3])} agree in every neighbour: are they the same?")
        notes += [f"Left out: {name}" for name in self.skipped]
        notes += [f"Warning: the models differ in {difference}" for difference in self.differences]
        return notes

    def _band_table(self) -> Table:
        rows = [
            (band.name, band.words, band.overlap.value, band.overlap.low, band.overlap.high, band.overlap.word_low,
             band.overlap.word_high, *(e.value for e in band.estimates[1:]))
            for band in self.bands
        ]  # fmt: skip
        columns = (self.by, "words", "overlap", "low", "high", "words low", "words high", *(
            e.name for e in self.overall[1:]
        ))  # fmt: skip
        return Table(columns, rows, f"by {self.by}")


def _overlap(band: BandStability) -> float:
    return band.overlap.value
