"""Files and folders of benchmarks: their formats, told by content, and what is wrong in them."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from wordgeo.errors import FormatError
from wordgeo.evaluation.graded_readers import is_graded, read_choices, read_relations
from wordgeo.evaluation.lines import Lines, Notes, counted, in_order, read_lines
from wordgeo.evaluation.suites import (
    AnalogySuite,
    CategorySuite,
    Note,
    Pair,
    Question,
    Section,
    SimilaritySuite,
    Suite,
    WordPair,
)

__all__ = ["read_file", "read_folder"]

ALTERNATIVES = re.compile(r"[/,]")
TAGGED = re.compile(r"(.+)-[nvjar]")  # MEN's lemma form, sun-n
UNKNOWN = (
    "neither analogies (': section' lines, then four words a line; or pairs, word TAB word/word), nor similarities "
    "(word TAB word TAB score), nor categories (word TAB category), nor multiple choice (a pair, the pairs to choose "
    "from, and the letter of the right one)"
)
SECTION_FILES = (".txt", ".tsv")
BATS_CODE = re.compile(r"([IDEL](?:0[1-9]|10)) ")  # as in "E02 [country - language].txt"
BATS_CODES = [f"{group}{number:02}" for group in "IDEL" for number in range(1, 11)]
KIND_BY_LINES = 200  # as many lines from the first decide which format a file has


def read_file(name: str, path: Path) -> Suite:
    """The suite in one file. Raises `FormatError` where there is none."""
    notes: Notes = []
    lines = list(read_lines(path, notes))
    kind = _kind(path, lines)
    if kind == "similarity":
        pairs = _pairs(lines, notes)
        if not pairs:
            raise FormatError("there is no scored pair in it; a line is: word TAB word TAB number", path)
        return SimilaritySuite(name, str(path), pairs, in_order(notes))
    if kind == "choices":
        return read_choices(name, path, lines, notes)
    if kind == "categories":
        found = _columns(lines, notes)
        return CategorySuite(
            name, str(path), tuple(a for _, a, _ in found), tuple(b for *_, b in found), in_order(notes)
        )
    if kind == "analogy":
        sections = _sections(path, lines, notes)
    elif kind == "msr":
        sections = _msr(path, lines, notes)
    elif kind == "pairs":
        sections = (Section.of_pairs(path.stem, _word_pairs(lines, notes)),)
    else:
        unread = next((note for note in notes if note.skipped), None)
        if unread is not None:
            raise FormatError(f"{unread.problem}; save the file as UTF-8", path, unread.line)
        raise FormatError(UNKNOWN, path)
    if not any(section.questions for section in sections):
        raise FormatError("there is no question in it; an analogy file has four words a line", path)
    return AnalogySuite(name, str(path), sections, in_order(notes))


def read_folder(name: str, path: Path) -> Suite:
    """The suite in a folder: a file for each section (pairs, as in BATS) or for each category (words), or SemEval's.

    Raises `FormatError` where there is none.
    """
    if is_graded(path):
        return read_relations(name, path)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in SECTION_FILES)
    questions = sorted(path.rglob("*.questions"))
    if questions:
        return _of_questions(name, path, questions)
    unread = sorted(str(file.relative_to(path)) for file in path.rglob("*.csv"))
    notes = [Note(1, "not read; write a section as a file .txt, with tabs", skipped=True, file=name) for name in unread]
    sections, words, categories = [], [], []
    for file in files:
        mine: Notes = []
        lines = list(read_lines(file, mine))
        kind = _kind(file, lines)
        place = str(file.relative_to(path))
        if kind in ("pairs", "categories"):
            group = "" if file.parent == path else file.parent.name
            sections.append(Section.of_pairs(file.stem, _word_pairs(lines, mine), group))
        elif lines and all(len(text.split()) == 1 for _, text in lines):
            words += [text.strip() for _, text in lines]
            categories += [file.stem] * len(lines)
        else:
            mine.append(Note(1, "neither pairs (word TAB word/word) nor one word a line", skipped=True))
        notes += [dataclasses.replace(note, file=place) for note in in_order(mine)]
    if any(section.questions for section in sections):
        for file_words in categories:
            notes.append(Note(1, "one word a line, among files of pairs", skipped=True, file=file_words + ".txt"))
        notes += _missing(path, files)
        return AnalogySuite(name, str(path), tuple(sections), tuple(dict.fromkeys(notes)))
    if words:
        return CategorySuite(name, str(path), tuple(words), tuple(categories), tuple(notes))
    raise FormatError("a folder without a benchmark; give one with a file of pairs, or of words, a section", path)


def _missing(path: Path, files: Sequence[Path]) -> Notes:
    """What a folder of some of BATS's relations lacks."""
    here = {code[1] for file in files if (code := BATS_CODE.match(file.name))}
    lacking = [code for code in BATS_CODES if code not in here]
    if not here or not lacking:
        return []
    problem = f"{counted(len(lacking), 'relation')} of BATS's 40 are not in the folder: {', '.join(lacking)}"
    return [Note(1, problem, skipped=False, file=path.name)]


