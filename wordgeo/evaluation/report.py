"""What all reports of benchmarks have in common: frozen results whose field names are those of the JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation.frames import to_frame
from wordgeo.evaluation.protocols import Protocol
from wordgeo.evaluation.suites import Note, Suite
from wordgeo.results import Result

__all__ = ["BenchmarkReport", "facts", "listed", "percent"]

NOTES_SHOWN = 5


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class BenchmarkReport(Result):
    """The score of one model on one suite, with what is needed to know what the number means.

    `score` is the headline. `protocol` holds the rules as they were used, `words` is the size of the model, `level`
    that of the intervals, `malformed` counts the lines of the suite that could not be used, and `notes` says what was
    wrong in them.
    """

    suite: str
    path: str
    method: str
    protocol: Protocol
    words: int
    level: float
    score: float | None
    malformed: int
    notes: tuple[Note, ...]
    seed: int
    kind: str

    def to_frame(self) -> Any:
        """The first table as a pandas DataFrame, or a polars one; raises `MissingExtraError` with neither."""
        return to_frame(self.tables()[0])

    def title(self) -> str:
        """The suite, the method and the rules."""
        protocol = self.protocol
        rows = self.words if protocol.limit is None else min(self.words, protocol.limit)
        return (
            f"{self.suite}: {self.method}, protocol {protocol.name} ({protocol.reproduces}; case folding "
            f"{protocol.fold}; {rows} of {self.words} words)"
        )

    def about_file(self) -> list[str]:
        """What was wrong in the suite's file: how many lines, and the first of them."""
        lines = [f"Malformed lines, which are skipped: {self.malformed}"] if self.malformed else []
        lines += [
            f"{note.file + ', ' if note.file else ''}line {note.line}: {note.problem}"
            for note in self.notes[:NOTES_SHOWN]
        ]
        if len(self.notes) > NOTES_SHOWN:
            lines.append(f"and {len(self.notes) - NOTES_SHOWN} more, in `notes`")
        return lines


def facts(
    model: Embeddings, suite: Suite, protocol: Protocol, *, method: str, level: float, seed: int
) -> dict[str, Any]:
    """The fields of a `BenchmarkReport` that do not depend on what the model answers."""
    return {
        "suite": suite.name,
        "path": suite.path,
        "method": method,
        "protocol": protocol,
        "words": len(model),
        "level": level,
        "malformed": sum(note.skipped for note in suite.notes),
        "notes": suite.notes,
        "seed": seed,
    }


def percent(level: float) -> str:
    """A level as it is read: 95 %."""
    return f"{100 * level:g} %"


def listed(texts: Iterable[str]) -> str:
    """The first few of several."""
    found = list(texts)
    return ", ".join(found[:NOTES_SHOWN]) + (", …" if len(found) > NOTES_SHOWN else "")
