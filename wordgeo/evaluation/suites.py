"""Benchmark suites: the ones that come with gensim's package, and a user's own file in either of two formats."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
from collections.abc import Iterator
from pathlib import Path

from wordgeo.errors import FormatError, NotFoundError, OptionError

__all__ = ["SUITES", "AnalogySuite", "Note", "Pair", "Question", "Section", "SimilaritySuite", "load_suite"]

SUITES = {"google": "questions-words.txt", "wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


@dataclasses.dataclass(frozen=True, slots=True)
class Note:
    """What was found in line `line` (from 1) of a suite's file; `skipped` where the line could not be used."""

    line: int
    problem: str
    skipped: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """`a` is to `b` as `c` is to `expected`; `line` is where it stands in the file."""

    line: int
    a: str
    b: str
    c: str
    expected: str


@dataclasses.dataclass(frozen=True)
class Section:
    """A named group of questions."""

    name: str
    questions: tuple[Question, ...]

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


def load_suite(suite: str | os.PathLike[str]) -> AnalogySuite | SimilaritySuite:
    """The suite of that name (a key of `SUITES`), or the one in a file.

    A file of analogies has lines `: section` and, below them, four words a line. A file of similarities has
    `word TAB word TAB score` and comment lines that begin with `#`. Lines that are neither are skipped and noted.

    Raises `OptionError` for an unknown name, `NotFoundError` for a missing file, `FormatError` for a file that holds
    neither kind, has questions before its first section, or has nothing that could be asked.

    >>> suite = load_suite("google")
    >>> len(suite.sections), len(suite.questions)
    (14, 19544)
    >>> suite.questions[0]
    Question(line=2, a='Athens', b='Greece', c='Baghdad', expected='Iraq')
    """
    if isinstance(suite, str) and suite in SUITES:
        return _parse(suite, _from_gensim(SUITES[suite]))
    path = Path(suite)
    if not path.exists():
        if isinstance(suite, str) and not path.suffix and len(path.parts) == 1:
            raise OptionError(f"suite is {suite!r}; choose one of {', '.join(SUITES)}, or name a file")
        raise NotFoundError(f"{path}: no such file; name a suite file or one of {', '.join(SUITES)}")
    if not path.is_file():
        raise FormatError("not a regular file; name one suite file", path)
    return _parse(path.name, path)


def _from_gensim(name: str) -> Path:
    spec = importlib.util.find_spec("gensim")  # finds the package without running it
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "test" / "test_data" / name
        if path.is_file():
            return path
    raise NotFoundError(f"the installed gensim package has no test/test_data/{name}; give the file by its path")


def _parse(name: str, path: Path) -> AnalogySuite | SimilaritySuite:
    notes: list[Note] = []
    lines = list(_lines(path, notes))
    kind = next(filter(None, (_kind(text) for _, text in lines)), None)
    if kind == "analogy":
        sections = _sections(path, lines, notes)
        if not any(section.questions for section in sections):
            raise FormatError("there is no question in it; an analogy file has four words a line", path)
        return AnalogySuite(name, str(path), sections, _sorted(notes))
    if kind == "similarity":
        pairs = _pairs(lines, notes)
        if not pairs:
            raise FormatError("there is no scored pair in it; a line is: word TAB word TAB number", path)
        return SimilaritySuite(name, str(path), pairs, _sorted(notes))
    raise FormatError(
        "neither analogies (': section' lines, then four words a line) nor similarities (word TAB word TAB score)", path
    )


def _lines(path: Path, notes: list[Note]) -> Iterator[tuple[int, str]]:
    """Numbers and texts of the lines that are not blank, as UTF-8 without byte order mark and line ends."""
    data = path.read_bytes()
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
        notes.append(Note(1, "a byte order mark, which is left out", skipped=False))
    carriage_returns: list[int] = []
    for number, raw in enumerate(data.split(b"\n"), 1):
        if raw.endswith(b"\r"):
            raw = raw.rstrip(b"\r")
            carriage_returns.append(number)
        if b"\r" in raw:
            notes.append(Note(number, "a CR character inside the line, which is read as a space", skipped=False))
            raw = raw.replace(b"\r", b" ")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            notes.append(Note(number, f"not UTF-8 at byte {error.start}", skipped=True))
            continue
        if text.strip():
            yield number, text
    if carriage_returns:
        count = len(carriage_returns)
        notes.append(Note(carriage_returns[0], f"CR before the line end, here and in all {count} lines", skipped=False))


def _kind(text: str) -> str | None:
    """Which format a line speaks for, if it does."""
    if text.startswith("#"):
        return None
    if text.startswith(": "):
        return "analogy"
    if text.count("\t") == 2:
        return "similarity"
    return "analogy" if len(text.split()) == 4 else None


def _sections(path: Path, lines: list[tuple[int, str]], notes: list[Note]) -> tuple[Section, ...]:
    sections: list[tuple[str, list[Question]]] = []
    for number, text in lines:
        words = text.split()
        if text.startswith(": "):
            sections.append((text.lstrip(": ").strip(), []))
        elif not sections:
            raise FormatError("stands before the first section; begin the file with a line ': name'", path, number)
        elif len(words) == 4:
            sections[-1][1].append(Question(number, *words))
        else:
            hint = "; a section line is ': name', with a space" if text.startswith(":") else ""
            notes.append(Note(number, f"{_counted(len(words), 'word')}, not 4{hint}", skipped=True))
    return tuple(Section(name, tuple(questions)) for name, questions in sections)


def _pairs(lines: list[tuple[int, str]], notes: list[Note]) -> tuple[Pair, ...]:
    pairs = []
    for number, text in lines:
        if text.startswith("#"):
            continue
        fields = [field.strip() for field in text.split("\t")]
        if len(fields) != 3:
            problem = f"{_counted(len(fields), 'field')} between tabs, not 3"
        elif not all(fields):
            problem = "an empty field"
        elif (score := _number(fields[2])) is None:
            problem = f"the score {fields[2]!r} is not a finite number"
        else:
            pairs.append(Pair(number, fields[0], fields[1], score))
            continue
        notes.append(Note(number, problem, skipped=True))
    return tuple(pairs)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sorted(notes: list[Note]) -> tuple[Note, ...]:
    return tuple(sorted(notes, key=lambda note: note.line))