def _of_questions(name: str, path: Path, files: Sequence[Path]) -> Suite:
    """All files of questions below a folder (MSR), each with its answers beside it."""
    sections: list[Section] = []
    notes: Notes = []
    for file in files:
        suite = read_file(name, file)
        assert isinstance(suite, AnalogySuite)
        sections += suite.sections
        place = file.parent.relative_to(path)
        notes += [dataclasses.replace(note, file=str(place / (note.file or file.name))) for note in suite.notes]
    return AnalogySuite(name, str(path), tuple(sections), tuple(notes))


def _separator(text: str) -> str | None:
    """What stands between the fields of a line: tabs, else commas or semicolons, else spaces (None)."""
    return next((separator for separator in "\t,;" if separator in text), None)


def _fields(text: str, separator: str | None) -> list[str]:
    return [field.strip() for field in text.split(separator)]


def _kind(path: Path, lines: Lines) -> str | None:
    """Which format a file has, by what most of its first lines could be."""
    if any(text.startswith(": ") for _, text in lines):
        return "analogy"
    votes: Counter[str] = Counter()
    second: set[str] = set()
    told = [text for _, text in lines if not text.startswith("#")][:KIND_BY_LINES]
    letters = sum(len(text.strip()) == 1 and text.strip().isalpha() for text in told)
    if letters and 4 * letters <= len(told) <= 40 * letters:
        return "choices"
    for text in told:
        words = text.split()
        by_tab = text.split("\t")
        fields = _fields(text, _separator(text))
        if len(fields) > 2 and any(_number(field) is not None for field in fields[2:]):
            votes["similarity"] += 1
        elif len(words) in (4, 8) or _tag(words) or (len(words) == 3 and path.suffix == ".questions"):
            votes["msr"] += 1
        elif (len(by_tab) == 2 and all(field.strip() for field in by_tab)) or len(words) == 2:
            votes["pairs"] += 1
            second.add((by_tab if len(by_tab) == 2 else words)[1].strip())
        elif text.count("\t") == 2:
            votes["similarity"] += 1
    if not votes:
        return None
    kind = votes.most_common(1)[0][0]
    # People put many words in one category, while few pairs of a relation share their second word.
    if kind == "pairs" and 2 * len(second) <= votes["pairs"] and not BATS_CODE.match(path.name):
        return "categories"
    return kind


def _sections(path: Path, lines: Lines, notes: Notes) -> tuple[Section, ...]:
    sections: list[tuple[str, list[Question]]] = []
    begins: list[int] = []
    for number, text in lines:
        words = text.split()
        if text.startswith(": "):
            sections.append((text.lstrip(": ").strip(), []))
            begins.append(number)
        elif not sections:
            raise FormatError("stands before the first section; begin the file with a line ': name'", path, number)
        elif len(words) == 4:
            sections[-1][1].append(_question(number, words))
        else:
            hint = "; a section line is ': name', with a space" if text.startswith(":") else ""
            notes.append(Note(number, f"{counted(len(words), 'word')}, not 4{hint}", skipped=True))
    for begin, (name, questions) in zip(begins, sections, strict=True):
        if not questions:
            notes.append(Note(begin, f"the section {name!r} has no question", skipped=False))
    return tuple(Section(name, tuple(questions)) for name, questions in sections)


