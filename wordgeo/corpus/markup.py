"""The text of HTML pages, without tags, scripts and styles."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from html.parser import HTMLParser

from wordgeo.corpus.lines import Flaw, decoded, encoded, lines
from wordgeo.corpus.unpack import Pieces
from wordgeo.errors import CorpusError

__all__ = ["html_document"]

CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
CHARSET_WITHIN = 1024  # where HTML demands it
MOST_MARKUP = 4 << 20  # characters of one tag or comment
FED_AT_ONCE = 1 << 16
SILENT = frozenset(["script", "style", "template", "noscript", "svg", "math", "iframe", "object", "select", "textarea"])
INLINE = frozenset(
    """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd mark q s samp small span strike strong
    sub sup time tt u var wbr""".split()  # noqa: SIM905
)


def html_document(name: str, pieces: Pieces, flaw: Flaw) -> Iterator[tuple[str, bytes]]:
    """The page as one document. Block elements end a line; the characters are UTF-8 unless the page says otherwise."""
    found = CHARSET.search(pieces.peek(CHARSET_WITHIN))
    charset = found[1].decode() if found else "utf-8"
    try:
        codec = codecs.lookup(charset).name
        b"".decode(codec)
    except LookupError:
        raise CorpusError(f"{name}: no characters are called '{charset}'; convert the page to UTF-8") from None
    page = _Page()
    waiting: list[str] = []
    size = 0
    for at, line in enumerate(lines(name, pieces), 1):
        waiting.append(decoded(line, at, flaw) if codec == "utf-8" else line.decode(codec, "replace"))
        size += len(line) + 1
        # The parser keeps markup without an end and begins it anew each time: it gets as much as it holds, at least.
        if size > max(FED_AT_ONCE, len(page.rawdata)):
            page.feed("\n".join([*waiting, ""]))
            waiting, size = [], 0
            if len(page.rawdata) > MOST_MARKUP:
                raise CorpusError(f"{name}, line {at}: markup that does not end; it is no HTML")
    page.feed("\n".join(waiting))
    page.close()
    yield name, encoded("".join(page.texts), 1, flaw)


class _Page(HTMLParser):
    """Collects the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._silent: str | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if self._silent is None and tag in SILENT:
            self._silent, self._depth = tag, 0
        if tag == self._silent:
            self._depth += 1
        elif tag not in INLINE:
            self.texts.append("\n")

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        if tag not in INLINE:
            self.texts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._silent:
            self._depth -= 1
            if not self._depth:
                self._silent = None
        elif tag not in INLINE:
            self.texts.append("\n")

    def handle_data(self, data: str) -> None:
        if self._silent is None:
            self.texts.append(data)
