"""What an evaluation reports: frozen results whose field names are those of the JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.analogy import NEAR_TIE, Answers
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

    `accuracy` is correct / in_vocabulary, with its Wilson interval from `low` to `high`; `accuracy_all` is
    correct / questions (an unknown word is a wrong answer), from `low_all` to `high_all`.
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


@dataclasses.dataclass(frozen=True, slots=True)
class AnalogyRecord:
    """A question, the model's answer (None where a word is unknown, or there is no other row), and what it counts.

    `correct` is None for a question with an unknown word.
    """

    line: int
    section: str
    a: str
    b: str
    c: str
    expected: str
    answer: str | None
    correct: bool | None
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

    `score` is the headline: `total.accuracy`, or `total.accuracy_all` where the protocol counts unknown words as wrong.
    `total` counts all questions alike (micro-average). `semantic` and `syntactic` are there where the suite has both
    kinds. `near_ties` are questions that another order of the same sums may answer otherwise. `records` holds every
    question where it was asked for.
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
    sections: tuple[SectionScore, ...]
    near_ties: tuple[AnalogyRecord, ...]
    malformed: int
    notes: tuple[Note, ...]
    records: tuple[AnalogyRecord, ...] | None = None
    interval: str = "wilson"
    kind: str = "analogy"

    def tables(self) -> list[Table]:
        """One row for each section, then the subtotals and the total."""
        rows = [*self.sections, *(part for part in (self.semantic, self.syntactic) if part), self.total]
        columns = ("section", *(field.name for field in dataclasses.fields(SectionScore)[1:9]))
        notes = [
            "accuracy: of the questions in the vocabulary; accuracy_all: of all, unknown words being wrong answers. "
            f"low to high: {_percent(self.level)} Wilson interval of accuracy.",
            "Questions share words and so are not independent: the intervals are narrower than they should be.",
        ]
        if self.near_ties:
            notes.append(
                f"{len(self.near_ties)} near ties (scores less than {NEAR_TIE:g} apart), in lines "
                + _some(str(record.line) for record in self.near_ties)
            )
        values = [dataclasses.astuple(row)[:9] for row in rows]
        return [Table(columns, values, _title(self), notes + _about_file(self.malformed, self.notes))]


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


def report_analogies(
    model: Embeddings,
    suite: AnalogySuite,
    answers: Answers,
    protocol: Protocol,
    *,
    method: str,
    level: float,
    records: bool,
) -> AnalogyReport:
    """Counts the answers section by section."""
    kinds = np.repeat([s.syntactic for s in suite.sections], [len(s.questions) for s in suite.sections])
    both = bool(kinds.any() and not kinds.all())
    everything = np.ones(len(kinds), dtype=np.bool_)

    def score(name: str, which: np.ndarray | slice) -> SectionScore:
        known, correct = answers.in_vocabulary[which], answers.correct[which]
        return _section_score(name, len(known), int(known.sum()), int(correct.sum()), level)

    sections, begin = [], 0
    for section in suite.sections:
        sections.append(score(section.name, slice(begin, begin + len(section.questions))))
        begin += len(section.questions)
    total = score("total", everything)
    return AnalogyReport(
        suite=suite.name,
        path=suite.path,
        method=method,
        protocol=protocol,
        words=len(model),
        level=level,
        score=total.accuracy if protocol.unknown == "skip" else total.accuracy_all,
        total=total,
        semantic=score("semantic", ~kinds) if both else None,
        syntactic=score("syntactic", kinds) if both else None,
        sections=tuple(sections),
        near_ties=_analogy_records(model, suite, answers, answers.near_ties),
        malformed=sum(note.skipped for note in suite.notes),
        notes=suite.notes,
        records=_analogy_records(model, suite, answers, everything) if records else None,
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


def _section_score(name: str, questions: int, known: int, correct: int, level: float) -> SectionScore:
    def share(trials: int) -> tuple[float | None, float | None, float | None]:
        interval = wilson_interval(correct, trials, level)
        return (correct / trials, *interval) if interval else (None, None, None)

    coverage = known / questions if questions else None
    return SectionScore(name, questions, known, coverage, correct, *share(known), *share(questions))


def _analogy_records(
    model: Embeddings, suite: AnalogySuite, answers: Answers, which: np.ndarray
) -> tuple[AnalogyRecord, ...]:
    asked = [(section.name, question) for section in suite.sections for question in section.questions]
    known = answers.in_vocabulary
    records = []
    for i in np.flatnonzero(which).tolist():
        section, q = asked[i]
        row = int(answers.answers[i])
        records.append(
            AnalogyRecord(
                *(q.line, section, q.a, q.b, q.c, q.expected),
                answer=model.vocabulary[row] if row >= 0 else None,
                correct=bool(answers.correct[i]) if known[i] else None,
                near_tie=bool(answers.near_ties[i]),
            )
        )
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
    lines += [f"line {note.line}: {note.problem}" for note in notes[:NOTES_SHOWN]]
    if len(notes) > NOTES_SHOWN:
        lines.append(f"and {len(notes) - NOTES_SHOWN} more, in `notes`")
    return lines


def _percent(level: float) -> str:
    return f"{100 * level:g} %"


def _some(texts: Iterable[str]) -> str:
    found = list(texts)
    return ", ".join(found[:NOTES_SHOWN]) + (", …" if len(found) > NOTES_SHOWN else "")
