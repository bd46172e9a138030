"""Degrees of relational similarity (SemEval-2012 Task 2): which pairs are the better instances of a relation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.clusters import PairBootstrap
from wordgeo.evaluation.graded import score_fours
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.report import BenchmarkReport, facts, percent
from wordgeo.evaluation.statistics import RESAMPLES, bootstrap_intervals, spearman
from wordgeo.evaluation.suites import MaxDiff, Relation, RelationSuite, Two
from wordgeo.results import Table

__all__ = ["Graded", "GradedRecord", "RelationMean", "RelationReport", "RelationScore", "grade", "report_relations"]

F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

HEADLINE = "Testing"  # the relations that published scores are means over


@dataclasses.dataclass(frozen=True, eq=False)
class Graded:
    """What a model says of the pairs of a relation: `scores` float64 [pairs], 0 where a word is not `known` bool."""

    scores: F64
    known: Bool


@dataclasses.dataclass(frozen=True)
class RelationScore:
    """A relation: Spearman's coefficient of the model's scores with people's, and the share of MaxDiff choices right.

    `spearman` is over the pairs in the vocabulary, with a percentile bootstrap over them, `spearman_all` over all
    pairs, unknown ones with score 0 (the middle of what people say). `maxdiff` is over the `asked` of `questions` whose
    four pairs are known: each has two choices, the least and the most illustrative pair, and a choice is right where no
    other got more votes. Its interval is over questions. `maxdiff_all` is over all questions. What cannot be computed
    is None.
    """

    name: str
    group: str
    pairs: int
    in_vocabulary: int
    spearman: float | None
    low: float | None
    high: float | None
    spearman_all: float | None
    questions: int
    asked: int
    maxdiff: float | None
    maxdiff_low: float | None
    maxdiff_high: float | None
    maxdiff_all: float | None


@dataclasses.dataclass(frozen=True)
class RelationMean:
    """Means over the relations of a group, with intervals that resample relations.

    A relation without a coefficient is left out of `spearman` and `maxdiff`, and counts 0 in the means over all pairs.
    """

    name: str
    relations: int
    spearman: float | None
    low: float | None
    high: float | None
    spearman_all: float
    maxdiff: float | None
    maxdiff_low: float | None
    maxdiff_high: float | None
    maxdiff_all: float


@dataclasses.dataclass(frozen=True, slots=True)
class GradedRecord:
    """A pair, what people say of it (-100 to 100), and the model's score (None where a word is unknown)."""

    relation: str
    pair: Two
    human: float
    score: float | None


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class RelationReport(BenchmarkReport):
    """Agreement with people about how well pairs show a relation.

    `score` is the mean of Spearman's coefficient over the relations for testing (over all where none are), `total` is
    over all relations, `groups` over those for training and for testing. `records` has every pair where it was asked.
    """

    in_vocabulary: int
    pairs: int
    coverage: float
    total: RelationMean
    groups: tuple[RelationMean, ...]
    relations: tuple[RelationScore, ...]
    records: tuple[GradedRecord, ...] | None = None
    resamples: int = RESAMPLES
    interval: str = "bootstrap over relations"
    kind: str = "relations"

    def tables(self) -> list[Table]:
        """One row for each relation, then the groups and the total."""
        columns = ("pairs", "in_vocabulary", "spearman", "low", "high", "spearman_all", "questions", "asked", "maxdiff",
                   "maxdiff_low", "maxdiff_high", "maxdiff_all")  # fmt: skip
        means = (*self.groups, self.total)
        rows = [[row.name, *(getattr(row, name) for name in columns)] for row in self.relations]
        rows += [[mean.name, *(getattr(mean, name, None) for name in columns)] for mean in means]
        notes = [
            f"{self.in_vocabulary} of {self.pairs} pairs are in the vocabulary; _all gives the others the score 0.",
            f"low to high: {percent(self.level)} bootstrap ({self.resamples} resamples, seed {self.seed}), over the "
            "pairs or questions of a relation, and over relations for means.",
            "maxdiff: choices of the least and the most illustrative of four pairs that no other choice outvotes.",
        ]
        return [Table(("relation", *columns), rows, self.title(), notes + self.about_file())]


def grade(
    model: Embeddings, suite: RelationSuite, protocol: Protocol, *, method: str, seed: int, threads: int | None
) -> list[Graded]:
    """Scores each pair c : d of a relation by the mean, over its examples a : b, of the score of d for a : b = c : ?.

    Examples with an unknown word are left out; where all have one, no pair of the relation is known.
    """
    lookup = protocol.lookup(model.vocabulary)
    fours = []
    for relation in suite.relations:
        shown, pairs = (
            lookup.rows(word for two in some for word in two).reshape(-1, 2)
            for some in (relation.examples, relation.pairs)
        )
        shown = shown[shown.min(axis=1) >= 0]
        fours.append(np.hstack([np.tile(shown, (len(pairs), 1)), np.repeat(pairs, len(shown), axis=0)]))
    every = np.concatenate(fours)
    known = every.min(axis=1, initial=0) >= 0
    scores = np.zeros(len(every))
    scores[known] = score_fours(model, every[known], lookup, protocol, method=method, seed=seed, threads=threads)
    found, begin = [], 0
    for relation, rows in zip(suite.relations, fours, strict=True):
        mine, shape = slice(begin, begin + len(rows)), (len(relation.pairs), -1)
        begin += len(rows)
        if len(rows):
            found.append(Graded(scores[mine].reshape(shape).mean(axis=1), known[mine].reshape(shape)[:, 0]))
        else:
            found.append(Graded(np.zeros(shape[0]), np.zeros(shape[0], dtype=np.bool_)))
    return found


