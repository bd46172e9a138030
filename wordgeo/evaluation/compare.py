"""Comparisons of models on the same questions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.analogy import Solved, solve
from wordgeo.evaluation.choices import Chosen, choose
from wordgeo.evaluation.clusters import PairBootstrap, holm, mcnemar
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.registry import load_suite
from wordgeo.evaluation.relations import Graded, grade
from wordgeo.evaluation.run import protocol_of
from wordgeo.evaluation.similarity import score_pairs
from wordgeo.evaluation.statistics import RESAMPLES, difference_of_spearman, spearman
from wordgeo.evaluation.suites import AnalogySuite, ChoiceSuite, RelationSuite, SimilaritySuite, Suite
from wordgeo.progress import SilentProgress
from wordgeo.results import Result, Table
from wordgeo.validate import number, whole_number

__all__ = [
    "Comparison",
    "ComparisonReport",
    "compare_models",
]

BASIS = "gensim"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two models on the questions (or pairs) that both could be asked.

    `difference` is second minus first (accuracy, Spearman, or the mean of Spearman over relations), `low` to `high` its
    paired bootstrap interval (over word pairs, or over relations), and `bootstrap_p` its p-value. `only_first` and
    `only_second` are questions that one alone answered right, and
    `mcnemar_p` the exact test of them, which takes questions for independent; both None for similarities. `p_value` is
    the larger of the two, `holm_p` the same adjusted for all comparisons of the report. `verdict` says better only
    where `holm_p` is below 1 - level.
    """

    first: str
    second: str
    questions: int
    score_first: float | None
    score_second: float | None
    difference: float | None
    low: float | None
    high: float | None
    only_first: int | None
    only_second: int | None
    mcnemar_p: float | None
    bootstrap_p: float | None
    p_value: float | None
    holm_p: float | None
    verdict: str


@dataclasses.dataclass(frozen=True, repr=False)
class ComparisonReport(Result):
    """Every two of several models, on one suite."""

    suite: str
    path: str
    method: str
    protocol: Protocol
    level: float
    seed: int
    comparisons: tuple[Comparison, ...]
    resamples: int = RESAMPLES
    kind: str = "comparison"

    def tables(self) -> list[Table]:
        """One row for each comparison."""
        columns = tuple(field.name for field in dataclasses.fields(Comparison))
        notes = [
            "On the questions that both could be asked. difference: second minus first, with its "
            f"{100 * self.level:g} % paired bootstrap interval ({self.resamples} resamples, seed {self.seed}).",
            f"holm_p: adjusted for {len(self.comparisons)} comparisons. better: only where it is below "
            f"{1 - self.level:.4g}; no verdict is not a proof that two are equal.",
        ]
        title = f"{self.suite}: {self.method}, protocol {self.protocol.name}, compared"
        return [Table(columns, [dataclasses.astuple(one) for one in self.comparisons], title, notes)]


def compare_models(
    models: Mapping[str, Embeddings],
    suite: str | Suite,
    *,
    method: str = "3cosadd",
    protocol: str | Protocol = BASIS,
    level: float = 0.95,
    seed: int = 1,
    threads: int | None = None,
    **rules: Any,
) -> ComparisonReport:
    """Compares every two of `models` (by name) on the questions of `suite` that both can be asked.

    The other options are those of `evaluate`. References: Q. McNemar 1947; S. Holm 1979; for the bootstrap see
    `PairBootstrap`. Raises `OptionError` for fewer than two models, or a suite that has no questions or pairs.
    """
    if len(models) < 2:
        raise OptionError(f"there are {len(models)} models; give two or more to compare")
    level, seed = number("level", level, 0.5, 0.9999), whole_number("seed", seed, 0)
    used = protocol_of(protocol, **rules)
    loaded = load_suite(suite) if isinstance(suite, str) else suite
    found: list[Comparison] = []
    if isinstance(loaded, AnalogySuite):
        solved = {
            name: solve(model, loaded, used, method=method, seed=seed, threads=threads, progress=SilentProgress())
            for name, model in models.items()
        }
        for a, b in combinations(models, 2):
            asked = solved[a].asked
            found.append(_answers(a, b, solved[a], solved[b], asked.pairs, asked.section, level, seed))
    elif isinstance(loaded, ChoiceSuite):
        chosen = {
            name: choose(model, loaded, used, method=method, seed=seed, threads=threads)
            for name, model in models.items()
        }
        alone = np.stack([np.arange(len(loaded.questions)), np.full(len(loaded.questions), -1)], axis=1)
        for a, b in combinations(models, 2):
            found.append(_answers(a, b, chosen[a], chosen[b], alone, np.zeros_like(alone[:, 0]), level, seed))
    elif isinstance(loaded, RelationSuite):
        graded = {
            name: grade(model, loaded, used, method=method, seed=seed, threads=threads)
            for name, model in models.items()
        }
        for a, b in combinations(models, 2):
            found.append(_relations(a, b, loaded, graded[a], graded[b], level, seed))
    elif isinstance(loaded, SimilaritySuite):
        cosines = {name: score_pairs(model, loaded, used) for name, model in models.items()}
        for a, b in combinations(models, 2):
            both = cosines[a].in_vocabulary & cosines[b].in_vocabulary
            values = cosines[a].human[both], cosines[a].cosines[both], cosines[b].cosines[both]
            found.append(_correlations(a, b, *values, level=level, seed=seed))
        method = "cosine"
    else:
        raise OptionError(f"{loaded.name} has categories, which are not compared; give another suite")
    tested = [one.p_value for one in found if one.p_value is not None]
    adjusted = iter(holm(tested))
    judged = tuple(_judged(one, next(adjusted), level) if one.p_value is not None else one for one in found)
    return ComparisonReport(loaded.name, loaded.path, method, used, level, seed, judged)


