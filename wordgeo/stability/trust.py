"""Answers that carry their trust: in how many runs a neighbour or an answer appears, and how far its scores spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo import _fast
from wordgeo.evaluation.statistics import wilson_interval
from wordgeo.query import WordVectors
from wordgeo.query.filters import Filter
from wordgeo.results import Result, Table
from wordgeo.stability.lists import same_words
from wordgeo.validate import whole_number

if TYPE_CHECKING:
    from wordgeo.stability.ensemble import Ensemble

__all__ = ["TrustedAnswers", "TrustedNeighbors", "trusted_analogy", "trusted_neighbors"]

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class TrustedNeighbors(Result):
    """Neighbours of a word, those that most runs have among their k first; ties by mean cosine.

    Arrays of one length: `share` of the `runs` in which the word is among the k nearest, with its Wilson interval from
    `low` to `high`; `cosine` and `deviation`, mean and standard deviation over runs; `rank_min`, `rank_median` and
    `rank_max` over runs, whether among the k or not. `others` is how many further words some run has among its k.
    """

    query: str
    k: int
    runs: int
    words: tuple[str, ...]
    share: F64
    low: F64
    high: F64
    cosine: F64
    deviation: F64
    rank_min: I64
    rank_median: F64
    rank_max: I64
    others: int

    def tables(self) -> list[Table]:
        """One row for each neighbour."""
        columns = ("word", "share", "low", "high", "cosine", "deviation", "rank min", "rank median", "rank max")
        arrays = (self.share, self.low, self.high, self.cosine, self.deviation, self.rank_min, self.rank_median,
                  self.rank_max)  # fmt: skip
        rows = list(zip(self.words, *(array.tolist() for array in arrays), strict=True))
        certain = int((self.share == 1).sum())
        notes = [
            f"share: of {self.runs} runs that have the word among their {self.k} nearest (95 % Wilson interval); "
            f"{certain} are in all, {self.others} further words in some."
        ]
        return [Table(columns, rows, self.query, notes)]

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, repr=False, eq=False)
class TrustedAnswers(Result):
    """Answers to "a is to b as c is to ?": those that most runs give come first.

    Arrays of one length: `share` of the `runs` whose first answer is this word, with its Wilson interval from `low` to
    `high`; `among` the share of runs in which it is among the k best; `score`, its mean over these.
    """

    query: str
    k: int
    runs: int
    words: tuple[str, ...]
    share: F64
    low: F64
    high: F64
    among: F64
    score: F64

    def tables(self) -> list[Table]:
        """One row for each answer."""
        columns = ("word", "share", "low", "high", f"among {self.k}", "score")
        arrays = (self.share, self.low, self.high, self.among, self.score)
        rows = list(zip(self.words, *(array.tolist() for array in arrays), strict=True))
        notes = [f"share: of {self.runs} runs that answer so (95 % Wilson interval)."]
        return [Table(columns, rows, self.query, notes)]

    def __len__(self) -> int:
        return len(self.words)


def trusted_neighbors(
    ensemble: Ensemble, words: Sequence[str], k: int, filters: dict[str, Any]
) -> list[TrustedNeighbors]:
    """The k neighbours of each word that most models have among their k nearest, over the words that all have."""
    shared = ensemble.shared
    k = ensemble.check_k(k)
    rows = shared.rows(words)
    allowed = _allowed(ensemble, filters)
    k = min(k, int(allowed.sum()))
    own = [None if same_words(model.vocabulary, shared) else model.vocabulary.rows(shared.words) for model in ensemble]
    results = []
    for word, row in zip(words, rows.tolist(), strict=True):
        scores = np.empty((len(ensemble), len(shared)), dtype=np.float32)
        for of_model, model, places in zip(scores, ensemble, own, strict=True):
            of_model[:] = _cosines(model, row) if places is None else _cosines(model, int(places[row]))[places]
        candidates = allowed.copy()
        candidates[row] = False
        results.append(_trusted(ensemble, word, k, scores, np.flatnonzero(candidates)))
    return results


def _trusted(
    ensemble: Ensemble, word: str, k: int, scores: npt.NDArray[np.float32], candidates: I64
) -> TrustedNeighbors:
    of_candidates = scores[:, candidates]
    order = np.argsort(-of_candidates, axis=1, kind="stable")  # ties by row
    k = min(k, len(candidates))
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.broadcast_to(np.arange(1, len(candidates) + 1), order.shape), axis=1)
    found, times = np.unique(order[:, :k], return_counts=True)
    cosine = of_candidates[:, found].astype(np.float64)
    best = np.lexsort((found, -cosine.mean(axis=0), -times))[:k]
    ranks, cosine, times = places[:, found[best]], cosine[:, best], times[best]
    runs = len(ensemble)
    ends = np.array([wilson_interval(int(x), runs) for x in times]).reshape(-1, 2)
    return TrustedNeighbors(
        query=word,
        k=k,
        runs=runs,
        words=tuple(ensemble.shared[i] for i in candidates[found[best]].tolist()),
        share=times / runs,
        low=ends[:, 0],
        high=ends[:, 1],
        cosine=cosine.mean(axis=0),
        deviation=cosine.std(axis=0, ddof=1) if runs > 1 else np.full(len(best), np.nan),
        rank_min=ranks.min(axis=0),
        rank_median=np.median(ranks, axis=0),
        rank_max=ranks.max(axis=0),
        others=len(found) - len(best),
    )


def trusted_analogy(
    ensemble: Ensemble, question: tuple[str, str, str], k: int, method: str, filters: dict[str, Any]
) -> TrustedAnswers:
    """The k answers that most models give first, then those that most have among their k best."""
    runs, shared = len(ensemble), ensemble.shared
    k = whole_number("k", k, 1)
    if not all(same_words(model.vocabulary, shared) for model in ensemble):
        chosen = filters.get("words")
        filters = {**filters, "words": shared.words if chosen is None else [word for word in chosen if word in shared]}
    answers = [model.analogy(*question, k=k, method=method, **filters) for model in ensemble]
    first: dict[str, int] = {}
    scores: dict[str, list[float]] = {}
    for found in answers:
        for i, (word, score) in enumerate(zip(found.words, found.scores.tolist(), strict=True)):
            first[word] = first.get(word, 0) + (i == 0)
            scores.setdefault(word, []).append(score)
    words = sorted(scores, key=lambda w: (-first[w], -len(scores[w]), -float(np.mean(scores[w])), w))[:k]
    ends = np.array([wilson_interval(first[word], runs) for word in words]).reshape(-1, 2)
    return TrustedAnswers(
        query="{} is to {} as {} is to ?".format(*question),
        k=k,
        runs=runs,
        words=tuple(words),
        share=np.array([first[word] / runs for word in words]),
        low=ends[:, 0],
        high=ends[:, 1],
        among=np.array([len(scores[word]) / runs for word in words]),
        score=np.array([np.mean(scores[word]) for word in words]),
    )


def _allowed(ensemble: Ensemble, filters: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Which shared words may answer; counts and ranks are those of the first model."""
    allowed = np.zeros(len(ensemble.shared), dtype=bool)
    rows = Filter(**filters).candidates(ensemble[0])
    if rows is None:
        allowed[:] = True
        return allowed
    found = ensemble.shared.find([ensemble[0].vocabulary[row] for row in rows.tolist()])
    allowed[found[found >= 0]] = True
    return allowed


def _cosines(model: WordVectors, row: int) -> npt.NDArray[np.float32]:
    """Cosines of all rows with one of them, float32 [words]."""
    out = np.empty(len(model), dtype=np.float32)
    query = model.vectors[row].astype(np.float64)
    _fast.scores(model.vectors, model.norms, query, float(model.norms[row]), out, np.empty(len(model)))
    return out
