"""Readers of multiple-choice analogies (SAT) and of relations that people have graded (SemEval-2012 Task 2)."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path

from wordgeo.errors import FormatError
from wordgeo.evaluation.lines import Lines, Notes, counted, in_order, read_lines
from wordgeo.evaluation.suites import Choice, ChoiceSuite, MaxDiff, Note, Relation, RelationSuite, Two

__all__ = ["is_graded", "read_choices", "read_relations"]

ANSWERS, QUESTIONS = "Phase2Answers-", "Phase1Questions-"
QUOTED = re.compile(r'"([^"]*)"')
NAMED = re.compile(r"Question\s+(\d+)\s*\(?(\w)\)?[\s:]*(.*)")


def read_choices(name: str, path: Path, lines: Lines, notes: Notes) -> ChoiceSuite:
    """Questions of some lines each: perhaps where it is from, the stem, the choices, and the right one's letter.

    A pair is two words, perhaps with their parts of speech (`n:v`) behind them. Lines that begin with # are comments.
    """
    questions: list[Choice] = []
    block: Lines = []
    for number, text in lines:
        if text.startswith("#"):
            continue
        block.append((number, text.strip()))
        if len(text.strip()) == 1:
            _choice(block, questions, notes)
            block = []
    if block:
        notes.append(Note(block[0][0], "a question without a line that holds the letter of its answer", skipped=True))
    if not questions:
        raise FormatError("there is no question in it; one is a pair, the pairs to choose from, and a letter", path)
    return ChoiceSuite(name, str(path), tuple(questions), in_order(notes))


def _choice(block: Lines, questions: list[Choice], notes: Notes) -> None:
    """One question, or a note of what is wrong in it."""
    first, letter = block[0][0], block[-1][1]
    rows = [(number, text.split()) for number, text in block[:-1]]
    tagged = any(len(words) == 3 and ":" in words[2] for _, words in rows)

    def is_pair(words: list[str]) -> bool:
        return len(words) == 3 and ":" in words[2] if tagged else len(words) == 2

    if rows and not is_pair(rows[0][1]):
        rows = rows[1:]  # where the question is from
    wrong = next((number for number, words in rows if not is_pair(words)), None)
    place = ord(letter.lower()) - ord("a")
    if wrong is not None:
        notes.append(Note(wrong, "not a pair of words; the question that begins at line "
                          f"{first} is left out", skipped=True))  # fmt: skip
    elif len(rows) < 3:
        notes.append(Note(first, f"{counted(len(rows), 'pair')}, not a stem and two choices or more", skipped=True))
    elif not 0 <= place < len(rows) - 1:
        notes.append(Note(block[-1][0], f"the answer {letter!r} is none of {len(rows) - 1} choices", skipped=True))
    else:
        pairs = [(words[0], words[1]) for _, words in rows]
        questions.append(Choice(rows[0][0], pairs[0], tuple(pairs[1:]), place))


def is_graded(path: Path) -> bool:
    """Whether a folder holds SemEval's data: files `Phase2Answers-1a.txt` and the like, however deep."""
    return next(path.rglob(ANSWERS + "*.txt"), None) is not None


