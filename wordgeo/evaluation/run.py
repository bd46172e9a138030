"""`evaluate`: a model, a benchmark, a protocol, and out comes a report."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.analogy import solve
from wordgeo.evaluation.analogy_report import AnalogyReport, report_analogies
from wordgeo.evaluation.categories import CategoryReport, score_categories
from wordgeo.evaluation.choices import ChoiceReport, choose, report_choices
from wordgeo.evaluation.objectives import METHODS
from wordgeo.evaluation.protocols import PROTOCOLS, Protocol
from wordgeo.evaluation.registry import load_suite
from wordgeo.evaluation.relations import RelationReport, grade, report_relations
from wordgeo.evaluation.similarity import score_pairs
from wordgeo.evaluation.similarity_report import SimilarityReport, report_similarity
from wordgeo.evaluation.suites import (
    CategorySuite,
    ChoiceSuite,
    RelationSuite,
    SimilaritySuite,
    Suite,
)
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads
from wordgeo.validate import choice, number, whole_number

__all__ = ["evaluate", "protocol_of"]


def evaluate(
    model: Embeddings,
    suite: str | os.PathLike[str] | Suite,
    *,
    method: str = "3cosadd",
    protocol: str | Protocol = "gensim",
    limit: int | None = None,
    case_sensitive: bool = False,
    unknown: str | None = None,
    exclude: str | None = None,
    level: float = 0.95,
    seed: int = 1,
    records: bool = False,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> AnalogyReport | ChoiceReport | RelationReport | SimilarityReport | CategoryReport:
    """Scores a model on a benchmark: a frozen report of the suite's kind, with intervals.

    Analogies give accuracies (`AnalogyReport`), multiple choice an accuracy (`ChoiceReport`), graded relations Spearman
    and MaxDiff (`RelationReport`), word similarities Spearman and Pearson (`SimilarityReport`), categories purity
    (`CategoryReport`).

    `suite` is a name (`suites` lists them), a file or folder, or a suite already loaded. `method` answers
    analogies, where a is to b as c is to d: "3cosadd", argmax cos(d, b) - cos(d, a) + cos(d, c); "3cosmul", argmax
    s(d, b) s(d, c) / (s(d, a) + ε) with s = (cos + 1) / 2; "pairdirection", argmax cos(b - a, d - c). "3cosavg", argmax
    cos(d, c + mean(b) - mean(a)), and "lrcos", argmax P(d in the class of the b) cos(d, c), learn from all other pairs
    of a section. "only-b", argmax cos(d, c), and "ignore-a", argmax cos(d, b + c), are controls: what a method does not
    score above them, it does not owe to the relation (in Linzen's letters c is b).

    `protocol` says how words are looked up and answers counted; `limit` (known rows), `case_sensitive` (no folding),
    `unknown` ("skip", "wrong" or "mean": the headline `score` for unknown words) and `exclude` ("string", "row", or
    "none": the given words may answer) change that one rule of it, and the report carries the protocol as it was used.
    `level` is that of the intervals, `seed` that of the bootstrap and of LRCos. `records=True` keeps every question or
    pair in the report.

    Raises `OptionError` for a value no option takes, `NotFoundError` and `FormatError` for the suite's file.

    References: T. Mikolov et al. 2013 (3CosAdd, the Google set); O. Levy & Y. Goldberg 2014 (3CosMul);
    A. Drozd et al. 2016 (3CosAvg, LRCos); T. Linzen 2016 (controls); D. Jurgens et al. 2012 (SemEval-2012 Task 2);
    P. Turney et al. 2003 (SAT); L. Finkelstein et al. 2002 (WordSim-353); F. Hill et al. 2015 (SimLex-999).

    >>> import numpy as np
    >>> from wordgeo.vocabulary import Vocabulary
    >>> vectors = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    >>> model = Embeddings(Vocabulary.from_words(["he", "she", "boy", "girl"]), vectors)
    >>> report = evaluate(model, "google")
    >>> report.total.questions, report.total.in_vocabulary, report.total.correct
    (19544, 2, 2)
    """
    rules = protocol_of(protocol, limit=limit, case_sensitive=case_sensitive, unknown=unknown, exclude=exclude)
    choice("method", method, METHODS)
    level = number("level", level, 0.5, 0.9999)
    seed = whole_number("seed", seed, 0)
    resolve_threads(threads)
    loaded = load_suite(suite) if isinstance(suite, (str, os.PathLike)) else suite
    shared: dict[str, Any] = {"method": method, "seed": seed}
    if isinstance(loaded, CategorySuite):
        return score_categories(model, loaded, rules, level=level, seed=seed)
    if isinstance(loaded, SimilaritySuite):
        cosines = score_pairs(model, loaded, rules)
        return report_similarity(model, loaded, cosines, rules, level=level, seed=seed, records=records)
    told: dict[str, Any] = {**shared, "level": level, "records": records}
    if isinstance(loaded, ChoiceSuite):
        return report_choices(model, loaded, choose(model, loaded, rules, threads=threads, **shared), rules, **told)
    if isinstance(loaded, RelationSuite):
        return report_relations(model, loaded, grade(model, loaded, rules, threads=threads, **shared), rules, **told)
    answers = solve(model, loaded, rules, threads=threads, progress=resolve_progress(progress), **shared)
    return report_analogies(model, loaded, answers, rules, **told)


def protocol_of(
    protocol: str | Protocol,
    *,
    limit: int | None = None,
    case_sensitive: bool = False,
    unknown: str | None = None,
    exclude: str | None = None,
) -> Protocol:
    """The protocol with the rules that the caller changed; its own values are checked as it is made."""
    if not isinstance(protocol, Protocol):
        protocol = PROTOCOLS[choice("protocol", protocol, tuple(PROTOCOLS))]
    if not isinstance(case_sensitive, bool):
        raise OptionError(f"case_sensitive is {case_sensitive!r}; give True or False")
    return dataclasses.replace(
        protocol,
        fold="none" if case_sensitive else protocol.fold,
        fold_model=protocol.fold_model and not case_sensitive,
        limit=protocol.limit if limit is None else limit,
        unknown=protocol.unknown if unknown is None else unknown,
        unknown_sets=protocol.unknown_sets if unknown in (None, "mean") else str(unknown),
        exclude=protocol.exclude if exclude is None else exclude,
    )
