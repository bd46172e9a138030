"""One model under every protocol, and which rule moves which questions."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.evaluation.analogy import Solved, solve
from wordgeo.evaluation.analogy_report import AnalogyReport, report_analogies
from wordgeo.evaluation.protocols import PROTOCOLS, RULES, Protocol
from wordgeo.evaluation.registry import load_suite
from wordgeo.evaluation.report import listed
from wordgeo.evaluation.run import protocol_of
from wordgeo.evaluation.suites import AnalogySuite
from wordgeo.progress import SilentProgress
from wordgeo.results import Result, Table

__all__ = ["MovedQuestion", "ProtocolReport", "RuleEffect", "compare_protocols"]

BASIS = "gensim"
OUTCOMES = ("wrong", "right", "not asked")  # at 0, 1 and -1


@dataclasses.dataclass(frozen=True)
class RuleEffect:
    """What one rule of `protocol` does when it is put into the basis in the place of its own.

    `moved` is how many questions come out otherwise (right, wrong or not asked); `to_right` and `from_right` how many
    of them become right or stop being right. `sections` says how many in each section, and `questions` which, where
    that was asked for (`records=True`).
    """

    protocol: str
    rule: str
    moved: int
    to_right: int
    from_right: int
    sections: Mapping[str, int]
    questions: tuple[MovedQuestion, ...] | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class MovedQuestion:
    """A question, and what it comes to before and after: "right", "wrong" or "not asked"."""

    section: str
    line: int
    before: str
    after: str


@dataclasses.dataclass(frozen=True, repr=False)
class ProtocolReport(Result):
    """One model under several protocols, and which rule moved which questions against `basis`."""

    suite: str
    path: str
    method: str
    basis: str
    reports: tuple[AnalogyReport, ...]
    effects: tuple[RuleEffect, ...]
    kind: str = "protocols"

    @property
    def score(self) -> float | None:
        """The headline of the basis."""
        return next(report.score for report in self.reports if report.protocol.name == self.basis)

    def tables(self) -> list[Table]:
        """The scores side by side, and the effects of the rules."""
        rows = [
            (r.protocol.name, r.protocol.reproduces, r.score, r.total.correct_all,
             r.total.in_vocabulary if r.score == r.total.accuracy else r.total.questions,
             *((r.total.pair_low, r.total.pair_high) if r.score == r.total.accuracy
               else (r.total.pair_low_all, r.total.pair_high_all)))
            for r in self.reports
        ]  # fmt: skip
        columns = ("protocol", "reproduces", "score", "correct", "of", "pair_low", "pair_high")
        scores = Table(columns, rows, f"{self.suite}: {self.method} under every protocol")
        names = ("protocol", "rule", "moved", "to_right", "from_right", "mostly in")
        notes = [f"moved: questions that come out otherwise when this rule alone replaces that of {self.basis}."]
        effects = []
        for e in self.effects:
            most = sorted(e.sections.items(), key=lambda item: -item[1])
            places = listed(f"{name} ({count})" for name, count in most)
            effects.append((e.protocol, e.rule, e.moved, e.to_right, e.from_right, places))
        tables = [scores, Table(names, effects, "Which rule moves how many questions", notes)]
        moved = self.errors()
        return [*tables, moved] if moved.rows else tables

    def errors(self) -> Table:
        """The questions that each rule moves; none in a report made without `records=True`."""
        moved = [
            (e.protocol, e.rule, q.section, q.line, q.before, q.after) for e in self.effects for q in e.questions or ()
        ]
        heads = ("protocol", "rule", "section", "line", "before", "after")
        return Table(heads, moved, "Which questions each rule moves")


def compare_protocols(
    model: Embeddings,
    suite: str | AnalogySuite,
    *,
    method: str = "3cosadd",
    level: float = 0.95,
    seed: int = 1,
    threads: int | None = None,
    records: bool = False,
    **rules: Any,
) -> ProtocolReport:
    """Scores a model under every protocol, and tells apart which rules make the difference from gensim's.

    `rules` (as `limit`, `unknown`) replace those of every protocol. `records=True` keeps which questions each rule
    moves. Raises `OptionError` for a suite of another kind.
    """
    loaded = load_suite(suite) if isinstance(suite, str) else suite
    if not isinstance(loaded, AnalogySuite):
        raise OptionError(f"{loaded.name} is no suite of analogies, where protocols differ; choose one protocol")
    protocols = {name: protocol_of(protocol, **rules) for name, protocol in PROTOCOLS.items()}
    known: dict[Protocol, Solved] = {}

    def solved(protocol: Protocol) -> Solved:
        key = dataclasses.replace(protocol, name="", reproduces="", syntactic="gram")
        if key not in known:
            known[key] = solve(
                model, loaded, protocol, method=method, seed=seed, threads=threads, progress=SilentProgress()
            )
        return known[key]

    basis = protocols[BASIS]
    before = _outcomes(solved(basis), basis)
    effects, reports = [], []
    for name, protocol in protocols.items():
        reports.append(
            report_analogies(
                model, loaded, solved(protocol), protocol, method=method, level=level, seed=seed, records=False
            )
        )
        changes = [
            (rule, {field: getattr(protocol, field) for field in fields})
            for rule, fields in RULES.items()
            if any(getattr(protocol, field) != getattr(basis, field) for field in fields)
        ]
        for rule, values in changes:
            mixed = dataclasses.replace(basis, **values)
            effects.append(_effect(name, rule, before, solved(mixed), mixed, records))
        if name != BASIS:
            effects.append(_effect(name, "all together", before, solved(protocol), protocol, records))
    return ProtocolReport(loaded.name, loaded.path, method, BASIS, tuple(reports), tuple(effects))


def _outcomes(solved: Solved, protocol: Protocol) -> npt.NDArray[np.int64]:
    """1 for a right answer, 0 for a wrong one, -1 for a question that does not count."""
    counts = solved.tried | (protocol.unknown != "skip")
    return np.where(counts, solved.correct.astype(np.int64), -1)


def _effect(
    name: str, rule: str, before: npt.NDArray[np.int64], solved: Solved, protocol: Protocol, records: bool
) -> RuleEffect:
    after = _outcomes(solved, protocol)
    moved = np.flatnonzero(before != after)
    asked = solved.asked
    of_section = Counter(asked.sections[s].name for s in asked.section[moved].tolist())
    questions = [
        MovedQuestion(
            asked.sections[asked.section[i]].name, asked.item(i).line, OUTCOMES[before[i]], OUTCOMES[after[i]]
        )
        for i in (moved.tolist() if records else [])
    ]
    return RuleEffect(
        name, rule, len(moved), int((after[moved] == 1).sum()), int((before[moved] == 1).sum()), dict(of_section),
        tuple(questions) if records else None,
    )  # fmt: skip
