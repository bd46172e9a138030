"""Multiple-choice analogies: which of some pairs is related as the stem is."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.graded import score_fours
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.report import BenchmarkReport, facts, percent
from wordgeo.evaluation.statistics import wilson_interval
from wordgeo.evaluation.suites import ChoiceSuite, Two
from wordgeo.results import Table

__all__ = ["ChoiceRecord", "ChoiceReport", "Chosen", "choose", "report_choices"]

Bool = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Chosen:
    """What a model chooses in n questions.

    `tried` bool [n]: asked, all words being known. `answers` int64 [n]: the place of the best choice, of equal ones the
    first, -1 where it was not asked. `ranks` int64 [n]: the place of the right choice by score, after equal ones, 0
    where it was not asked. `ties` bool [n]: two choices share the best score.
    """

    tried: Bool
    answers: npt.NDArray[np.int64]
    correct: Bool
    ranks: npt.NDArray[np.int64]
    ties: Bool


@dataclasses.dataclass(frozen=True, slots=True)
class ChoiceRecord:
    """A question, the right pair, the pair chosen (None where a word is unknown), and the place of the right one."""

    line: int
    stem: Two
    choices: tuple[Two, ...]
    expected: Two
    answer: Two | None
    correct: bool | None
    rank: int | None


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class ChoiceReport(BenchmarkReport):
    """Accuracy on multiple-choice analogies.

    `accuracy` is correct / in_vocabulary, with its Wilson interval from `low` to `high`, and `accuracy_all` is
    correct / questions. `chance` is what guessing would give on average, and `mrr` the mean of 1 / rank of the right
    choice. `ties` are questions in which two choices share the best score; the first one counts.
    """

    questions: int
    in_vocabulary: int
    coverage: float
    correct: int
    accuracy: float | None
    low: float | None
    high: float | None
    accuracy_all: float
    low_all: float
    high_all: float
    chance: float
    mrr: float | None
    ties: int
    records: tuple[ChoiceRecord, ...] | None = None
    interval: str = "wilson"
    kind: str = "choices"

    def tables(self) -> list[Table]:
        """One row."""
        columns = ("questions", "in_vocabulary", "coverage", "correct", "accuracy", "low", "high", "accuracy_all",
                   "low_all", "high_all", "chance", "mrr", "ties")  # fmt: skip
        notes = [
            "accuracy: of the questions in the vocabulary; accuracy_all: of all, unknown words being wrong answers. "
            f"low to high: {percent(self.level)} Wilson interval.",
            "chance: what guessing gives; ties: questions with two best choices, of which the first counts.",
        ]
        values = [getattr(self, name) for name in columns]
        return [Table(columns, [values], self.title(), notes + self.about_file())]

    def errors(self) -> Table:
        """The questions answered wrong. Raises `OptionError` for a report made without `records=True`."""
        if self.records is None:
            raise OptionError("the report has no records; evaluate with records=True")
        rows = [
            (r.line, ":".join(r.stem), ":".join(r.expected), ":".join(r.answer or ()), r.rank)
            for r in self.records
            if r.correct is False
        ]
        title = f"{self.suite}: {len(rows)} questions answered wrong"
        return Table(("line", "stem", "expected", "answer", "rank"), rows, title)


def choose(
    model: Embeddings, suite: ChoiceSuite, protocol: Protocol, *, method: str, seed: int, threads: int | None
) -> Chosen:
    """Takes the choice c : d with the best score of d for a : b = c : ?, the stem being a : b.

    A question is asked where the words of the stem and of all choices are known.
    """
    lookup = protocol.lookup(model.vocabulary)
    n = len(suite.questions)
    words = [word for q in suite.questions for two in q.choices for word in (*q.stem, *two)]
    fours = lookup.rows(words).reshape(-1, 4)
    sizes = np.array([len(q.choices) for q in suite.questions])
    of_question = np.repeat(np.arange(n), sizes)
    known = np.bincount(of_question, fours.min(axis=1) < 0, minlength=n) == 0
    asked = known[of_question]
    scores = np.full(len(fours), np.nan, dtype=np.float32)
    scores[asked] = score_fours(model, fours[asked], lookup, protocol, method=method, seed=seed, threads=threads)
    found = Chosen(known, np.full(n, -1), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64),
                   np.zeros(n, dtype=np.bool_))  # fmt: skip
    ends = np.cumsum(sizes)
    for i in np.flatnonzero(known).tolist():
        own, right = scores[ends[i] - sizes[i] : ends[i]], suite.questions[i].correct
        found.answers[i] = own.argmax()
        found.correct[i] = found.answers[i] == right
        found.ranks[i] = (own >= own[right]).sum()
        found.ties[i] = (own == own.max()).sum() > 1
    return found


def report_choices(
    model: Embeddings,
    suite: ChoiceSuite,
    found: Chosen,
    protocol: Protocol,
    *,
    method: str,
    level: float,
    seed: int,
    records: bool,
) -> ChoiceReport:
    """Counts the choices."""
    questions, known, correct = len(suite.questions), int(found.tried.sum()), int(found.correct.sum())
    low, high = wilson_interval(correct, known, level) or (None, None)
    low_all, high_all = wilson_interval(correct, questions, level) or (0.0, 1.0)
    accuracy = correct / known if known else None
    return ChoiceReport(
        **facts(model, suite, protocol, method=method, level=level, seed=seed),
        score=accuracy if protocol.unknown == "skip" else correct / questions,
        questions=questions,
        in_vocabulary=known,
        coverage=known / questions,
        correct=correct,
        accuracy=accuracy,
        low=low,
        high=high,
        accuracy_all=correct / questions,
        low_all=low_all,
        high_all=high_all,
        chance=float(np.mean([1 / len(q.choices) for q in suite.questions])),
        mrr=float((1 / found.ranks[found.tried]).mean()) if known else None,
        ties=int(found.ties.sum()),
        records=tuple(
            ChoiceRecord(
                q.line, q.stem, q.choices, q.choices[q.correct],
                answer=q.choices[answer] if answer >= 0 else None,
                correct=bool(right) if answer >= 0 else None,
                rank=int(rank) or None,
            )
            for q, answer, right, rank in zip(suite.questions, found.answers.tolist(), found.correct, found.ranks,
                                              strict=True)
        )
        if records
        else None,
    )  # fmt: skip
