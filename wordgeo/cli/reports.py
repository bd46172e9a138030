"""Results that only the command line needs: what one number, one model or one finished job looks like when printed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wordgeo.results import Result, Table

if TYPE_CHECKING:
    from wordgeo.embeddings import Embeddings

__all__ = ["ModelInfo", "Similarity", "common_tables"]


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

    def properties(self) -> dict[str, Any]:
        """All that is known by name, nested properties as `outer.inner`."""
        tokens = {} if self.tokens is None else {"tokens": self.tokens}
        own = {"model": self.path, "words": self.words, "dimensions": self.dimensions, **tokens}
        return {**own, **dict(_flat(self.provenance))}

    def tables(self) -> list[Table]:
        """Name and value of each property."""
        return [Table(("property", "value"), list(self.properties().items()))]


def common_tables(infos: Sequence[ModelInfo]) -> list[Table]:
    """What several models have in common, once, and a row for each with what they have not."""
    properties = [info.properties() for info in infos]
    names = list(dict.fromkeys(name for known in properties for name in known))
    same = [name for name in names if all(name in known and known[name] == properties[0][name] for known in properties)]
    others = [name for name in names if name not in same]
    return [
        Table(("property", "value"), [(name, properties[0][name]) for name in same], f"all {len(infos)} models"),
        Table(tuple(others), [tuple(known.get(name) for name in others) for known in properties]),
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, ", ".join(map(str, value)) if isinstance(value, list) else value))
    return rows
