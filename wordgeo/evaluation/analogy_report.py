"""What an evaluation on analogies reports."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.analogy import NEAR_TIE, Solved
from wordgeo.evaluation.asked import FOUR
from wordgeo.evaluation.clusters import PairBootstrap
from wordgeo.evaluation.objectives import SET_METHODS
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.report import BenchmarkReport, facts, listed, percent
from wordgeo.evaluation.statistics import RESAMPLES, wilson_interval
from wordgeo.evaluation.suites import AnalogySuite, WordPair
from wordgeo.results import Table

__all__ = ["AnalogyRecord", "AnalogyReport", "SectionScore", "report_analogies"]


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


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class AnalogyReport(BenchmarkReport):
    """Accuracy on a suite of analogies, by section.

    `score` is the headline: `total.accuracy`, or `total.accuracy_all` where the protocol does not skip unknown words.
    `total` counts all questions alike (micro-average). `semantic` and `syntactic` are there where the suite has both
    kinds, `groups` where it has groups of sections. `near_ties` are questions that another order of the same sums may
    answer otherwise. `records` holds every question where it was asked for.
    """

    total: SectionScore
    semantic: SectionScore | None
    syntactic: SectionScore | None
    groups: tuple[SectionScore, ...]
    sections: tuple[SectionScore, ...]
    near_ties: tuple[AnalogyRecord, ...]
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
            f"low to high: {percent(self.level)} Wilson interval of accuracy, as if questions were independent.",
            f"They share word pairs and are not: pair_low to pair_high is the {percent(self.level)} bootstrap over "
            f"pairs ({self.resamples} resamples, seed {self.seed}).",
        ]
        if self.near_ties:
            notes.append(
                f"{len(self.near_ties)} near ties (scores less than {NEAR_TIE:g} apart), in lines "
                + listed(f"{record.line} ({record.section})" for record in self.near_ties)
            )
        values = [[row.name, *(getattr(row, name) for name in SHOWN)] for row in rows]
        return [Table(("section", *SHOWN), values, self.title(), notes + self.about_file())]

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
    scores = _Scores(solved, level, seed)
    names = [section.name for section in suite.sections]
    of_group: dict[str, list[int]] = {}
    for number, section in enumerate(suite.sections):
        of_group.setdefault(section.group, []).append(number)
    after_five = protocol.syntactic == "after-five"
    syntactic = [i for i, section in enumerate(suite.sections) if (i >= 5 if after_five else section.syntactic)]
    semantic = [i for i in range(len(names)) if i not in syntactic]
    both = list(of_group) == [""] and bool(semantic and syntactic)
    total = scores.of("total", range(len(names)))
    policy = protocol.unknown_sets if method in SET_METHODS else protocol.unknown
    everything = np.ones(len(solved.asked), dtype=np.bool_)
    return AnalogyReport(
        **facts(model, suite, protocol, method=method, level=level, seed=seed),
        score=total.accuracy if policy == "skip" else total.accuracy_all,
        total=total,
        semantic=scores.of("semantic", semantic) if both else None,
        syntactic=scores.of("syntactic", syntactic) if both else None,
        groups=tuple(scores.of(name, numbers) for name, numbers in of_group.items() if name),
        sections=tuple(scores.of(name, [i]) for i, name in enumerate(names)),
        near_ties=_analogy_records(model, names, solved, solved.near_ties),
        records=_analogy_records(model, names, solved, everything) if records else None,
    )


class _Scores:
    """Counts of each section, and the intervals of any of them together."""

    def __init__(self, solved: Solved, level: float, seed: int) -> None:
        asked, self.level = solved.asked, level
        counted = np.stack([asked.known, np.ones(len(asked), dtype=np.bool_)], axis=1)
        correct = solved.correct & solved.tried
        self.resampled = PairBootstrap(asked.pairs, asked.section, seed).of(
            np.broadcast_to(correct[:, np.newaxis].astype(np.float64), counted.shape), counted
        )
        ranks = np.where(asked.known, solved.rank_max, 0)
        reciprocal = np.divide(1.0, ranks, out=np.zeros(len(ranks)), where=ranks > 0)
        sections = len(asked.sections)
        self.questions, self.known, self.correct, self.correct_all, self.in_five, self.reciprocal = (
            np.bincount(asked.section, values, sections)
            for values in (np.ones(len(asked)), asked.known, correct & asked.known, correct,
                           (ranks > 0) & (ranks <= 5), reciprocal)
        )  # fmt: skip

    def of(self, name: str, sections: Sequence[int]) -> SectionScore:
        """The score of `sections` together."""
        mine = list(sections)
        questions, known, correct, correct_all = (
            int(counts[mine].sum()) for counts in (self.questions, self.known, self.correct, self.correct_all)
        )
        low, high = wilson_interval(correct, known, self.level) or (None, None)
        low_all, high_all = wilson_interval(correct_all, questions, self.level) or (None, None)
        ends = self.resampled.intervals(self.level, mine)
        (pair_low, pair_low_all), (pair_high, pair_high_all) = (
            [None if math.isnan(end) else end for end in row] for row in ends.tolist()
        )
        return SectionScore(
            name=name,
            questions=questions,
            in_vocabulary=known,
            coverage=known / questions if questions else None,
            correct=correct,
            accuracy=correct / known if known else None,
            low=low,
            high=high,
            accuracy_all=correct_all / questions if questions else None,
            low_all=low_all,
            high_all=high_all,
            pairs=self.resampled.size(mine)[0],
            pair_low=pair_low,
            pair_high=pair_high,
            pair_low_all=pair_low_all,
            pair_high_all=pair_high_all,
            top5=float(self.in_five[mine].sum() / known) if known else None,
            mrr=float(self.reciprocal[mine].sum() / known) if known else None,
            correct_all=correct_all,
        )


def _analogy_records(
    model: Embeddings, names: Sequence[str], solved: Solved, which: npt.NDArray[np.bool_]
) -> tuple[AnalogyRecord, ...]:
    records = []
    for i in np.flatnonzero(which).tolist():
        item, row = solved.asked.item(i), int(solved.answers[i])
        a, b, c, expected = (None, None, item.a, item.b) if isinstance(item, WordPair) else FOUR(item)
        records.append(
            AnalogyRecord(
                item.line, names[solved.asked.section[i]], a, b, c, expected, item.also,
                answer=model.vocabulary[row] if row >= 0 else None,
                correct=bool(solved.correct[i]) if solved.tried[i] else None,
                rank_min=int(solved.rank_min[i]) or None,
                rank_max=int(solved.rank_max[i]) or None,
                near_tie=bool(solved.near_ties[i]),
            )
        )  # fmt: skip
    return tuple(records)
