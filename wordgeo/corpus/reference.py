"""The tokeniser once more, slowly: the rules as patterns. Tests compare the compiled one with it; nothing else uses it.

Each character of a text is given a letter that says its class; words are then what `WORD` matches in the string of
those letters:

- `A` letter, `S` the letters s and S, `N` digit, `K` Katakana, `O` any other character that makes a word by itself,
- `E` what extends the character before it (combining marks, joiners), `F` format characters (soft hyphen),
- `M` what may stand between letters, `'` any apostrophe, `-` any hyphen, `.` and `,`, and `_` all else.
"""

from __future__ import annotations

import re

import numpy as np

import wordgeo.corpus._encode as _encode
from wordgeo.corpus.blocks import fold

__all__ = ["documents_of", "prose_sentences", "words_of_prose"]

CLASS_LETTERS = "_ANKEFM'-.,"
LOWER, WORDLIKE, SPACE = 16, 32, 64
LINE_END = re.compile(r"\r\n?|\n")

X = "[EF]*"
LETTER, ALPHANUMERIC = "[AS]", "[ASN]"
WORD = re.compile(
    rf"(?P<acronym>(?:{LETTER}{X}\.){{2,}})"
    rf"|(?P<number>N{{1,3}}(?:,N{{3}})+(?:\.N+)?(?![ASNE])|N+\.N+(?![ASNE]))"
    rf"|(?P<word>(?:{LETTER}{X}(?:M{X}(?={LETTER})|['-](?={ALPHANUMERIC}))?|N{X}(?:['-](?={ALPHANUMERIC}))?)+)"
    rf"|(?P<other>K{X}(?:K{X})*|O{X})"
)
TERMINATOR = re.compile(r"[.?!]+")
FOLLOWS = re.compile(r"[\"')\]}»’”]*(?P<blank>[^\S\n\r]+)[\"'(\[{«‘“]*(?P<next>\S)")
ABBREVIATIONS = frozenset(
    """adm al approx apr aug ave b bros c ca capt cf cmdr co col corp d dec dept dr ed eds esp esq est etc feb fig fl fr
    gen gov hon inc jan jr jul jun lt ltd maj mar messrs mme mr mrs ms mt no nos nov oct op p ph pp prof rd rep rev
    sec sen sep sept sgt spp sr st v viz vol vs Ft""".split()  # noqa: SIM905
)


def properties(text: str) -> np.ndarray:
    """What the table says of each character, uint8 [characters]."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    found = np.empty(len(points), dtype=np.uint8)
    _encode.properties(points, found)
    return found


def classes(text: str) -> str:
    """The letter of the class of each character."""
    letters = []
    for character, bits in zip(text, properties(text).tolist(), strict=True):
        letter = CLASS_LETTERS[bits & 15]
        if letter == "_" and bits & WORDLIKE:
            letter = "O"
        letters.append("S" if character in "sS" else letter)
    return "".join(letters)


def words_of_prose(line: str) -> list[tuple[str, int, int]]:
    """The words of a line as (word before any change of case or form, begin, end)."""
    kinds, bits = classes(line), properties(line)
    found, at = [], 0
    while at < len(line):
        if kinds[at] == "'" and kinds[at + 1 : at + 2] == "S":
            match = WORD.match(kinds, at + 1)
            if match and match.end() == at + 2:
                found.append(("'" + line[at + 1], at, at + 2))
                at += 2
                continue
        match = WORD.match(kinds, at)
        if not match:
            at += 1
            continue
        at, end = match.span()
        if match["number"]:
            found.append((line[at:end].replace(",", ""), at, end))
        elif (bits[at:end] & WORDLIKE).any():
            kept = [(k, c) for k, c in zip(kinds[at:end], line[at:end], strict=True) if k != "F"]
            word = "".join(k if k in "'-" else c for k, c in kept)
            if match["word"] and len(word) > 2 and word[-2:] in ("'s", "'S"):
                found += [(word[:-2], at, end), (word[-2:], at, end)]
            else:
                found.append((word, at, end))
        at = end
    return found


def is_shortened(line: str, begin: int, end: int) -> bool:
    """Whether the full stop after line[begin:end] belongs to an abbreviation or an initial."""
    before = line[begin - 1 : begin]
    stem = line[begin:end].rpartition("-")
    word = stem[2]
    if stem[1]:
        before = ""
    kinds = classes(word)
    if re.fullmatch(f"{LETTER}{X}", kinds) and not properties(word)[0] & LOWER:
        return not before or before.isspace() or before in "\"'([{«‘“.-"
    return word in ABBREVIATIONS or word[:1].lower() + word[1:] in ABBREVIATIONS


def prose_sentences(line: str) -> list[list[str]]:
    """The sentences of a line, as words that are not folded yet; empty ones are left out."""
    words = words_of_prose(line)
    covered = {place for _, begin, end in words for place in range(begin, end)}
    ends_at = {end: begin for _, begin, end in words}
    breaks = []
    for match in TERMINATOR.finditer(line):
        begin, end = match.span()
        while begin < end and begin in covered:  # the full stop of an acronym or a number
            begin += 1
        if begin == end:
            continue
        alone = line[begin:end] == "." and begin in ends_at and line[end : end + 1].isspace()
        if alone and is_shortened(line, ends_at[begin], begin):
            continue
        follows = FOLLOWS.match(line, end)
        if follows:
            bits = properties(follows["next"])[0]
            if bits & WORDLIKE and not bits & LOWER:
                breaks.append(begin)
    sentences: list[list[str]] = [[] for _ in range(len(breaks) + 1)]
    for word, begin, _ in words:
        sentences[sum(begin > place for place in breaks)].append(word)
    return [sentence for sentence in sentences if sentence]


def documents_of(text: str, *, tokens: str, case: str, documents: str) -> list[list[list[str]]]:
    """The documents of a plain text as sentences of words, as `encode` finds them."""
    found: list[list[list[str]]] = [[]]
    for line in LINE_END.split(text):
        if tokens == "unicode":
            sentences = prose_sentences(line)
        else:
            sentences = [line.replace("\0", " ").split()]
        for sentence in sentences:
            if sentence:
                found[-1].append([fold(word, case == "lower") for word in sentence])
        if documents == "line" or not line.strip():
            found.append([])
    return [document for document in found if document]
