"""Reads sources, whatever they are, as blocks of bounded size."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from wordgeo.corpus.blocks import Block
from wordgeo.corpus.lines import MOST_LINE_BYTES, encoded
from wordgeo.corpus.markup import html_document
from wordgeo.corpus.sources import Documents, Source, opened
from wordgeo.corpus.tables import (
    arrow_documents,
    csv_documents,
    json_documents,
    parquet_documents,
    row_documents,
)
from wordgeo.corpus.unpack import PIECE_BYTES, Pieces, is_tar, tar_members, unpacked, zip_members
from wordgeo.corpus.wikipedia import dump_documents
from wordgeo.errors import CorpusError

__all__ = ["BLOCK_BYTES", "INPUT_FORMATS", "Reader", "format_by_name"]

BLOCK_BYTES = 1 << 20
SNIFFED_BYTES = 1 << 12
INPUT_FORMATS = ("text", "jsonl", "csv", "tsv", "html", "mediawiki", "parquet", "arrow")
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".arrow": "arrow",
    ".feather": "arrow",
}
PACKED_SUFFIXES = re.compile(r"\.(gz|zst|bz2|xz)$")
HTML = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
MEDIAWIKI = re.compile(rb"\s*(<\?xml[^>]*>\s*)?<mediawiki\b")
UTF8_BOM = b"\xef\xbb\xbf"
# What has its table of contents at the end, so that it cannot be read as a stream.
WHOLE_FILES = {b"PK\x03\x04": "zip", b"PAR1": "parquet", b"ARROW1": "arrow"}
FOREIGN_FORMATS = {
    b"PK\x03\x04": "a zip archive inside an archive; unpack it",
    b"PAR1": "a Parquet file inside an archive or packed; unpack it",
    b"ARROW1": "an Arrow file inside an archive or packed; unpack it",
    b"FEA1": "a Feather file of version 1; convert it to version 2",
    b"\xff\xfe": "UTF-16; convert it to UTF-8",
    b"\xfe\xff": "UTF-16; convert it to UTF-8",
}
# A long line is cut before white space that follows a letter, digit or comma: no rule of words or sentences looks
# across such a place, so that the result does not depend on where the cut is made.
CUT = re.compile(rb".*[0-9A-Za-z,](?=[ \t\n\v\f\r])", re.DOTALL)


class Reader:
    """Reads sources as blocks, and says what it found: bytes, checksums, what was left out or had to be replaced.

    `blocks` reads them once, in order. `names` says which file a block comes from: the sources, with the members of
    archives each by themselves. `report` is called with such a number, a line (from 1; in tables and from Python the
    number of the row or document) and what was wrong, whenever a text that is not plain holds what UTF-8 cannot.
    """

    def __init__(
        self,
        sources: list[Source],
        *,
        input_format: str | None = None,
        field: str = "text",
        report: Callable[[int, int, str], None],
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self.sources, self._format, self._field = sources, input_format, field
        self._report, self._block_bytes = report, block_bytes
        self.position = 0  # bytes read so far, as they lie in the files
        self.names: list[str] = []
        self.facts: list[dict[str, Any]] = []
        self._skipped: Counter[str] = Counter()

    def blocks(self) -> Iterator[Block]:
        """All blocks of all sources; each file begins a new document."""
        for source in self.sources:
            checksum = hashlib.blake2b(digest_size=32)
            begin, self._skipped = self.position, Counter()
            if source.documents is not None:
                yield from self._memory(source, partial(_python_documents, source.documents), checksum)
            elif source.rows is not None:
                rows = partial(row_documents, source.name, source.rows, self._field)
                yield from self._memory(source, rows, checksum)
            else:
                with opened(source) as file:
                    yield from self._file(file, source, checksum)
            facts = {"name": source.name, "bytes": self.position - begin, "blake2b": checksum.hexdigest()}
            self.facts.append({**facts, "skipped": dict(sorted(self._skipped.items()))} if self._skipped else facts)

    def _begin(self, name: str) -> tuple[int, Block]:
        """The number of another file, and the block that ends the document before it."""
        self.names.append(name)
        return len(self.names) - 1, Block(b"", len(self.names) - 1, breaks=(0,))

    def _memory(self, source: Source, documents: Any, checksum: hashlib.blake2b) -> Iterator[Block]:
        number, block = self._begin(source.name)
        yield block

        def counted() -> Iterator[tuple[str, bytes]]:
            for place, text in documents(partial(self._report, number)):
                self.position += len(text)
                checksum.update(len(text).to_bytes(8, "little"))
                checksum.update(text)
                yield place, text

        yield from self._gather(counted(), number)

    def _file(self, file: BinaryIO, source: Source, checksum: hashlib.blake2b) -> Iterator[Block]:
        begin = self.position
        pieces = Pieces(self._read(file, source, checksum))
        head = pieces.peek(8)
        kind = next((kind for magic, kind in WHOLE_FILES.items() if head.startswith(magic)), self._format)
        if kind not in WHOLE_FILES.values() and not (self._format is None and format_by_name(source.name) == "arrow"):
            yield from self._stream(source.name, pieces)
            return
        size, path = source.size, source.path
        if size is None or path is None:
            raise CorpusError(f"{source.name} is {kind}, which cannot be read as a stream; give a file")
        for _ in pieces:  # for the checksum
            pass
        self.position = begin

        def report(share: float) -> None:
            self.position = max(self.position, begin + int(share * size))

        if kind == "zip":
            for member, content in zip_members(source.name, path, report):
                yield from self._stream(f"{source.name}/{member}", content)
        else:
            number, block = self._begin(source.name)
            yield block
            read = parquet_documents if kind == "parquet" else arrow_documents
            documents = read(source.name, path, self._field, partial(self._report, number), report)
            yield from self._gather(documents, number)
        self.position = begin + size

    def _read(self, file: BinaryIO, source: Source, checksum: hashlib.blake2b) -> Iterator[bytes]:
        while True:
            try:
                piece = file.read(PIECE_BYTES)
            except OSError as problem:
                raise CorpusError(f"{source.name} cannot be read: {os.strerror(problem.errno or errno.EIO)}") from None
            if not piece:
                return
            self.position += len(piece)
            checksum.update(piece)
            yield piece

    def _stream(self, name: str, raw: Iterable[bytes], *, in_tar: bool = False) -> Iterator[Block]:
        pieces = Pieces(unpacked(name, iter(raw)))
        if pieces.peek(3) == UTF8_BOM:
            pieces.skip(3)
        kind = self._format or _sniff(name, pieces)
        for magic, what in FOREIGN_FORMATS.items():
            if pieces.peek(len(magic)) == magic and not (kind == "mediawiki" and "UTF-16" in what):
                raise CorpusError(f"{name} is {what}")
        if is_tar(pieces):
            if in_tar:
                raise CorpusError(f"{name} is a tar archive inside another; unpack it")
            for member, content in tar_members(name, pieces):
                yield from self._stream(f"{name}/{member}", content, in_tar=True)
            return
        number, block = self._begin(name)
        yield block
        flaw = partial(self._report, number)
        if kind == "jsonl":
            documents = json_documents(name, pieces, self._field, flaw)
        elif kind in ("csv", "tsv"):
            documents = csv_documents(name, pieces, self._field, flaw, tabs=kind == "tsv")
        elif kind == "html":
            documents = html_document(name, pieces, flaw)
        elif kind == "mediawiki":
            documents = dump_documents(name, pieces, self._skipped)
        elif kind in ("parquet", "arrow"):
            raise CorpusError(f"{name} is no {kind.capitalize()} file, or one inside an archive; unpack it")
        else:
            for text, mid_line in self._cut(name, pieces):
                yield Block(text, number, mid_line=mid_line)
            return
        yield from self._gather(documents, number)

    def _cut(self, name: str, pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
        """Blocks that end at a line end, or else where `CUT` says; and whether each begins mid-line."""
        rest, mid_line, limit = bytearray(), False, self._block_bytes
        for piece in pieces:
            rest += piece
            while len(rest) >= limit:
                cut = rest.rfind(b"\n", 0, limit) + 1
                ends_line = cut > 0
                if not ends_line and (found := CUT.match(rest, 0, limit)):
                    cut = found.end()
                if cut:
                    yield bytes(rest[:cut]), mid_line
                    del rest[:cut]
                    mid_line, limit = not ends_line, self._block_bytes
                elif limit >= MOST_LINE_BYTES:
                    raise CorpusError(f"{name} has {limit} bytes without a space or a line end; it is not text")
                else:
                    limit *= 2
        if rest:
            yield bytes(rest), mid_line

    def _gather(self, documents: Iterable[tuple[str, bytes]], number: int) -> Iterator[Block]:
        """Blocks of many documents, or of parts of a long one."""
        texts: list[bytes] = []
        breaks: list[int] = []
        size = 0
        for name, document in documents:
            if size + len(document) > self._block_bytes and texts:
                yield Block(b"".join(texts), number, breaks=tuple(breaks), plain=False)
                texts, breaks, size = [], [], 0
            if len(document) > self._block_bytes:
                for text, mid_line in self._cut(name, [document]):
                    yield Block(text, number, mid_line=mid_line, plain=False)
                document = b""
            size += len(document)
            texts.append(document)
            breaks.append(size)
        yield Block(b"".join(texts), number, breaks=tuple(breaks), plain=False)


def _python_documents(documents: Documents, flaw: Callable[[int, str], None]) -> Iterator[tuple[str, bytes]]:
    for at, text in enumerate(documents.texts, 1):
        if not isinstance(text, str):
            raise CorpusError(f"document {at} is of type {type(text).__name__}; give strings")
        yield f"document {at}", encoded(text, at, flaw)


def format_by_name(name: str) -> str | None:
    """The format that the suffix of a name tells, if any; packed files may have one more."""
    return SUFFIXES.get(Path(PACKED_SUFFIXES.sub("", name)).suffix.lower())


def _sniff(name: str, pieces: Pieces) -> str:
    """The format by the suffix, or by how the content begins; a line that begins with { has to be a JSON object."""
    if by_name := format_by_name(name):
        return by_name
    head = pieces.peek(SNIFFED_BYTES)
    if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # which XML may be
        head = head.decode("utf-16", "ignore").encode("utf-8", "replace")
    if MEDIAWIKI.match(head):
        return "mediawiki"
    if HTML.match(head):
        return "html"
    head = pieces.peek(PIECE_BYTES).lstrip()
    if head[:1] != b"{":
        return "text"
    size = PIECE_BYTES
    while b"\n" not in head and size < MOST_LINE_BYTES:
        size *= 2
        head = pieces.peek(size).lstrip()
    line = head.partition(b"\n")[0]
    try:
        return "jsonl" if isinstance(json.loads(line), dict) else "text"
    except (ValueError, RecursionError):
        return "text"
