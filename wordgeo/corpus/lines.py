"""Lines of bytes and the text in them: what the readers of JSON lines, tables and markup share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from wordgeo.errors import CorpusError

__all__ = ["MOST_LINE_BYTES", "Flaw", "decoded", "encoded", "lines"]

MOST_LINE_BYTES = 64 << 20

Flaw = Callable[[int, str], None]  # told the line (from 1) and what was wrong, once for each place


def lines(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines without their ends; a last empty one is none. Raises `CorpusError` for those of more than 64 MB."""
    kept: list[bytes] = []
    size, at = 0, 1
    for piece in pieces:
        first, *more = piece.split(b"\n")
        kept.append(first)
        size += len(first)
        if size > MOST_LINE_BYTES:
            raise CorpusError(f"{name}, line {at}: more than {MOST_LINE_BYTES >> 20} MB without a line end")
        if more:
            yield b"".join(kept)
            yield from more[:-1]
            at += len(more)
            kept, size = [more[-1]], len(more[-1])
    if size:
        yield b"".join(kept)


def decoded(line: bytes, at: int, flaw: Flaw) -> str:
    """The line as text; what is not UTF-8 becomes U+FFFD and is reported."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        text = line.decode("utf-8", "replace")
        for _ in range(text.count("\ufffd") - line.count("\ufffd".encode())):
            flaw(at, "not UTF-8")
        return text


def encoded(text: str, at: int, flaw: Flaw) -> bytes:
    """The text as UTF-8; lone surrogates become U+FFFD and are reported."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        for _ in re.findall("[\ud800-\udfff]", text):
            flaw(at, "a lone surrogate")
        return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()
