"""The lines of a suite's files, and what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wordgeo.evaluation.suites import Note

__all__ = ["Lines", "Notes", "counted", "in_order", "read_lines"]

Lines = list[tuple[int, str]]
Notes = list[Note]


def read_lines(path: Path, notes: Notes) -> Iterator[tuple[int, str]]:
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
        if "\0" in text:
            notes.append(Note(number, "a NUL character, as in UTF-16; not UTF-8 text", skipped=True))
        elif text.strip():
            yield number, text
    if carriage_returns:
        lines = counted(len(carriage_returns), "line")
        notes.append(Note(carriage_returns[0], f"CR before the line end, in {lines} from here on", skipped=False))


def counted(count: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def in_order(notes: Notes) -> tuple[Note, ...]:
    """The notes by line."""
    return tuple(sorted(notes, key=lambda note: note.line))
