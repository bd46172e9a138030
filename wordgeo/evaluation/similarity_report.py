"""What an evaluation on word similarities reports."""

from __future__ import annotations

import dataclasses

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.report import BenchmarkReport, facts, percent
from wordgeo.evaluation.similarity import Cosines
from wordgeo.evaluation.statistics import RESAMPLES, Correlation, correlations
from wordgeo.evaluation.suites import SimilaritySuite
from wordgeo.results import Table

__all__ = ["PairRecord", "SimilarityReport", "report_similarity"]


@dataclasses.dataclass(frozen=True, slots=True)
class PairRecord:
    """A pair, people's score and the model's cosine (None where a word is unknown)."""

    line: int
    a: str
    b: str
    human: float
    cosine: float | None


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class SimilarityReport(BenchmarkReport):
    """Correlation of a model's cosines with people's scores.

    `spearman` and `pearson` are over the pairs in the vocabulary, `spearman_all` and `pearson_all` over all pairs,
    with cosine 0 where a word is unknown. `score` is the headline: `spearman`, or `spearman_all` where the protocol
    counts unknown words as wrong. Intervals are percentile bootstraps over pairs. `records` holds every pair where it
    was asked for.
    """

    pairs: int
    in_vocabulary: int
    coverage: float
    spearman: Correlation
    pearson: Correlation
    spearman_all: Correlation
    pearson_all: Correlation
    records: tuple[PairRecord, ...] | None = None
    resamples: int = RESAMPLES
    interval: str = "percentile bootstrap"
    kind: str = "similarity"

    def tables(self) -> list[Table]:
        """One row for each coefficient."""
        rows = []
        for name, pairs in (
            ("spearman", self.in_vocabulary),
            ("pearson", self.in_vocabulary),
            ("spearman_all", self.pairs),
            ("pearson_all", self.pairs),
        ):
            found: Correlation = getattr(self, name)
            rows.append((name, pairs, found.value, found.low, found.high, found.p_value))
        notes = [
            f"{self.in_vocabulary} of {self.pairs} pairs are in the vocabulary; _all counts the others with cosine 0.",
            f"low to high: {percent(self.level)} percentile bootstrap over pairs, "
            f"{self.resamples} resamples, seed {self.seed}.",
            "Pairs share words and so are not independent: intervals and p-values are smaller than they should be.",
        ]
        columns = ("statistic", "pairs", "value", "low", "high", "p_value")
        return [Table(columns, rows, self.title(), notes + self.about_file())]


def report_similarity(
    model: Embeddings,
    suite: SimilaritySuite,
    found: Cosines,
    protocol: Protocol,
    *,
    level: float,
    seed: int,
    records: bool,
) -> SimilarityReport:
    """Correlates cosines and people's scores."""
    known = found.in_vocabulary
    spearman, pearson = correlations(found.human[known], found.cosines[known], level=level, seed=seed)
    spearman_all, pearson_all = (
        (spearman, pearson) if known.all() else correlations(found.human, found.cosines, level=level, seed=seed)
    )
    return SimilarityReport(
        **facts(model, suite, protocol, method="cosine", level=level, seed=seed),
        score=spearman.value if protocol.unknown == "skip" else spearman_all.value,
        pairs=len(known),
        in_vocabulary=int(known.sum()),
        coverage=float(known.mean()),
        spearman=spearman,
        pearson=pearson,
        spearman_all=spearman_all,
        pearson_all=pearson_all,
        records=tuple(
            PairRecord(pair.line, pair.a, pair.b, pair.score, float(cosine) if known else None)
            for pair, cosine, known in zip(suite.pairs, found.cosines, found.in_vocabulary, strict=True)
        )
        if records
        else None,
    )