def report_relations(
    model: Embeddings,
    suite: RelationSuite,
    found: Sequence[Graded],
    protocol: Protocol,
    *,
    method: str,
    level: float,
    seed: int,
    records: bool,
) -> RelationReport:
    """Compares scores and choices with people's."""
    relations = tuple(_score(r, one, level, seed) for r, one in zip(suite.relations, found, strict=True))
    names = list(dict.fromkeys(r.group for r in relations if r.group))
    groups = tuple(_mean(name, [r for r in relations if r.group == name], level, seed) for name in names)
    total = _mean("total", relations, level, seed)
    headline = next((group for group in groups if group.name == HEADLINE), total)
    pairs, known = sum(r.pairs for r in relations), sum(r.in_vocabulary for r in relations)
    return RelationReport(
        **facts(model, suite, protocol, method=method, level=level, seed=seed),
        score=headline.spearman if protocol.unknown == "skip" else headline.spearman_all,
        in_vocabulary=known,
        pairs=pairs,
        coverage=known / pairs,
        total=total,
        groups=groups,
        relations=relations,
        records=tuple(
            GradedRecord(relation.name, pair, human, float(score) if known else None)
            for relation, one in zip(suite.relations, found, strict=True)
            for pair, human, score, known in zip(relation.pairs, relation.scores, one.scores, one.known, strict=True)
        )
        if records
        else None,
    )


def _score(relation: Relation, found: Graded, level: float, seed: int) -> RelationScore:
    human = np.array(relation.scores)
    known = found.known
    both = human[known], found.scores[known]
    value = spearman(*both)
    ends = bootstrap_intervals(*both, level=level, seed=seed)[0] if value is not None else None
    right = np.array([_right(question, found.scores) for question in relation.questions], dtype=np.float64)
    asked = np.array([known[list(question.pairs)].all() for question in relation.questions], dtype=np.bool_)
    maxdiff = maxdiff_ends = None
    if asked.any():
        maxdiff = float(right[asked].mean())
        clusters = np.repeat(np.arange(int(asked.sum())), 2)
        pairs = np.stack([clusters, np.full(len(clusters), -1)], axis=1)
        resampled = PairBootstrap(pairs, np.zeros(len(pairs), dtype=np.int64), seed).of(right[asked].reshape(-1, 1))
        maxdiff_ends = resampled.intervals(level)[:, 0].tolist() if len(pairs) > 2 else None
    return RelationScore(
        name=relation.name,
        group=relation.group,
        pairs=len(human),
        in_vocabulary=int(known.sum()),
        spearman=value,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        spearman_all=spearman(human, found.scores),
        questions=len(relation.questions),
        asked=int(asked.sum()),
        maxdiff=maxdiff,
        maxdiff_low=maxdiff_ends[0] if maxdiff_ends else None,
        maxdiff_high=maxdiff_ends[1] if maxdiff_ends else None,
        maxdiff_all=float(right.mean()) if len(right) else None,
    )


def _right(question: MaxDiff, scores: F64) -> tuple[bool, bool]:
    """Whether the pairs with the lowest and the highest score (the first of equal ones) got the most votes."""
    own = scores[list(question.pairs)]
    least, most = int(own.argmin()), int(own.argmax())
    return question.least[least] == max(question.least), question.most[most] == max(question.most)


def _mean(name: str, relations: Sequence[RelationScore], level: float, seed: int) -> RelationMean:
    def over(values: Sequence[float | None]) -> tuple[float | None, float | None, float | None]:
        there = np.array([value for value in values if value is not None])
        if not len(there):
            return None, None, None
        own = np.stack([np.arange(len(there)), np.full(len(there), -1)], axis=1)
        resampled = PairBootstrap(own, np.zeros(len(there), dtype=np.int64), seed).of(there[:, np.newaxis])
        low, high = resampled.differences(level)[0][:, 0].tolist() if len(there) > 1 else (None, None)
        return float(there.mean()), low, high

    rho, low, high = over([r.spearman for r in relations])
    maxdiff, maxdiff_low, maxdiff_high = over([r.maxdiff for r in relations])
    return RelationMean(
        name=name,
        relations=len(relations),
        spearman=rho,
        low=low,
        high=high,
        spearman_all=float(np.mean([r.spearman_all or 0.0 for r in relations])),
        maxdiff=maxdiff,
        maxdiff_low=maxdiff_low,
        maxdiff_high=maxdiff_high,
        maxdiff_all=float(np.mean([r.maxdiff_all or 0.0 for r in relations])),
    )
