"""The solver of analogies: one for all protocols and methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.asked import Asked, pairs_of, questions_of
from wordgeo.evaluation.objectives import SET_METHODS, Objective, objective
from wordgeo.evaluation.protocols import Lookup, Protocol
from wordgeo.evaluation.suites import AnalogySuite
from wordgeo.progress import Progress
from wordgeo.query.analogies import Answers

__all__ = ["NEAR_TIE", "Solved", "solve"]

NEAR_TIE = 1e-6
ITEMS_A_BATCH = 1 << 15  # the more at once, the more questions share a word
GIVEN = 3  # words of a question
SPARE = 8

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True, eq=False)
class Solved:
    """What a model answers to what was `asked`, in its order; n items.

    `tried` bool [n]: asked at all. `answers` int64 [n]: the row of the answer, -1 where there is none. `correct` bool
    [n]. `rank_min`, `rank_max` int64 [n]: the first and last place that the best of the accepted rows can claim among
    all rows that may answer, 0 where it may not answer or was not asked for. `near_ties` bool [n]: the answer and
    another one that might have been given differ by less than 1e-6 in score.
    """

    asked: Asked
    tried: Bool
    answers: I64
    correct: Bool
    rank_min: I64
    rank_max: I64
    near_ties: Bool


def solve(
    model: Embeddings,
    suite: AnalogySuite,
    protocol: Protocol,
    *,
    method: str = "3cosadd",
    seed: int = 1,
    threads: int | None = None,
    progress: Progress,
) -> Solved:
    """Answers the questions of `suite` by the rules of `protocol`, or its pairs by a method that learns from pairs."""
    lookup = protocol.lookup(model.vocabulary)
    sets = method in SET_METHODS
    asked = pairs_of(suite, lookup) if sets else questions_of(suite, protocol, lookup)
    tried = asked.known
    if protocol.unknown == "mean" and not sets:
        tried = asked.rows[:, 3] >= 0
    n = len(asked)
    found = Solved(
        asked, tried, np.full(n, -1), np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.bool_),
    )  # fmt: skip
    which = np.flatnonzero(tried)
    progress.start(f"{suite.name}, {method}", len(which), "questions")
    try:
        if len(which):
            aim = objective(model, asked, protocol, method, limit=len(lookup.same), seed=seed, threads=threads)
            for begin in range(0, len(which), ITEMS_A_BATCH):
                _answer(found, which[begin : begin + ITEMS_A_BATCH], aim, lookup, protocol)
                progress.advance(len(which[begin : begin + ITEMS_A_BATCH]))
    finally:
        progress.finish()
    return found


def _answer(found: Solved, which: I64, aim: Objective, lookup: Lookup, protocol: Protocol) -> None:
    """Fills in the items `which`."""
    given, accepted = found.asked.given[which], found.asked.accepted[which]
    exclude = given if protocol.exclude != "none" else given[:, :0]
    shortlist = protocol.shortlist if protocol.exclude == "string" else 1
    gold = _best_accepted(aim, which, accepted, exclude, lookup)
    # One row beyond the shortlist, so that a tie at its end is seen.
    best = _best(aim, which, shortlist + 1, exclude, gold)
    place, rivals = _choose(best.rows, given if protocol.exclude == "string" else given[:, :0], lookup, shortlist)
    answers = np.take_along_axis(best.rows, place[:, np.newaxis], axis=1)[:, 0]
    if protocol.positive:
        scores = np.take_along_axis(best.scores, place[:, np.newaxis], axis=1)[:, 0]
        answers = np.where(scores > 0, answers, -1)
    words = np.where(answers >= 0, lookup.same[answers], -2)
    found.answers[which] = answers
    found.correct[which] = (words[:, np.newaxis] == accepted).any(axis=1)
    found.near_ties[which] = _near_ties(aim, which, best.rows, best.scores, place, rivals)
    assert best.rank_min is not None and best.rank_max is not None
    # Variants that are passed over take no place.
    passed = _variants(given, lookup) if protocol.exclude == "string" else _variants(given[:0], lookup)
    before, beside = _ahead(aim, which, *passed, gold)
    ranked = best.rank_min > 0
    found.rank_min[which] = np.where(ranked, best.rank_min - before, 0)
    found.rank_max[which] = np.where(ranked, best.rank_max - beside, 0)


def _best(aim: Objective, which: I64, k: int, exclude: I64, gold: I64) -> Answers:
    """The k best outside `exclude` [n, m] and the rank of `gold`.

    The engine looks through m rows for each candidate. Where they are more than a question's own words, it is given
    only those and asked for a few answers more, from which the others are taken out afterwards.
    """
    own, others = exclude[:, :GIVEN], exclude[:, GIVEN:]
    if not others.shape[1]:
        return aim.best(which, k=k, exclude=own, gold=gold)
    best = aim.best(which, k=k + SPARE, exclude=own, gold=gold)
    out = (best.rows[:, :, np.newaxis] == others[:, np.newaxis, :]).any(axis=2) & (best.rows >= 0)
    order = np.argsort(out, axis=1, kind="stable")[:, :k]
    taken = np.take_along_axis(out, order, axis=1)
    rows = np.where(taken, -1, np.take_along_axis(best.rows, order, axis=1))
    scores = np.where(taken, np.float32(np.nan), np.take_along_axis(best.scores, order, axis=1))
    short = np.flatnonzero(taken.any(axis=1))
    if len(short):
        again = aim.best(which[short], k=k, exclude=exclude[short], gold=gold[short])
        rows[short, : again.rows.shape[1]], scores[short, : again.rows.shape[1]] = again.rows, again.scores
    item, column = np.nonzero(others >= 0)
    item, row = np.unique(np.stack([item, others[item, column]]), axis=1)
    apart = (own[item] != row[:, np.newaxis]).all(axis=1)
    before, beside = _ahead(aim, which, item[apart], row[apart], gold)
    assert best.rank_min is not None and best.rank_max is not None
    ranked = best.rank_min > 0
    return Answers(
        rows, scores, np.where(ranked, best.rank_min - before, 0), np.where(ranked, best.rank_max - beside, 0)
    )


def _ahead(aim: Objective, which: I64, item: I64, row: I64, gold: I64) -> tuple[I64, I64]:
    """How many of the `row` of each item score above its gold row, and how many at least as much; int64 [n] each."""
    item, row = item[gold[item] >= 0], row[gold[item] >= 0]
    theirs, own = aim.scores(which[item], row), aim.scores(which[item], gold[item])
    n = len(which)
    return np.bincount(item[theirs > own], minlength=n), np.bincount(item[theirs >= own], minlength=n)


def _best_accepted(aim: Objective, which: I64, accepted: I64, exclude: I64, lookup: Lookup) -> I64:
    """Of the rows that would be right and may answer, the one with the best score; -1 where there is none."""
    item, column = np.nonzero(accepted >= 0)
    row = accepted[item, column]
    more_items, more_rows = _variants(accepted, lookup)
    item, row = np.concatenate([item, more_items]), np.concatenate([row, more_rows])
    may = (exclude[item] != row[:, np.newaxis]).all(axis=1)
    item, row = item[may], row[may]
    several = np.bincount(item, minlength=len(which))[item] > 1
    scores = np.zeros(len(item), dtype=np.float32)
    scores[several] = aim.scores(which[item[several]], row[several])
    order = np.lexsort((row, -scores, item))
    items, first = np.unique(item[order], return_index=True)
    gold = np.full(len(which), -1)
    gold[items] = row[order][first]
    return gold


def _variants(rows: I64, lookup: Lookup) -> tuple[I64, I64]:
    """The later rows that fold like `rows` [n, m]: which of the n each belongs to, and the row."""
    pairs: Sequence[tuple[int, int]] = [
        (i, other)
        for i, own in enumerate(rows.tolist() if lookup.has_variants else [])
        for row in dict.fromkeys(own)
        for other in lookup.variants(row)
    ]
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0].copy(), both[:, 1].copy()


def _choose(best: I64, given: I64, lookup: Lookup, shortlist: int) -> tuple[I64, Bool]:
    """Where in `best` [n, shortlist + 1] each answer stands, int64 [n]; and which other rows might have been it."""
    filled = best >= 0
    words = np.where(filled, lookup.same[best], -1)
    allowed = filled & (words[:, :, np.newaxis] != given[:, np.newaxis, :]).all(axis=2)
    looked_at = allowed[:, :shortlist]
    last = np.maximum(filled[:, :shortlist].sum(axis=1) - 1, 0)
    place = np.where(looked_at.any(axis=1), looked_at.argmax(axis=1), last)
    answered = np.take_along_axis(words, place[:, np.newaxis], axis=1)
    # A row that is not allowed matters where none is, or where it could take the last place of the shortlist.
    rivals = allowed | ~looked_at.any(axis=1, keepdims=True)
    rivals[:, shortlist:] = True
    return place, rivals & filled & (words != answered)


def _near_ties(aim: Objective, which: I64, best: I64, scores: F32, place: I64, rivals: Bool) -> Bool:
    """Whether a rival's score is nearer than `NEAR_TIE` to the answer's, in float64; bool [n]."""
    chosen = np.take_along_axis(scores, place[:, np.newaxis], axis=1)
    # The scores are rounded to float32: whatever is near with that allowed for is looked at again.
    question, column = np.nonzero(rivals & (np.abs(scores - chosen) < NEAR_TIE + 4 * np.spacing(np.abs(chosen))))
    answers, others = best[question, place[question]], best[question, column]
    gap = aim.exact(which[question], answers) - aim.exact(which[question], others)
    tied = np.zeros(len(best), dtype=np.bool_)
    tied[question[np.abs(gap) < NEAR_TIE]] = True
    return tied
