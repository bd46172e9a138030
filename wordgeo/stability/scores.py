"""A benchmark over several runs: the score as mean and deviation, and how many answers differ between runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from wordgeo.errors import OptionError
from wordgeo.evaluation.analogy_report import AnalogyReport
from wordgeo.evaluation.similarity_report import SimilarityReport
from wordgeo.results import Result, Table
from wordgeo.stability.intervals import LEAST_MODELS

__all__ = ["RunScores", "scores_over_runs"]


@dataclass(frozen=True, repr=False)
class RunScores(Result):
    """A score over runs: its mean, standard deviation, and the t interval of the mean (None with fewer than 5 runs).

    Of analogies, `flip_rate` is the share of questions whose answer differs between two runs, mean over pairs, with
    `flip_low` to `flip_high` the least and the greatest of a pair; `right_in_all`, `right_in_some` and `right_in_none`
    the shares of questions that all, some and no runs answer right.
    """

    suite: str
    method: str
    runs: int
    questions: int
    scores: tuple[float, ...]
    mean: float
    deviation: float
    low: float | None
    high: float | None
    flip_rate: float | None
    flip_low: float | None
    flip_high: float | None
    right_in_all: float | None
    right_in_some: float | None
    right_in_none: float | None
    kind: str = "runs"

    @property
    def score(self) -> float:
        """The mean, which `--fail-under` looks at."""
        return self.mean

    def tables(self) -> list[Table]:
        """The numbers, one a row."""
        names = ("mean", "deviation", "low", "high", "flip_rate", "flip_low", "flip_high", "right_in_all",
                 "right_in_some", "right_in_none")  # fmt: skip
        rows = [(name, getattr(self, name)) for name in names]
        notes = [f"{self.mean:.4f} ± {self.deviation:.4f} (standard deviation over {self.runs} runs)"]
        if self.low is None:
            notes.append(f"No interval of the mean: {self.runs} runs are too few, {LEAST_MODELS} are needed.")
        title = f"{self.suite}, {self.method}: {self.runs} runs, {self.questions} questions"
        return [Table(("over runs", "value"), rows, title, notes)]


def scores_over_runs(reports: Sequence[AnalogyReport | SimilarityReport]) -> RunScores:
    """Puts the reports of several runs on the same benchmark together; for flips they were made with `records=True`.

    Raises `OptionError` for fewer than two reports, reports on different questions, or one without a score.
    """
    from scipy import stats

    if len(reports) < 2 or len({(r.suite, r.method, r.protocol.name) for r in reports}) != 1:
        raise OptionError("scores over runs need two or more reports on the same benchmark, by the same rules")
    scores = np.array([np.nan if r.score is None else r.score for r in reports])
    if np.isnan(scores).any():
        raise OptionError(f"{reports[0].suite}: a run has no score, since it knows the words of no question")
    runs = len(reports)
    half = None
    if runs >= LEAST_MODELS:
        half = float(stats.t.ppf(0.975, runs - 1) * scores.std(ddof=1) / np.sqrt(runs))
    mean = float(scores.mean())
    first = reports[0]
    flips, right, questions = None, None, first.in_vocabulary if isinstance(first, SimilarityReport) else 0
    if isinstance(first, AnalogyReport):
        questions = first.total.in_vocabulary
        flips, right = _answers([r for r in reports if isinstance(r, AnalogyReport)])
    return RunScores(
        suite=first.suite,
        method=first.method,
        runs=runs,
        questions=questions,
        scores=tuple(scores.tolist()),
        mean=mean,
        deviation=float(scores.std(ddof=1)),
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
        flip_rate=None if flips is None else float(flips.mean()),
        flip_low=None if flips is None else float(flips.min()),
        flip_high=None if flips is None else float(flips.max()),
        right_in_all=None if right is None else float((right == runs).mean()),
        right_in_some=None if right is None else float(((right > 0) & (right < runs)).mean()),
        right_in_none=None if right is None else float((right == 0).mean()),
    )


def _answers(reports: Sequence[AnalogyReport]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Flip rates of pairs of runs, and how many runs answer each question right, of those that all were asked."""
    records = [r.records for r in reports]
    if any(of_run is None for of_run in records):
        return None, None
    asked = [each for each in zip(*(r or () for r in records), strict=True) if all(x.correct is not None for x in each)]
    if not asked:
        return None, None
    answers = np.array([[x.answer for x in each] for each in asked], dtype=object)
    right = np.array([sum(bool(x.correct) for x in each) for each in asked])
    pairs = combinations(range(len(reports)), 2)
    return np.array([(answers[:, i] != answers[:, j]).mean() for i, j in pairs]), right
