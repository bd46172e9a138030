"""The articles of a MediaWiki dump as plain text."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.parsers import expat

from wordgeo.corpus.lines import MOST_LINE_BYTES
from wordgeo.corpus.sources import Source, opened
from wordgeo.corpus.unpack import PIECE_BYTES, unpacked
from wordgeo.errors import CorpusError

__all__ = ["articles", "dump_documents", "plain_text"]

DEEPEST = 64  # a dump has six levels
KEPT = frozenset({"title", "ns", "text"})
REDIRECT = re.compile(r"\s*#\s*\w+\s*:?\s*\[\[")
LEFT_OVER = re.compile(r"'{2,}|__[A-Z]+__")  # marks of bold and italic text, switches such as __NOTOC__
OTHER_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z-]+)?\s*:")
FILES_AND_CATEGORIES = frozenset({"file", "image", "media", "category"})
FILE, CATEGORY = "6", "14"
DROPPED = frozenset(
    """categorytree ce chem gallery graph hiero imagemap inputbox math references ref score section source style
    syntaxhighlight table templatedata timeline""".split()  # noqa: SIM905
)
LINES = frozenset(["br", "hr", "p", "div", "li", "dd", "dt", "blockquote"])

log = logging.getLogger(__name__)


def articles(path: str | Path) -> Iterator[tuple[str, str]]:
    """Title and text of each article (namespace 0, no redirects) of a dump, packed or not, in its order.

    The dump is read as a stream. Raises `NotFoundError`, or `CorpusError` for a file that is no dump.
    """
    with opened(Source(str(path), Path(path))) as file:
        raw = iter(lambda: file.read(PIECE_BYTES), b"")
        yield from dump_articles(str(path), unpacked(str(path), raw), Counter())


def dump_documents(name: str, pieces: Iterable[bytes], skipped: Counter[str]) -> Iterator[tuple[str, bytes]]:
    """Place and text of each article; what is left out is counted in `skipped`."""
    for title, text in dump_articles(name, pieces, skipped):
        yield f"{name}, article '{title}'", text.encode()


def dump_articles(name: str, pieces: Iterable[bytes], skipped: Counter[str]) -> Iterator[tuple[str, str]]:
    """Title and plain text of each article; redirects, pages of other namespaces and a page cut off are counted."""
    dump = _Dump(name)
    count = 0
    for title, namespace, redirects, text in dump.pages(pieces):
        if namespace != "0":
            skipped["other_namespaces"] += 1
        elif redirects or REDIRECT.match(text):
            skipped["redirects"] += 1
        else:
            count += 1
            yield title, plain_text(text, dump.unseen)
    if dump.problem and not count + skipped.total():
        raise CorpusError(f"{name} is no MediaWiki dump, or a damaged one: {dump.problem}")
    if dump.problem:
        log.warning("%s ends in the middle of a page, which was left out", name)
        skipped["cut_off"] += 1


def plain_text(wikitext: str, unseen: frozenset[str] = FILES_AND_CATEGORIES) -> str:
    """The text that a reader of the page sees in its paragraphs, headings and lists.

    Templates, tables, references, galleries, formulas, comments, files, categories and links to other languages go;
    a link leaves its text. `unseen` are the names (in small letters) of the namespaces of files and categories.
    """
    import mwparserfromhell

    parts: list[str] = []
    _render(mwparserfromhell.parse(wikitext, skip_style_tags=True), parts, unseen, mwparserfromhell.nodes)
    return LEFT_OVER.sub("", "".join(parts))


def _render(code: Any, parts: list[str], unseen: frozenset[str], nodes: Any) -> None:
    for node in code.nodes:
        if isinstance(node, nodes.Text):
            parts.append(node.value)
        elif isinstance(node, nodes.Wikilink):
            title = str(node.title).strip()
            prefix = title.partition(":")[0].strip().lower()
            if not (prefix in unseen or OTHER_LANGUAGE.match(title)):
                if node.text is None:
                    parts.append(title.lstrip(":"))
                else:
                    _render(node.text, parts, unseen, nodes)
        elif isinstance(node, nodes.ExternalLink):
            if node.title is not None:
                _render(node.title, parts, unseen, nodes)
        elif isinstance(node, nodes.HTMLEntity):
            try:
                parts.append(node.normalize())
            except (ValueError, OverflowError):
                parts.append(" ")
        elif isinstance(node, nodes.Heading):
            _render(node.title, parts, unseen, nodes)
        elif isinstance(node, nodes.Tag):
            tag = str(node.tag).strip().lower()
            if tag in LINES:
                parts.append("\n")
            if tag not in DROPPED and node.contents is not None:
                _render(node.contents, parts, unseen, nodes)


class _Dump:
    """Reads the XML of a dump piece by piece, with one page in memory.

    A document type, and with it any definition of entities, is refused, and so is nesting that no dump has.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._parser = parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        self._depth = self._size = 0
        self._kept: list[str] | None = None
        self._page: dict[str, str] = {}
        self._pages: list[tuple[str, str, bool, str]] = []
        self._namespaces: dict[str, str] = {}
        self.unseen = FILES_AND_CATEGORIES
        self.problem = ""  # what was wrong where the dump ended

    def pages(self, pieces: Iterable[bytes]) -> Iterator[tuple[str, str, bool, str]]:
        """Title, namespace, whether it redirects, and text of each page."""
        fed = 0
        try:
            for piece in pieces:
                self._parser.Parse(piece, False)
                fed += len(piece)
                if fed - self._parser.CurrentByteIndex > MOST_LINE_BYTES:
                    raise CorpusError(f"{self._place()}: a tag without an end; it is no MediaWiki dump")
                yield from self._pages
                self._pages.clear()
        except expat.ExpatError as problem:
            raise CorpusError(f"{self._place()}: not the XML of a MediaWiki dump ({problem})") from None
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as problem:
            self.problem = str(problem)

    def _place(self) -> str:
        return f"{self._name}, line {self._parser.CurrentLineNumber}"

    def _doctype(self, *_: object) -> None:
        raise CorpusError(f"{self._place()}: a document type, which no dump has; entities are not read")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise CorpusError(f"{self._place()}: elements {DEEPEST} deep; it is no MediaWiki dump")
        if self._depth == 1 and tag != "mediawiki":
            raise CorpusError(f"{self._place()}: the XML is of <{tag[:40]}>, not of a MediaWiki dump")
        if tag == "page":
            self._page = {}
        elif tag == "redirect":
            self._page["redirect"] = "yes"
        elif tag in KEPT or tag == "namespace":
            self._key = attributes.get("key", "")
            self._kept, self._size = [], 0
            self._parser.CharacterDataHandler = self._text

    def _text(self, text: str) -> None:
        assert self._kept is not None
        self._size += len(text)
        if self._size > MOST_LINE_BYTES:
            raise CorpusError(f"{self._place()}: a page of more than {MOST_LINE_BYTES >> 20} MB")
        self._kept.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._kept is not None and (tag in KEPT or tag == "namespace"):
            text = "".join(self._kept)
            self._kept = self._parser.CharacterDataHandler = None
            if tag != "namespace":
                self._page[tag] = text
            elif text:
                self._namespaces[text.lower()] = self._key
                if self._key in (FILE, CATEGORY):
                    self.unseen |= {text.lower()}
        elif tag == "page":
            title = self._page.get("title", "")
            # Dumps from before 2012 do not say the namespace of a page: its title does.
            namespace = self._page.get("ns") or self._namespaces.get(title.partition(":")[0].lower(), "0")
            self._pages.append((title, namespace.strip(), "redirect" in self._page, self._page.get("text", "")))
