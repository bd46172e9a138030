"""What an evaluation reports: frozen results whose field names are those of the JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.analogy import NEAR_TIE, Solved
from wordgeo.evaluation.clusters import PairBootstrap
from wordgeo.evaluation.frames import to_frame
from wordgeo.evaluation.objectives import SET_METHODS
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.similarity import Cosines
from wordgeo.evaluation.statistics import RESAMPLES, Correlation, correlations, wilson_interval
from wordgeo.evaluation.suites import AnalogySuite, Note, SimilaritySuite
from wordgeo.results import Result, Table

__all__ = [
    "AnalogyRecord",
    "AnalogyReport",
    "PairRecord",
    "SectionScore",
    "SimilarityReport",
    "report_analogies",
    "report_similarity",
]

NOTES_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class SectionScore:
    """Counts and accuracies of a group of questions; what has no questions to stand on is None.

    `accuracy` is correct / in_vocabulary and `accuracy_all` is correct_all / questions (an unknown word is a wrong
    answer, except where the protocol asks with the mean vector in its place, which only correct_all counts). Each has
    its Wilson interval from `low` to `high`, and from `pair_low` to `pair_high` that of the bootstrap over the `pairs`
    that questions are made of. `top5` and `mrr` are the share of questions in the vocabulary whose right answer is
    among the best five, and their mean of 1 / rank; where scores tie, the right answer comes last.
    """

    name: str
    questions: int
    in_vocabulary: int
    coverage: float | None
    correct: int
    accuracy: float | None
    low: float | None
    high: float | None
    accuracy_all: float | None
    low_all: float | None
    high_all: float | None
    pairs: int
    pair_low: float | None
    pair_high: float | None
    pair_low_all: float | None
    pair_high_all: float | None
    top5: float | None
    mrr: float | None
    correct_all: int


# The columns of the table, in their order.
SHOWN = (
    "questions", "in_vocabulary", "coverage", "correct", "accuracy", "low", "high", "pair_low", "pair_high",
    "accuracy_all", "top5", "mrr",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class AnalogyRecord:
    """A question, the model's answer (None where a word is unknown, or there is no other row), and what it counts.

    `a` and `b` are None where a method learns from all other pairs of the section. `also` are further right answers.
    `correct` is None for a question that was not asked. `rank_min` and `rank_max` are the first and the last place that
    the best right answer can claim (they differ where scores tie), None where it may not answer.
    """

    line: int
    section: str
    a: str | None
    b: str | None
    c: str
    expected: str
    also: tuple[str, ...]
    answer: str | None
    correct: bool | None
    rank_min: int | None
    rank_max: int | None
    near_tie: bool


@dataclasses.dataclass(frozen=True, slots=True)
class PairRecord:
    """A pair, people's score and the model's cosine (None where a word is unknown)."""

    line: int
    a: str
    b: str
    human: float
    cosine: float | None


@dataclasses.dataclass(frozen=True, repr=False)
class AnalogyReport(Result):
    """Accuracy on a suite of analogies, by section.

    `score` is the headline: `total.accuracy`, or `total.accuracy_all` where the protocol does not skip unknown words.
    `total` counts all questions alike (micro-average). `semantic` and `syntactic` are there where the suite has both
    kinds, `groups` where it has groups of sections. `near_ties` are questions that another order of the same sums may
    answer otherwise. `records` holds every question where it was asked for.
    """

    suite: str
    path: str
    method: str
    protocol: Protocol
    words: int
    level: float
    score: float | None
    total: SectionScore
    semantic: SectionScore | None
    syntactic: SectionScore | None
    groups: tuple[SectionScore, ...]
    sections: tuple[SectionScore, ...]
    near_ties: tuple[AnalogyRecord, ...]
    malformed: int
    notes: tuple[Note, ...]
    seed: int
    records: tuple[AnalogyRecord, ...] | None = None
    resamples: int = RESAMPLES
    interval: str = "wilson"
    pair_interval: str = "pair bootstrap"
    kind: str = "analogy"

    def tables(self) -> list[Table]:
        """One row for each section, then the subtotals and the total."""
        kinds = [part for part in (self.semantic, self.syntactic) if part]
        rows = [*self.sections, *self.groups, *kinds, self.total]
        notes = [
            "accuracy: of the questions in the vocabulary; accuracy_all: of all, unknown words being wrong answers. "
            f"low to high: {_percent(self.level)} Wilson interval of accuracy, as if questions were independent.",
            f"They share word pairs and are not: pair_low to pair_high is the {_percent(self.level)} bootstrap over "
            f"pairs ({self.resamples} resamples, seed {self.seed}).",
        ]
        if self.near_ties:
            notes.append(
                f"{len(self.near_ties)} near ties (scores less than {NEAR_TIE:g} apart), in lines "
                + _some(str(record.line) for record in self.near_ties)
            )
        values = [[row.name, *(getattr(row, name) for name in SHOWN)] for row in rows]
        return [Table(("section", *SHOWN), values, _title(self), notes + _about_file(self.malformed, self.notes))]

    def errors(self) -> Table:
        """The questions answered wrong: what was answered, and where the right answer stands.

        Raises `OptionError` for a report made without `records=True`.
        """
        if self.records is None:
            raise OptionError("the report has no records; evaluate with records=True")
        columns = ("line", "section", "a", "b", "c", "expected", "answer", "rank")
        rows = [
            (r.line, r.section, r.a, r.b, r.c, "/".join((r.expected, *r.also)), r.answer, r.rank_min)
            for r in self.records
            if r.correct is False
        ]
        return Table(columns, rows, f"{self.suite}: {len(rows)} questions answered wrong")

    def to_frame(self) -> Any:
        """The sections, subtotals and total as a pandas DataFrame, or a polars one where only that is installed.

        Raises `MissingExtraError` with neither.
        """
        return to_frame(self.tables()[0])


@dataclasses.dataclass(frozen=True, repr=False)
class SimilarityReport(Result):
    """Correlation of a model's cosines with people's scores.

    `spearman` and `pearson` are over the pairs in the vocabulary, `spearman_all` and `pearson_all` over all pairs,
    with cosine 0 where a word is unknown. `score` is the headline: `spearman`, or `spearman_all` where the protocol
    counts unknown words as wrong. Intervals are percentile bootstraps over pairs. `records` holds every pair where it
    was asked for.
    """

    suite: str
    path: str
    method: str
    protocol: Protocol
    words: int
    level: float
    score: float | None
    pairs: int
    in_vocabulary: int
    coverage: float
    spearman: Correlation
    pearson: Correlation
    spearman_all: Correlation
    pearson_all: Correlation
    malformed: int
    notes: tuple[Note, ...]
    seed: int
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
            f"low to high: {_percent(self.level)} percentile bootstrap over pairs, "
            f"{self.resamples} resamples, seed {self.seed}.",
            "Pairs share words and so are not independent: intervals and p-values are smaller than they should be.",
        ]
        columns = ("statistic", "pairs", "value", "low", "high", "p_value")
        return [Table(columns, rows, _title(self), notes + _about_file(self.malformed, self.notes))]

    def to_frame(self) -> Any:
        """The coefficients as a pandas DataFrame, or a polars one; raises `MissingExtraError` with neither."""
        return to_frame(self.tables()[0])


def report_analogies(
    model: Embeddings,
    suite: AnalogySuite,
    solved: Solved,
    protocol: Protocol,
    *,
    method: str,
    level: float,
    seed: int,
    records: bool,
) -> AnalogyReport:
    """Counts the answers section by section."""
    asked = solved.asked
    names = [section.name for section in suite.sections]

    def score(name: str, sections: Iterable[int]) -> SectionScore:
        return _section_score(name, np.isin(asked.section, list(sections)), solved, level, seed)

    of_group: dict[str, list[int]] = {}
    for number, section in enumerate(suite.sections):
        of_group.setdefault(section.group, []).append(number)
    after_five = protocol.syntactic == "after-five"
    syntactic = [i for i, section in enumerate(suite.sections) if (i >= 5 if after_five else section.syntactic)]
    semantic = [i for i in range(len(names)) if i not in syntactic]
    both = list(of_group) == [""] and bool(semantic and syntactic)
    total = score("total", range(len(names)))
    policy = protocol.unknown_sets if method in SET_METHODS else protocol.unknown
    everything = np.ones(len(asked), dtype=np.bool_)
    return AnalogyReport(
        suite=suite.name,
        path=suite.path,
        method=method,
        protocol=protocol,
        words=len(model),
        level=level,
        score=total.accuracy if policy == "skip" else total.accuracy_all,
        total=total,
        semantic=score("semantic", semantic) if both else None,
        syntactic=score("syntactic", syntactic) if both else None,
        groups=tuple(score(name, numbers) for name, numbers in of_group.items() if name),
        sections=tuple(score(name, [i]) for i, name in enumerate(names)),
        near_ties=_analogy_records(model, names, solved, solved.near_ties),
        malformed=sum(note.skipped for note in suite.notes),
        notes=suite.notes,
        seed=seed,
        records=_analogy_records(model, names, solved, everything) if records else None,
    )


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
        suite=suite.name,
        path=suite.path,
        method="cosine",
        protocol=protocol,
        words=len(model),
        level=level,
        score=spearman.value if protocol.unknown == "skip" else spearman_all.value,
        pairs=len(known),
        in_vocabulary=int(known.sum()),
        coverage=float(known.mean()),
        spearman=spearman,
        pearson=pearson,
        spearman_all=spearman_all,
        pearson_all=pearson_all,
        malformed=sum(note.skipped for note in suite.notes),
        notes=suite.notes,
        seed=seed,
        records=tuple(
            PairRecord(pair.line, pair.a, pair.b, pair.score, float(cosine) if known else None)
            for pair, cosine, known in zip(suite.pairs, found.cosines, found.in_vocabulary, strict=True)
        )
        if records
        else None,
    )


def _section_score(name: str, mine: npt.NDArray[np.bool_], solved: Solved, level: float, seed: int) -> SectionScore:
    asked = solved.asked
    known = mine & asked.known
    correct = solved.correct & solved.tried

    def share(which: npt.NDArray[np.bool_]) -> list[float | None]:
        """Accuracy, ends of Wilson's interval, ends of the bootstrap's."""
        trials, right = int(which.sum()), int(correct[which].sum())
        wilson = wilson_interval(right, trials, level)
        if wilson is None:
            return [None] * 5
        bootstrap = PairBootstrap(asked.pairs[which], asked.section[which], seed)
        return [right / trials, *wilson, *(bootstrap.interval(correct[which].astype(float), level) or (None, None))]

    ranks = solved.rank_max[known]
    own, over_all = share(known), share(mine)
    questions, in_vocabulary = int(mine.sum()), int(known.sum())
    pairs = asked.pairs[known]
    return SectionScore(
        name=name,
        questions=questions,
        in_vocabulary=in_vocabulary,
        coverage=in_vocabulary / questions if questions else None,
        correct=int(correct[known].sum()),
        accuracy=own[0],
        low=own[1],
        high=own[2],
        accuracy_all=over_all[0],
        low_all=over_all[1],
        high_all=over_all[2],
        pairs=len(np.unique(pairs[pairs >= 0])),
        pair_low=own[3],
        pair_high=own[4],
        pair_low_all=over_all[3],
        pair_high_all=over_all[4],
        top5=float(((ranks > 0) & (ranks <= 5)).mean()) if len(ranks) else None,
        mrr=float(np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0).mean()) if len(ranks) else None,
        correct_all=int(correct[mine].sum()),
    )


def _analogy_records(
    model: Embeddings, names: Sequence[str], solved: Solved, which: npt.NDArray[np.bool_]
) -> tuple[AnalogyRecord, ...]:
    records = []
    for i in np.flatnonzero(which).tolist():
        item, row = solved.asked.items[i], int(solved.answers[i])
        records.append(
            AnalogyRecord(
                item.line, names[solved.asked.section[i]], item.a, item.b, item.c, item.expected, item.also,
                answer=model.vocabulary[row] if row >= 0 else None,
                correct=bool(solved.correct[i]) if solved.tried[i] else None,
                rank_min=int(solved.rank_min[i]) or None,
                rank_max=int(solved.rank_max[i]) or None,
                near_tie=bool(solved.near_ties[i]),
            )
        )  # fmt: skip
    return tuple(records)


def _title(report: AnalogyReport | SimilarityReport) -> str:
    protocol = report.protocol
    rows = report.words if protocol.limit is None else min(report.words, protocol.limit)
    return (
        f"{report.suite}: {report.method}, protocol {protocol.name} ({protocol.reproduces}; case folding "
        f"{protocol.fold}; {rows} of {report.words} words)"
    )


def _about_file(malformed: int, notes: Sequence[Note]) -> list[str]:
    """What was wrong in the suite's file: how many lines, and the first of them."""
    lines = [f"Malformed lines, which are skipped: {malformed}"] if malformed else []
    lines += [
        f"{note.file + ', ' if note.file else ''}line {note.line}: {note.problem}" for note in notes[:NOTES_SHOWN]
    ]
    if len(notes) > NOTES_SHOWN:
        lines.append(f"and {len(notes) - NOTES_SHOWN} more, in `notes`")
    return lines


def _percent(level: float) -> str:
    return f"{100 * level:g} %"


def _some(texts: Iterable[str]) -> str:
    found = list(texts)
    return ", ".join(found[:NOTES_SHOWN]) + (", …" if len(found) > NOTES_SHOWN else "")
