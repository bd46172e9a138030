"""The solver of analogy questions: one for all protocols and methods."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.protocols import Lookup, Protocol
from wordgeo.evaluation.suites import AnalogySuite
from wordgeo.progress import Progress
from wordgeo.query.analogies import COSMUL_EPSILON, METHODS, analogies

__all__ = ["METHODS", "NEAR_TIE", "Answers", "solve"]

NEAR_TIE = 1e-6
QUESTIONS_A_BATCH = 1 << 15  # the more at once, the more questions share a word

I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a model answers to the questions of a suite, in their order.

    `rows` int64 [questions, 4]: the rows of a, b, c and the expected word, -1 for an unknown one. `answers` int64
    [questions]: the row of the answer, -1 where there is none. `correct` bool [questions]. `near_ties` bool
    [questions]: the answer and another one that might have been given differ by less than 1e-6 in score.
    """

    rows: I64
    answers: I64
    correct: Bool
    near_ties: Bool

    @property
    def in_vocabulary(self) -> Bool:
        """Which questions have all four words known, bool [questions]."""
        return np.min(self.rows, axis=1) >= 0


def solve(
    model: Embeddings,
    suite: AnalogySuite,
    protocol: Protocol,
    *,
    method: str = "3cosadd",
    threads: int | None = None,
    progress: Progress,
) -> Answers:
    """Answers the questions of `suite` by the rules of `protocol`."""
    lookup = protocol.lookup(model.vocabulary)
    words = [word for q in suite.questions for word in (q.a, q.b, q.c, q.expected)]
    rows = lookup.rows(words).reshape(-1, 4)
    n = len(rows)
    found = Answers(rows, np.full(n, -1), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_))
    covered = np.flatnonzero(found.in_vocabulary)
    progress.start(f"{suite.name}, {method}", len(covered), "questions")
    try:
        for begin in range(0, len(covered), QUESTIONS_A_BATCH):
            batch = covered[begin : begin + QUESTIONS_A_BATCH]
            inputs, expected = rows[batch, :3], rows[batch, 3]
            # One row beyond the shortlist, so that a tie at its end is seen.
            shortlist = analogies(
                model, *inputs.T, k=protocol.shortlist + 1, method=method, limit=len(lookup.same), threads=threads
            )
            best, scores = shortlist.rows, shortlist.scores
            place, rivals = _choose(best, inputs, lookup, protocol.shortlist)
            answers = np.take_along_axis(best, place[:, np.newaxis], axis=1)[:, 0]
            found.answers[batch] = answers
            found.correct[batch] = (answers >= 0) & (lookup.same[answers] == expected)
            found.near_ties[batch] = _near_ties(model, inputs, best, scores, place, rivals, method)
            progress.advance(len(batch))
    finally:
        progress.finish()
    return found


def _choose(best: I64, inputs: I64, lookup: Lookup, shortlist: int) -> tuple[I64, Bool]:
    """Where in `best` [n, shortlist + 1] each answer stands, int64 [n]; and which other rows might have been it."""
    filled = best >= 0
    words = np.where(filled, lookup.same[best], -1)
    allowed = filled & (words[:, :, np.newaxis] != inputs[:, np.newaxis, :]).all(axis=2)
    looked_at = allowed[:, :shortlist]
    last = np.maximum(filled[:, :shortlist].sum(axis=1) - 1, 0)
    place = np.where(looked_at.any(axis=1), looked_at.argmax(axis=1), last)
    answered = np.take_along_axis(words, place[:, np.newaxis], axis=1)
    # A row that is not allowed matters where none is, or where it could take the last place of the shortlist.
    rivals = allowed | ~looked_at.any(axis=1, keepdims=True)
    rivals[:, shortlist:] = True
    return place, rivals & filled & (words != answered)


def _near_ties(
    model: Embeddings,
    inputs: I64,
    best: I64,
    scores: npt.NDArray[np.float32],
    place: I64,
    rivals: Bool,
    method: str,
) -> Bool:
    """Whether a rival's score is nearer than `NEAR_TIE` to the answer's, in float64; bool [n]."""
    chosen = np.take_along_axis(scores, place[:, np.newaxis], axis=1)
    # The scores are rounded to float32: whatever is near with that allowed for is looked at again.
    question, column = np.nonzero(rivals & (np.abs(scores - chosen) < NEAR_TIE + 4 * np.spacing(np.abs(chosen))))
    answers, others = best[question, place[question]], best[question, column]
    gap = _scores(model, inputs[question], answers, method) - _scores(model, inputs[question], others, method)
    tied = np.zeros(len(best), dtype=np.bool_)
    tied[question[np.abs(gap) < NEAR_TIE]] = True
    return tied


def _scores(model: Embeddings, inputs: I64, candidates: I64, method: str) -> npt.NDArray[np.float64]:
    """The score of one candidate for each question with nothing rounded to float32, float64 [n]."""

    def unit(rows: I64) -> npt.NDArray[np.float64]:
        norms = model.norms[rows]
        return model.vectors[rows] / np.where(norms > 0, norms, 1)[:, np.newaxis]

    a, b, c = (unit(rows) for rows in inputs.T)
    d = unit(candidates)
    if method == "3cosadd":
        query = b - a + c
        length = np.linalg.norm(query, axis=1)
        return (query * d).sum(axis=1) / np.where(length > 0, length, 1)
    if method == "pairdirection":
        lengths = np.linalg.norm(b - a, axis=1) * np.linalg.norm(d - c, axis=1)
        return ((b - a) * (d - c)).sum(axis=1) / np.where(lengths > 0, lengths, 1)
    s_a, s_b, s_c = (((x * d).sum(axis=1) + 1) / 2 for x in (a, b, c))
    return s_b * s_c / (s_a + COSMUL_EPSILON)