def read_relations(name: str, path: Path) -> RelationSuite:
    """The relations below a folder, by the official layout or with all files in one folder.

    `Phase2Answers-1a.txt` has MaxDiff answers, one a line: four pairs, the least and the most illustrative one;
    `Phase1Questions-1a.txt` the relation's name and its examples. Groups are Training and Testing.
    """
    notes: list[Note] = []
    relations = []
    for file in sorted(path.rglob(ANSWERS + "*.txt"), key=_by_number):
        mine: Notes = []
        label = file.stem.removeprefix(ANSWERS)
        shown = _shown(file, label)
        group = file.parent.parent.name if file.parent.name == ANSWERS[:-1] else file.parent.name
        if shown is None:
            mine.append(Note(1, f"its examples are missing; put {QUESTIONS}{label}.txt beside it", skipped=True))
        else:
            of_shown: Notes = []
            titles, examples = _examples(shown, of_shown)
            place = str(shown.relative_to(path))
            notes += [dataclasses.replace(note, file=place) for note in in_order(of_shown)]
            found = _graded(list(read_lines(file, mine)), mine)
            if examples and found[0]:
                relations.append(Relation(f"{label} {titles}".strip(), group if group != path.name else "", examples,
                                          *found))  # fmt: skip
            else:
                mine.append(Note(1, "no pair in it" if examples else f"no example in {shown.name}", skipped=True))
        notes += [dataclasses.replace(note, file=str(file.relative_to(path))) for note in in_order(mine)]
    if not relations:
        raise FormatError(f"a folder without a relation; {notes[0].file}: {notes[0].problem}", path)
    return RelationSuite(name, str(path), tuple(relations), tuple(notes))


def _by_number(file: Path) -> tuple[int, str]:
    number = re.match(r"\d+", file.stem.removeprefix(ANSWERS))
    return int(number[0]) if number else 0, file.stem


def _shown(file: Path, label: str) -> Path | None:
    """The file with the examples, in the folder beside that of the answers or in the same one."""
    name = f"{QUESTIONS}{label}.txt"
    places = (file.parent.parent / QUESTIONS[:-1] / name, file.parent / name)
    return next((place for place in places if place.is_file()), None)


def _examples(path: Path, notes: Notes) -> tuple[str, tuple[Two, ...]]:
    """Name of the relation, and the first run of pairs, each as `a:b`."""
    lines = [text.strip() for _, text in read_lines(path, notes)]
    named = NAMED.fullmatch(lines[0]) if lines else None
    found: list[Two] = []
    for text in lines[1:]:
        pair = _pair(text)
        if pair is not None:
            found.append(pair)
        elif found:
            break
    return named[3] if named else "", tuple(found)


def _graded(lines: Lines, notes: Notes) -> tuple[tuple[Two, ...], tuple[float, ...], tuple[MaxDiff, ...]]:
    """The pairs, their scores, and the MaxDiff questions with the votes."""
    places: dict[Two, int] = {}
    times: Counter[int] = Counter()
    least: Counter[tuple[tuple[int, ...], int]] = Counter()
    most: Counter[tuple[tuple[int, ...], int]] = Counter()
    asked: dict[tuple[int, ...], None] = {}
    for number, text in lines:
        if text.startswith("#"):
            continue
        fields = QUOTED.findall(text) if '"' in text else text.split("\t")
        shown, chosen = [_pair(field) for field in fields[:4]], fields[4:6]
        if len(chosen) < 2 or None in shown:
            notes.append(Note(number, "not six pairs a:b (four, the least and the most illustrative)", skipped=True))
        elif any(field.strip() and _pair(field) not in shown for field in chosen):
            notes.append(Note(number, "the pair chosen is none of the four", skipped=True))
        else:
            # As in the task's own scripts, an answer without one of the choices counts for the other.
            if not all(field.strip() for field in chosen):
                notes.append(Note(number, "one of the two choices is missing; the other counts", skipped=False))
            four = tuple(places.setdefault(pair, len(places)) for pair in shown if pair)
            times.update(four)
            asked[four] = None
            for field, votes in zip(chosen, (least, most), strict=True):
                if pair := _pair(field):
                    votes[four, places[pair]] += 1
    net: Counter[int] = Counter()
    for (_, place), count in most.items():
        net[place] += count
    for (_, place), count in least.items():
        net[place] -= count
    scores = tuple(100 * net[place] / times[place] for place in range(len(places)))
    questions = tuple(
        MaxDiff(four, tuple(least[four, place] for place in four), tuple(most[four, place] for place in four))
        for four in asked
    )
    return tuple(places), scores, questions


def _pair(text: str) -> Two | None:
    parts = [part.strip() for part in text.split(":")]
    return (parts[0], parts[1]) if len(parts) == 2 and all(parts) else None
