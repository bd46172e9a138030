"""Benchmark suites: what they hold, the ones that come with gensim's package, and files of one's own."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import os
from pathlib import Path

from wordgeo.errors import FormatError, NotFoundError, OptionError

__all__ = [
    "SUITES",
    "AnalogySuite",
    "CategorySuite",
    "Note",
    "Pair",
    "Question",
    "Section",
    "SimilaritySuite",
    "WordPair",
    "load_suite",
]

SUITES = {"google": "questions-words.txt", "wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


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


@dataclasses.dataclass(frozen=True)
class Section:
    """A named group of questions: of its own, or each of its `pairs` put to each other one."""

    name: str
    questions: tuple[Question, ...]
    group: str = ""
    pairs: tuple[WordPair, ...] = ()

    @classmethod
    def of_questions(cls, name: str, questions: tuple[Question, ...], group: str = "") -> Section:
        """A section whose pairs are those that its questions are made of, each once."""
        pairs: dict[tuple[str, str], WordPair] = {}
        for q in questions:
            pairs.setdefault((q.a, q.b), WordPair(q.line, q.a, q.b))
            pairs.setdefault((q.c, q.expected), WordPair(q.line, q.c, q.expected))
        return cls(name, questions, group, tuple(pairs.values()))

    @classmethod
    def of_pairs(cls, name: str, pairs: tuple[WordPair, ...], group: str = "") -> Section:
        """A section that asks for each pair by each other one."""
        questions = tuple(
            Question(asked.line, p.a, p.b, asked.a, asked.b, asked.also, p.also)
            for p, asked in itertools.permutations(pairs, 2)
        )
        return cls(name, questions, group, pairs)

    @property
    def syntactic(self) -> bool:
        """Whether the section asks for grammar: in the Google set, those whose names begin with `gram`."""
        return self.name.startswith("gram")


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """Two words and how alike people find them."""

    line: int
    a: str
    b: str
    score: float


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


Suite = AnalogySuite | SimilaritySuite | CategorySuite


def load_suite(suite: str | os.PathLike[str]) -> Suite:
    """The suite of that name (a key of `SUITES`), or the one in a file or folder, whose format is told by its content.

    See the guide to evaluation for the formats. Lines that do not fit are skipped and noted.

    Raises `OptionError` for an unknown name, `NotFoundError` for a missing file, `FormatError` for a file that is of
    no known kind, has questions before its first section, or has nothing that could be asked.

    >>> suite = load_suite("google")
    >>> len(suite.sections), len(suite.questions)
    (14, 19544)
    >>> suite.questions[0]
    Question(line=2, a='Athens', b='Greece', c='Baghdad', expected='Iraq', also=(), also_b=())
    """
    from wordgeo.evaluation.readers import read_file, read_folder

    if isinstance(suite, str) and suite in SUITES:
        return read_file(suite, _from_gensim(SUITES[suite]))
    path = Path(suite)
    if not path.exists():
        if isinstance(suite, str) and not path.suffix and len(path.parts) == 1:
            raise OptionError(f"suite is {suite!r}; choose one of {', '.join(SUITES)}, or name a file")
        raise NotFoundError(f"{path}: no such file; name a suite file or one of {', '.join(SUITES)}")
    if path.is_dir():
        return read_folder(path.name, path)
    if not path.is_file():
        raise FormatError("not a regular file; name a suite's file or folder", path)
    return read_file(path.name, path)


def _from_gensim(name: str) -> Path:
    spec = importlib.util.find_spec("gensim")  # finds the package without running it
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "test" / "test_data" / name
        if path.is_file():
            return path
    raise NotFoundError(f"the installed gensim package has no test/test_data/{name}; give the file by its path")