def _answers(
    first: str,
    second: str,
    a: Solved | Chosen,
    b: Solved | Chosen,
    pairs: npt.NDArray[np.int64],
    strata: npt.NDArray[np.int64],
    level: float,
    seed: int,
) -> Comparison:
    both = a.tried & b.tried
    x, y = a.correct[both].astype(float), b.correct[both].astype(float)
    if not len(x):
        return _none(first, second)
    only_first, only_second = int((x > y).sum()), int((y > x).sum())
    exact = mcnemar(only_first, only_second)
    low, high, by_pair = _of_mean(y - x, pairs[both], strata[both], level, seed)
    return Comparison(
        first, second, len(x), float(x.mean()), float(y.mean()), float((y - x).mean()), low, high, only_first,
        only_second, exact, by_pair, max(exact, by_pair), None, "no verdict",
    )  # fmt: skip


def _of_mean(
    values: npt.NDArray[np.float64],
    pairs: npt.NDArray[np.int64],
    strata: npt.NDArray[np.int64],
    level: float,
    seed: int,
) -> tuple[float | None, float | None, float]:
    """Ends of the interval of a mean difference, and the p-value that it is 0."""
    ends, p_values = PairBootstrap(pairs, strata, seed).of(values[:, np.newaxis]).differences(level)
    if np.isnan(ends).any():
        return None, None, 1.0
    return float(ends[0, 0]), float(ends[1, 0]), float(p_values[0])


def _relations(
    first: str, second: str, suite: RelationSuite, a: list[Graded], b: list[Graded], level: float, seed: int
) -> Comparison:
    """Means of Spearman's coefficient over the relations in which it is there for both, on pairs that both know."""
    found = []
    for relation, x, y in zip(suite.relations, a, b, strict=True):
        both = x.known & y.known
        human = np.array(relation.scores)[both]
        values = spearman(human, x.scores[both]), spearman(human, y.scores[both])
        if None not in values:
            found.append(values)
    if not found:
        return _none(first, second)
    each = np.array(found, dtype=np.float64)
    alone = np.stack([np.arange(len(each)), np.full(len(each), -1)], axis=1)
    low, high, p_value = _of_mean(each[:, 1] - each[:, 0], alone, np.zeros_like(alone[:, 0]), level, seed)
    x_mean, y_mean = each.mean(axis=0).tolist()
    return Comparison(
        first, second, len(each), x_mean, y_mean, y_mean - x_mean, low, high, None, None, None, p_value, p_value, None,
        "no verdict",
    )  # fmt: skip


def _correlations(
    first: str,
    second: str,
    human: npt.NDArray[np.float64],
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    *,
    level: float,
    seed: int,
) -> Comparison:
    tested = difference_of_spearman(human, x, y, level=level, seed=seed)
    if tested is None:
        return _none(first, second, len(human))
    return Comparison(
        first, second, len(human), tested.first, tested.second, tested.second - tested.first, tested.low, tested.high,
        None, None, None, tested.p_value, tested.p_value, None, "no verdict",
    )  # fmt: skip


def _none(first: str, second: str, questions: int = 0) -> Comparison:
    nothing = {field.name: None for field in dataclasses.fields(Comparison)[3:-1]}
    return Comparison(first, second, questions, **nothing, verdict="not comparable")


def _judged(one: Comparison, p_value: float, level: float) -> Comparison:
    assert one.difference is not None
    verdict = one.verdict
    if p_value < 1 - level and one.difference:
        verdict = f"{one.second if one.difference > 0 else one.first} is better"
    return dataclasses.replace(one, holm_p=p_value, verdict=verdict)
