"""Benchmark suites: what they hold, whichever file they come from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import overload

__all__ = [
    "AnalogySuite",
    "CategorySuite",
    "Choice",
    "ChoiceSuite",
    "Crossed",
    "MaxDiff",
    "Note",
    "Pair",
    "Question",
    "Relation",
    "RelationSuite",
    "Section",
    "SimilaritySuite",
    "Suite",
    "Two",
    "WordPair",
]

Two = tuple[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What was found in line `line` (from 1) of a suite's file; `skipped` where the line could not be used.

    `file` names it where a suite has several files.
    """

    line: int
    problem: str
    skipped: bool
    file: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """`a` is to `b` as `c` is to `expected`, or to one of `also`; `line` is where it stands in the file.

    `also_b` are words that might stand for b, and so are no answers.
    """

    line: int
    a: str
    b: str
    c: str
    expected: str
    also: tuple[str, ...] = ()
    also_b: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class WordPair:
    """`a` stands in the relation of its section to `b`, and to each of `also`."""

    line: int
    a: str
    b: str
    also: tuple[str, ...] = ()


class Crossed(Sequence[Question]):
    """The questions that ask for each of some pairs by each other one: n (n - 1), made when they are looked at."""

    def __init__(self, pairs: tuple[WordPair, ...]) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs) * (len(self.pairs) - 1)

    @overload
    def __getitem__(self, i: int) -> Question: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Question, ...]: ...
    def __getitem__(self, i: int | slice) -> Question | tuple[Question, ...]:
        if isinstance(i, slice):
            return tuple(self[j] for j in range(*i.indices(len(self))))
        given, asked = divmod(range(len(self))[i], len(self.pairs) - 1)
        p, q = self.pairs[given], self.pairs[asked + (asked >= given)]
        return Question(q.line, p.a, p.b, q.a, q.b, q.also, p.also)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Crossed) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)


@dataclasses.dataclass(frozen=True)
class Section:
    """A named group of questions: of its own, or each of its `pairs` put to each other one (`of_pairs`)."""

    name: str
    questions: Sequence[Question]
    group: str = ""

    @classmethod
    def of_pairs(cls, name: str, pairs: tuple[WordPair, ...], group: str = "") -> Section:
        """A section that asks for each pair by each other one."""
        return cls(name, Crossed(pairs), group)

    @functools.cached_property
    def pairs(self) -> tuple[WordPair, ...]:
        """The pairs that its questions are made of, each once."""
        if isinstance(self.questions, Crossed):
            return self.questions.pairs
        pairs: dict[Two, WordPair] = {}
        for q in self.questions:
            pairs.setdefault((q.a, q.b), WordPair(q.line, q.a, q.b))
            pairs.setdefault((q.c, q.expected), WordPair(q.line, q.c, q.expected))
        return tuple(pairs.values())

    @property
    def syntactic(self) -> bool:
        """Whether the section asks for grammar: in the Google set, those whose names begin with `gram`."""
        return self.name.startswith("gram")


@dataclasses.dataclass(frozen=True)
class AnalogySuite:
    """Questions in sections, in the order of the file; `notes` says what was wrong in it."""

    name: str
    path: str
    sections: tuple[Section, ...]
    notes: tuple[Note, ...] = ()

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions of all sections."""
        return tuple(question for section in self.sections for question in section.questions)


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """Two words and how alike people find them."""

    line: int
    a: str
    b: str
    score: float


@dataclasses.dataclass(frozen=True)
class SimilaritySuite:
    """Scored pairs in the order of the file; `notes` says what was wrong in it."""

    name: str
    path: str
    pairs: tuple[Pair, ...]
    notes: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True)
class CategorySuite:
    """Words and the categories that people put them in; `notes` says what was wrong in the file."""

    name: str
    path: str
    words: tuple[str, ...]
    categories: tuple[str, ...]
    notes: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """Which of `choices` is to each other as the two words of `stem` are; `correct` is its place (from 0)."""

    line: int
    stem: Two
    choices: tuple[Two, ...]
    correct: int


@dataclasses.dataclass(frozen=True)
class ChoiceSuite:
    """Multiple-choice analogies in the order of the file; `notes` says what was wrong in it."""

    name: str
    path: str
    questions: tuple[Choice, ...]
    notes: tuple[Note, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class MaxDiff:
    """Which of some pairs are the least and the most like the relation: how many people named each of them.

    `pairs` are places in the pairs of the relation; `least` and `most` are votes, in their order.
    """

    pairs: tuple[int, ...]
    least: tuple[int, ...]
    most: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Relation:
    """A relation shown by `examples`, and `pairs` with what people say of how well each is an instance of it.

    `scores` are, for each pair, the percentage of times it was named the most like it less the percentage of times it
    was named the least.
    """

    name: str
    group: str
    examples: tuple[Two, ...]
    pairs: tuple[Two, ...]
    scores: tuple[float, ...]
    questions: tuple[MaxDiff, ...]


@dataclasses.dataclass(frozen=True)
class RelationSuite:
    """Relations whose pairs people have graded (SemEval-2012 Task 2); `notes` says what was wrong in the files."""

    name: str
    path: str
    relations: tuple[Relation, ...]
    notes: tuple[Note, ...] = ()


Suite = AnalogySuite | SimilaritySuite | CategorySuite | ChoiceSuite | RelationSuite
