"""The solver of analogies: one for all protocols and methods."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.asked import Asked, Further, pairs_of, questions_of
from wordgeo.evaluation.objectives import SET_METHODS, Objective, objective
from wordgeo.evaluation.protocols import Lookup, Protocol
from wordgeo.evaluation.suites import AnalogySuite
from wordgeo.progress import Progress
from wordgeo.query.analogies import Answers

__all__ = ["NEAR_TIE", "Solved", "solve"]

NEAR_TIE = 1e-6
ITEMS_A_BATCH = 1 << 14  # the more at once, the fewer times the engine goes through the rows
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
    asked = found.asked
    given, also_given = asked.given[which], asked.also_given.of(which)
    accepted, also_accepted = asked.accepted[which], asked.also_accepted.of(which)
    out, also_out = (given, also_given) if protocol.exclude != "none" else (given[:, :0], Further.none())
    shortlist = protocol.shortlist if protocol.exclude == "string" else 1
    gold = _best_accepted(aim, which, accepted, also_accepted, out, also_out, lookup)
    # One row beyond the shortlist, so that a tie at its end is seen.
    best = _best(aim, which, shortlist + 1, out, also_out, gold)
    if protocol.exclude == "string":
        place, rivals = _choose(best.rows, given, also_given, lookup, shortlist)
    else:
        place, rivals = _choose(best.rows, given[:, :0], Further.none(), lookup, shortlist)
    answers = np.take_along_axis(best.rows, place[:, np.newaxis], axis=1)[:, 0]
    if protocol.positive:
        scores = np.take_along_axis(best.scores, place[:, np.newaxis], axis=1)[:, 0]
        answers = np.where(scores > 0, answers, -1)
    words = np.where(answers >= 0, lookup.same[answers], -2)
    right = words == accepted
    right[also_accepted.item[words[also_accepted.item] == also_accepted.row]] = True
    found.answers[which] = answers
    found.correct[which] = right
    found.near_ties[which] = _near_ties(aim, which, best.rows, best.scores, place, rivals)
    assert best.rank_min is not None and best.rank_max is not None
    # Variants that are passed over take no place.
    passed = _variants(given, also_given, lookup) if protocol.exclude == "string" else Further.none()
    before, beside = _ahead(aim, which, passed, gold)
    ranked = best.rank_min > 0
    found.rank_min[which] = np.where(ranked, best.rank_min - before, 0)
    found.rank_max[which] = np.where(ranked, best.rank_max - beside, 0)


def _best(aim: Objective, which: I64, k: int, out: I64, also_out: Further, gold: I64) -> Answers:
    """The k best outside `out` [n, m] and `also_out`, and the rank of `gold`.

    The engine looks through m rows for each candidate. So it is given only the words that every item has, and asked for
    a few answers more, from which the others are taken out afterwards.
    """
    if not len(also_out.item):
        return aim.best(which, k=k, exclude=out, gold=gold)
    best = aim.best(which, k=k + SPARE, exclude=out, gold=gold)
    dropped = _marked(best.rows, also_out)
    order = np.argsort(dropped, axis=1, kind="stable")[:, :k]
    taken = np.take_along_axis(dropped, order, axis=1)
    rows = np.where(taken, -1, np.take_along_axis(best.rows, order, axis=1))
    scores = np.where(taken, np.float32(np.nan), np.take_along_axis(best.scores, order, axis=1))
    short = np.flatnonzero(taken.any(axis=1))
    if len(short):
        more = also_out.of(short)
        within = np.arange(len(more.item)) - np.searchsorted(more.item, more.item)
        every = np.full((len(short), within.max() + 1), -1)
        every[more.item, within] = more.row
        again = aim.best(which[short], k=k, exclude=np.hstack([out[short], every]), gold=gold[short])
        rows[short, : again.rows.shape[1]], scores[short, : again.rows.shape[1]] = again.rows, again.scores
    apart = (out[also_out.item] != also_out.row[:, np.newaxis]).all(axis=1)
    further = Further(also_out.item[apart], also_out.row[apart])
    before, beside = _ahead(aim, which, further.join(Further.none()), gold)
    assert best.rank_min is not None and best.rank_max is not None
    ranked = best.rank_min > 0
    return Answers(
        rows, scores, np.where(ranked, best.rank_min - before, 0), np.where(ranked, best.rank_max - beside, 0)
    )


def _marked(rows: I64, further: Further) -> Bool:
    """Which of `rows` [n, k] stand in `further`."""
    marked = np.zeros(rows.shape, dtype=np.bool_)
    at, column = np.nonzero(rows[further.item] == further.row[:, np.newaxis])
    marked[further.item[at], column] = True
    return marked


def _ahead(aim: Objective, which: I64, further: Further, gold: I64) -> tuple[I64, I64]:
    """How many of the further rows of each item score above its gold row, and how many at least as much; [n] each."""
    has = gold[further.item] >= 0
    item, row = further.item[has], further.row[has]
    items = np.unique(item)
    own = np.empty(len(which), dtype=np.float32)
    own[items] = aim.scores(which, items, gold[items])
    theirs, own = aim.scores(which, item, row), own[item]
    n = len(which)
    return np.bincount(item[theirs > own], minlength=n), np.bincount(item[theirs >= own], minlength=n)


def _best_accepted(
    aim: Objective, which: I64, accepted: I64, also: Further, out: I64, also_out: Further, lookup: Lookup
) -> I64:
    """Of the rows that would be right and may answer, the one with the best score; -1 where there is none."""
    own = np.flatnonzero(accepted >= 0)
    every = Further(own, accepted[own]).join(also).join(_variants(accepted[:, np.newaxis], also, lookup))
    item, row = every.item, every.row
    may = (out[item] != row[:, np.newaxis]).all(axis=1)
    size = len(lookup.same)
    if len(also_out.item):
        may &= ~np.isin(item * size + row, also_out.item * size + also_out.row)
    item, row = item[may], row[may]
    several = np.bincount(item, minlength=len(which))[item] > 1
    scores = np.zeros(len(item), dtype=np.float32)
    scores[several] = aim.scores(which, item[several], row[several])
    order = np.lexsort((row, -scores, item))
    items, first = np.unique(item[order], return_index=True)
    gold = np.full(len(which), -1)
    gold[items] = row[order][first]
    return gold


def _variants(rows: I64, also: Further, lookup: Lookup) -> Further:
    """The later rows that fold like `rows` [n, m] or like the further ones, each once an item."""
    place, row = lookup.variants(rows.ravel())
    more, of_more = lookup.variants(also.row)
    return Further(place // max(1, rows.shape[1]), row).join(Further(also.item[more], of_more))


def _choose(best: I64, given: I64, also: Further, lookup: Lookup, shortlist: int) -> tuple[I64, Bool]:
    """Where in `best` [n, shortlist + 1] each answer stands, int64 [n]; and which other rows might have been it."""
    filled = best >= 0
    words = np.where(filled, lookup.same[best], -1)
    allowed = filled & ~_marked(words, also)
    for column in given.T:
        allowed &= words != column[:, np.newaxis]
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
