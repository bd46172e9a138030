"""Writes wordgeo/corpus/unicode_tables.h: what the tokeniser knows of each character (run by hand).

The facts come from the `regex` package (Word_Break, UAX #29) and from Python's own character types:

    python tests/golden/make_unicode_tables.py

A character that the oldest supported Python does not know yet keeps the class that `regex` gives it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import regex

HEADER = Path(__file__).parents[2] / "wordgeo" / "corpus" / "unicode_tables.h"
PAGE = 128
VERSION = "17.0"  # of Unicode, in the release of `regex` that the table was made with
CLASSES = ["OTHER", "LETTER", "NUMBER", "KATAKANA", "EXTEND", "FORMAT", "MIDDLE", "APOSTROPHE"]
CLASSES += ["HYPHEN", "FULL_STOP", "COMMA"]
LOWER, WORDLIKE, SPACE = 16, 32, 64  # bits above the class

APOSTROPHES = "'`\u00b4\u1fef\u1ffd\u2018\u2019\uff07"
HYPHENS = "-\u2010\u2011"
COLONS = ":\ufe13\ufe55\uff1a"  # Word_Break=MidLetter for the sake of Swedish; here they separate words
WORD_BREAK = [
    (r"[\p{WB=ALetter}\p{WB=Hebrew_Letter}]", "LETTER"),
    (r"\p{WB=Numeric}", "NUMBER"),
    (r"\p{WB=Katakana}", "KATAKANA"),
    (r"[\p{WB=Extend}\p{WB=ZWJ}]", "EXTEND"),
    (r"\p{WB=Format}", "FORMAT"),
    (r"\p{WB=MidLetter}", "MIDDLE"),
]


def properties(character: str) -> int:
    """The class of a character and its bits."""
    name = "OTHER"
    if character in APOSTROPHES:
        name = "APOSTROPHE"
    elif character in HYPHENS:
        name = "HYPHEN"
    elif character == ".":
        name = "FULL_STOP"
    elif character == ",":
        name = "COMMA"
    elif character not in COLONS:
        name = next((name for pattern, name in WORD_BREAK if regex.match(pattern, character)), "OTHER")
    bits = CLASSES.index(name)
    if regex.match(r"\p{Ll}", character):
        bits |= LOWER
    if name != "EXTEND" and regex.match(r"[\p{L}\p{N}]", character):
        bits |= WORDLIKE
    if character.isspace():
        bits |= SPACE
    return bits


def main() -> None:
    """Writes the header."""
    table = bytes(0 if 0xD800 <= c < 0xE000 else properties(chr(c)) for c in range(sys.maxunicode + 1))
    pages: dict[bytes, int] = {}
    index = [pages.setdefault(table[begin : begin + PAGE], len(pages)) for begin in range(0, len(table), PAGE)]
    kind = "uint8_t" if len(pages) <= 256 else "uint16_t"
    lines = [
        "/* What the tokeniser knows of each character; written by tests/golden/make_unicode_tables.py. */",
        "#ifndef WORDGEO_UNICODE_TABLES_H",
        "#define WORDGEO_UNICODE_TABLES_H",
        "",
        "#include <stdint.h>",
        "",
        f'#define UNICODE_TABLES_VERSION "{VERSION}"',
        "",
        "enum { " + ", ".join(f"CHAR_{name}" for name in CLASSES) + " };",
        f"enum {{ CHAR_CLASS = 15, CHAR_LOWER = {LOWER}, CHAR_WORDLIKE = {WORDLIKE}, CHAR_SPACE = {SPACE} }};",
        "",
        f"#define CHAR_PAGE {PAGE}",
        f"static const {kind} char_pages[{len(index)}] = {{",
        *wrapped(index),
        "};",
        f"static const uint8_t char_properties[{len(pages) * PAGE}] = {{",
        *wrapped([value for page in pages for value in page]),
        "};",
        "",
        "#endif",
    ]
    HEADER.write_text("\n".join(lines) + "\n", encoding="ascii")


def wrapped(values: list[int], width: int = 118) -> list[str]:
    """The numbers as lines of an initialiser."""
    lines, line = [], ""
    for value in values:
        text = f"{value},"
        if len(line) + len(text) > width:
            lines.append(line)
            line = ""
        line += text
    return [*lines, line]


if __name__ == "__main__":
    main()
