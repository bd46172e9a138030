"""Results that only the command line needs: what one number, one model or one finished job looks like when printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wordgeo.results import Result, Table

if TYPE_CHECKING:
    from wordgeo.embeddings import Embeddings

__all__ = ["ModelInfo", "Similarity"]


@dataclasses.dataclass(frozen=True, repr=False)
class Similarity(Result):
    """The cosine of two words."""

    words: tuple[str, str]
    similarity: float

    def tables(self) -> list[Table]:
        """One row."""
        return [Table(("a", "b", "similarity"), [(*self.words, self.similarity)])]


@dataclasses.dataclass(frozen=True, repr=False)
class ModelInfo(Result):
    """Size and origin of a model; `provenance` is what its `wordgeo.json` holds, empty for vectors from elsewhere."""

    path: str
    words: int
    dimensions: int
    tokens: int | None
    provenance: Mapping[str, Any]

    @classmethod
    def of(cls, model: Embeddings, path: str) -> ModelInfo:
        """What can be said about a loaded model; `tokens` is None where the words have no counts."""
        tokens = None if model.counts is None else int(model.counts.sum())
        return cls(path, len(model), model.dimensions, tokens, model.provenance)

    def tables(self) -> list[Table]:
        """Name and value of each property, nested ones as `outer.inner`."""
        rows = [("model", self.path), ("words", self.words), ("dimensions", self.dimensions)]
        if self.tokens is not None:
            rows.append(("tokens", self.tokens))
        return [Table(("property", "value"), [*rows, *_flat(self.provenance)])]


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else value))
    return rows