def _msr(path: Path, lines: Lines, notes: Notes) -> tuple[Section, ...]:
    """Questions without section lines: a b c d; the same and four tags; a b c tag d; or a b c, and `tag d` apart."""
    answers: dict[int, list[str]] = {}
    if path.suffix == ".questions":
        other = path.with_suffix(".answers")
        if not other.is_file():
            raise FormatError(f"the answers are missing; put {other.name} beside it", path)
        of_answers: Notes = []
        answers = {number: text.split() for number, text in read_lines(other, of_answers)}
        asked = {number for number, _ in lines}
        of_answers += [Note(number, "an answer without a question", skipped=True) for number in answers.keys() - asked]
        notes += [dataclasses.replace(note, file=other.name) for note in of_answers]
    sections: dict[str, list[Question]] = {}
    for number, text in lines:
        if text.startswith("#"):
            continue
        words = text.split()
        answer = answers.get(number, [])
        if answers and len(words) == 3 and len(answer) == 2:
            sections.setdefault(answer[0], []).append(_question(number, [*words, answer[1]]))
        elif not answers and len(words) == 4:
            sections.setdefault(path.stem, []).append(_question(number, words))
        elif not answers and _tag(words):
            sections.setdefault(words[3], []).append(_question(number, [*words[:3], words[4]]))
        elif not answers and len(words) == 8:
            sections.setdefault(f"{words[4]}_{words[5]}", []).append(_question(number, words[:4]))
        elif answers:
            notes.append(Note(number, f"{counted(len(words), 'word')} and an answer of {len(answer)}", skipped=True))
        else:
            notes.append(Note(number, f"{counted(len(words), 'word')}, not 4", skipped=True))
    return tuple(Section(name, tuple(questions)) for name, questions in sections.items())


def _tag(words: Sequence[str]) -> bool:
    """Whether five words are a question with a tag such as NN_NNS before the last one."""
    return len(words) == 5 and re.fullmatch("[A-Za-z]+_[A-Za-z]+", words[3]) is not None


def _question(number: int, words: Sequence[str]) -> Question:
    a, b, c, expected = words
    return Question(number, a, b, c, expected)


def _word_pairs(lines: Lines, notes: Notes) -> tuple[WordPair, ...]:
    """word TAB word, or several words between slashes or commas, of which the first counts as the pair's own."""
    pairs = []
    for number, a, b in _columns(lines, notes):
        words = list(dict.fromkeys(filter(None, (word.strip() for word in ALTERNATIVES.split(b)))))
        if words:
            pairs.append(WordPair(number, a, words[0], tuple(words[1:])))
        else:
            notes.append(Note(number, f"no word in {b!r}", skipped=True))
    return tuple(pairs)


def _columns(lines: Lines, notes: Notes) -> list[tuple[int, str, str]]:
    found = []
    for number, text in lines:
        if text.startswith("#"):
            continue
        fields = [field.strip() for field in text.split("\t")] if "\t" in text else text.split()
        if len(fields) == 2 and all(fields):
            found.append((number, fields[0], fields[1]))
        else:
            notes.append(Note(number, f"{counted(len(fields), 'field')}, not 2", skipped=True))
    return found


def _pairs(lines: Lines, notes: Notes) -> tuple[Pair, ...]:
    """Two words, then perhaps other columns, and the score in the first column that mostly holds numbers."""
    data = [(number, text) for number, text in lines if not text.startswith("#")]
    separator = Counter(_separator(text) for _, text in data).most_common(1)[0][0]
    rows = [(number, _fields(text, separator)) for number, text in data]
    numeric = Counter(i for _, fields in rows for i, field in enumerate(fields) if i > 1 and _number(field) is not None)
    place = min((i for i, count in numeric.items() if 2 * count >= max(numeric.values())), default=2)
    width = Counter(len(fields) for _, fields in rows).most_common(1)[0][0]
    pairs = []
    for i, (number, fields) in enumerate(rows):
        header = i == 0 and not any(_number(field) is not None for field in fields) and len(fields) == width
        if header and len(rows) > 1:
            notes.append(Note(number, "a header line, which is left out", skipped=False))
        elif len(fields) != width:
            notes.append(Note(number, f"{counted(len(fields), 'field')}, not {width}", skipped=True))
        elif not all(fields[:2]):
            notes.append(Note(number, "an empty field", skipped=True))
        elif place >= width or (score := _number(fields[place])) is None:
            text = fields[place] if place < width else ""
            notes.append(Note(number, f"the score {text!r} is not a finite number", skipped=True))
        else:
            pairs.append(Pair(number, fields[0], fields[1], score))
    return _without_tags(pairs, notes)


def _without_tags(pairs: Sequence[Pair], notes: Notes) -> tuple[Pair, ...]:
    tagged = [(TAGGED.fullmatch(pair.a), TAGGED.fullmatch(pair.b)) for pair in pairs]
    if not pairs or not all(a and b for a, b in tagged):
        return tuple(pairs)
    notes.append(Note(pairs[0].line, "a part of speech behind each word, which is left out", skipped=False))
    return tuple(
        dataclasses.replace(pair, a=a[1], b=b[1]) for pair, (a, b) in zip(pairs, tagged, strict=True) if a and b
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
