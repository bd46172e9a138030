"""The tables of facts behind the planted world: its words, what relates them, and the phrases that say so."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from wordgeo.errors import NotFoundError, OptionError
from wordgeo.validate import choice

__all__ = ["TABLES", "Facts", "Phrases", "Place", "read_facts", "words_of"]

TABLES = ("countries", "states", "family", "nouns", "verbs", "adjectives")
WORD = re.compile(r"\{\w\}|\w+(?:['-]\w+)*")


@dataclass(frozen=True)
class Place:
    """Where a word stands in the tables: the row (numbered through all tables) and the role, which is the column.

    `shared` is whether the row has more than one word in that role, as a state has cities.
    """

    word: str
    row: int
    role: str
    shared: bool


@dataclass(frozen=True)
class Phrases:
    """What may stand before and after a word that has a feature."""

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """All tables as one: places of words, what is stated of which, and the phrases of the sentences.

    `rows` names each row by its table and its first word. `pairs` holds, for each relation such as "country-capital",
    the numbers of the two places of each fact.
    """

    rows: tuple[str, ...]
    places: tuple[Place, ...]
    pairs: dict[str, tuple[tuple[int, int], ...]]
    roles: dict[str, tuple[str, ...]]
    features: dict[str, Phrases]
    statements: dict[str, tuple[str, ...]]
    lead: tuple[str, ...]
    middle: tuple[str, ...]
    tail: tuple[str, ...]

    def phrase_words(self) -> set[str]:
        """The words of all phrases and statements, in lower case."""
        phrases = [*self.lead, *self.middle, *self.tail]
        for feature in self.features.values():
            phrases += [*feature.before, *feature.after]
        for statements in self.statements.values():
            phrases += statements
        return {word for phrase in phrases for word in words_of(phrase)}


def words_of(phrase: str) -> list[str]:
    """The words of a phrase in lower case, without those that are filled in."""
    return [word.lower() for word in WORD.findall(phrase) if not word.startswith("{")]


def read_facts(tables: Sequence[str] = TABLES) -> Facts:
    """Reads tables that are installed with wordgeo. Raises `NotFoundError` where they are not, and `OptionError`."""
    if isinstance(tables, str) or not tables or len(set(tables)) < len(tables):
        raise OptionError(f"tables is {tables!r}; give one or more of {', '.join(TABLES)}, each once")
    rows: list[str] = []
    places: list[Place] = []
    pairs: dict[str, list[tuple[int, int]]] = {}
    phrases = _read("phrases")
    for table in tables:
        choice("tables", table, TABLES)
        content = _read(table)
        for cells in content["rows"]:
            first = len(places)
            for role, cell in zip(content["columns"], cells, strict=True):
                words = [cell] if isinstance(cell, str) else cell
                places += [Place(word, len(rows), role, isinstance(cell, list)) for word in words if word]
            for a, b in combinations(range(first, len(places)), 2):
                relation = f"{places[a].role}-{places[b].role}"
                if relation in phrases["statements"]:
                    pairs.setdefault(relation, []).append((a, b))
            rows.append(f"{table}: {places[first].word}")
    return Facts(
        rows=tuple(rows),
        places=tuple(places),
        pairs={relation: tuple(found) for relation, found in pairs.items()},
        roles={role: tuple(features) for role, features in phrases["roles"].items()},
        features={name: Phrases(tuple(of["before"]), tuple(of["after"])) for name, of in phrases["features"].items()},
        statements={relation: tuple(sentences) for relation, sentences in phrases["statements"].items()},
        **{name: tuple(phrases["places"][name]) for name in ("lead", "middle", "tail")},
    )


def _read(name: str) -> dict[str, Any]:
    try:
        file = importlib.resources.files("wordgeo_corpora").joinpath("facts", f"{name}.toml")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ModuleNotFoundError, FileNotFoundError):
        raise NotFoundError("the tables of facts are not installed; install wordgeo (pip install .)") from None
