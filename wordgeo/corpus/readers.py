"""Reads text from files, folders, globs, standard input and memory, as blocks of bounded size."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wordgeo.corpus.blocks import Block
from wordgeo.errors import CorpusError, NotFoundError, OptionError

__all__ = ["BLOCK_BYTES", "Documents", "Reader", "Source", "Sources", "resolve_sources"]

BLOCK_BYTES = 1 << 20
PIECE_BYTES = 1 << 18
ZSTD_SLICE = 1 << 10  # a kilobyte of zstd is at most 32 MB of text
MOST_LINE_BYTES = 64 << 20
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
GZIP, ZSTD, UTF8_BOM = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xef\xbb\xbf"
FOREIGN_FORMATS = {
    b"BZh": "compressed with bzip2; unpack it",
    b"\xfd7zXZ\x00": "compressed with xz; unpack it",
    b"PK\x03\x04": "a zip archive; unpack it",
    b"PAR1": "a Parquet file; convert it to JSON lines",
    b"\xff\xfe": "UTF-16; convert it to UTF-8",
    b"\xfe\xff": "UTF-16; convert it to UTF-8",
}
# A long line is cut before white space that follows a letter, digit or comma: no rule of words or sentences looks
# across such a place, so that the result does not depend on where the cut is made.
CUT = re.compile(rb".*[0-9A-Za-z,](?=[ \t\n\v\f\r])", re.DOTALL)


class Documents:
    """Documents that are in memory or come from anywhere else: an iterable of `str`, each of which is one document.

    >>> Documents(["One document.", "Another one."]).texts
    ['One document.', 'Another one.']
    """

    def __init__(self, texts: Iterable[str]) -> None:
        if isinstance(texts, (str, bytes)):
            raise OptionError("Documents is one string; give an iterable of strings, one for each document")
        self.texts = texts


Sources = str | Path | Documents | Iterable[str | Path | Documents]


@dataclass(frozen=True)
class Source:
    """One file (`path`), standard input (`path` None), or documents from Python; `name` is what the user calls it."""

    name: str
    path: Path | None = None
    documents: Documents | None = None

    @property
    def size(self) -> int | None:
        """Bytes, where the source is a regular file."""
        if self.path is None or not stat.S_ISREG(self.path.stat().st_mode):
            return None
        return self.path.stat().st_size


def resolve_sources(sources: Sources) -> list[Source]:
    """The files that `sources` names, in a fixed order: as given, folders and globs sorted.

    Raises `NotFoundError` for what is not there, `CorpusError` for what cannot be read as text.
    """
    given = [sources] if isinstance(sources, (str, os.PathLike, Documents)) else list(sources)
    if not given:
        raise OptionError("no source; name a file, a folder or Documents")
    found: list[Source] = []
    for item in given:
        if isinstance(item, Documents):
            found.append(Source("documents from Python", documents=item))
        elif isinstance(item, (str, os.PathLike)):
            found += _files(os.fspath(item))
        else:
            raise OptionError(f"a source is {item!r}; give a path, '-' for standard input, or Documents(texts)")
    return found


def _files(name: str) -> list[Source]:
    if name == "-":
        return [Source("-")]
    if not os.path.lexists(name) and glob.has_magic(name):
        names = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 (a Path would lose "./" and does not take "/")
        if not names:
            raise NotFoundError(f"{name}: no file matches")
        return [source for each in names if "**" not in name or Path(each).is_file() for source in _files(each)]
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise NotFoundError(f"{name} does not exist") from None
    except (OSError, ValueError) as problem:
        raise CorpusError(f"{name} cannot be read: {problem}") from None
    if stat.S_ISDIR(mode):
        if (path / "corpus.json").exists():
            raise CorpusError(f"{name} is an encoded corpus already; give the text that it was made from")
        files = []
        for folder, folders, names in os.walk(name):
            folders[:] = [inner for inner in folders if not inner.startswith(".")]
            files += [str(Path(folder, file)) for file in names if not file.startswith(".")]
        if not files:
            raise CorpusError(f"{name} is a folder without files")
        return [source for file in sorted(files) for source in _files(file)]
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        raise CorpusError(f"{name} is a device or a socket; give a file, a folder, or - for standard input")
    return [Source(name, path)]


class Reader:
    """Reads sources as blocks, and says what it found: bytes, checksums, and what had to be replaced.

    `blocks` reads them once, in order. `report` is called with a source, a line (from 1; for documents from Python
    the number of the document) and what was wrong, whenever a JSON text holds what UTF-8 cannot.
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
        self.facts: list[dict[str, str | int]] = []

    def blocks(self) -> Iterator[Block]:
        """All blocks of all sources; each source begins a new document."""
        for number, source in enumerate(self.sources):
            checksum = hashlib.blake2b(digest_size=32)
            begin = self.position
            yield Block(b"", number, breaks=(0,))
            if source.documents is not None:
                yield from self._gather(self._python_documents(number, source.documents, checksum), number)
            else:
                with _opened(source) as file:
                    yield from self._file_blocks(number, source, self._read(file, source, checksum))
            self.facts.append({"name": source.name, "bytes": self.position - begin, "blake2b": checksum.hexdigest()})

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

    def _file_blocks(self, number: int, source: Source, raw: Iterator[bytes]) -> Iterator[Block]:
        pieces = _Pieces(_unpacked(source.name, raw))
        if pieces.peek(3) == UTF8_BOM:
            pieces.skip(3)
        for magic, what in FOREIGN_FORMATS.items():
            if pieces.peek(len(magic)) == magic:
                raise CorpusError(f"{source.name} is {what}")
        if (self._format or _sniff(source.name, pieces)) == "jsonl":
            yield from self._gather(self._json_documents(number, source.name, pieces), number)
        else:
            for text, mid_line in self._cut(source.name, pieces):
                yield Block(text, number, mid_line=mid_line)

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

    def _gather(self, documents: Iterator[tuple[str, bytes]], number: int) -> Iterator[Block]:
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

    def _json_documents(self, number: int, name: str, pieces: _Pieces) -> Iterator[tuple[str, bytes]]:
        for at, line in enumerate(_lines(name, pieces), 1):
            if not line.strip():
                continue
            place = f"{name}, line {at}"
            try:
                text = line.decode()
            except UnicodeDecodeError:
                text = line.decode("utf-8", "replace")
                for _ in range(text.count("\ufffd") - line.count("\ufffd".encode())):
                    self._report(number, at, "not UTF-8")
            try:
                value = json.loads(text)
            except (ValueError, RecursionError) as problem:
                raise CorpusError(f"{place}: not JSON ({problem}); give one JSON object a line") from None
            document = value.get(self._field) if isinstance(value, dict) else None
            if not isinstance(document, str):
                raise CorpusError(f"{place}: no text in the field '{self._field}'; name the field (--field)")
            yield name, self._encoded(document, number, at)

    def _python_documents(
        self, number: int, documents: Documents, checksum: hashlib.blake2b
    ) -> Iterator[tuple[str, bytes]]:
        for at, text in enumerate(documents.texts, 1):
            if not isinstance(text, str):
                raise CorpusError(f"document {at} is of type {type(text).__name__}; give strings")
            encoded = self._encoded(text, number, at)
            self.position += len(encoded)
            checksum.update(len(encoded).to_bytes(8, "little"))
            checksum.update(encoded)
            yield f"document {at}", encoded

    def _encoded(self, text: str, number: int, line: int) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError:
            for _ in re.findall("[\ud800-\udfff]", text):
                self._report(number, line, "a lone surrogate")
            return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()


class _Pieces:
    """An iterator of bytes that can be looked into before it is used."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._head = pieces, b""

    def peek(self, size: int) -> bytes:
        parts = [self._head]
        missing = size - len(self._head)
        while missing > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            missing -= len(piece)
        self._head = b"".join(parts)
        return self._head[:size]

    def skip(self, size: int) -> None:
        self._head = self._head[size:]

    def __iter__(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        yield from self._pieces


def _opened(source: Source) -> BinaryIO:
    if source.path is None:
        return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
    try:
        return source.path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFoundError(f"{source.name} does not exist") from None
    except OSError as problem:
        raise CorpusError(f"{source.name} cannot be read: {os.strerror(problem.errno or errno.EIO)}") from None


def _unpacked(name: str, raw: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes, unpacked if they are gzip or zstd, never more than some megabytes at a time."""
    pieces = _Pieces(raw)
    if pieces.peek(2) == GZIP:
        yield from _gunzip(name, pieces)
    elif pieces.peek(4) == ZSTD:
        yield from _unzstd(name, pieces)
    else:
        yield from pieces


def _gunzip(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    member = zlib.decompressobj(31)
    for piece in pieces:
        while piece:
            if member.eof:
                piece = piece.lstrip(b"\0")  # gzip files may be padded
                if not piece:
                    break
                member = zlib.decompressobj(31)
            try:
                text = member.decompress(piece, BLOCK_BYTES)
            except zlib.error as problem:
                raise CorpusError(f"{name} is a damaged gzip file: {problem}") from None
            if text:
                yield text
            piece = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise CorpusError(f"{name} is a truncated gzip file")


def _unzstd(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    import zstandard

    frame = zstandard.ZstdDecompressor().decompressobj()
    for piece in pieces:
        for begin in range(0, len(piece), ZSTD_SLICE):
            part = piece[begin : begin + ZSTD_SLICE]
            while part:
                if frame.eof:
                    frame = zstandard.ZstdDecompressor().decompressobj()
                try:
                    text = frame.decompress(part)
                except zstandard.ZstdError as problem:
                    raise CorpusError(f"{name} is a damaged zstd file: {problem}") from None
                if text:
                    yield text
                part = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise CorpusError(f"{name} is a truncated zstd file")


def _sniff(name: str, pieces: _Pieces) -> str:
    """jsonl by its suffix, or because the first line begins with { and is a JSON object; else text."""
    stem = name.removesuffix(".gz").removesuffix(".zst")
    if stem.endswith(JSON_SUFFIXES):
        return "jsonl"
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


def _lines(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    kept: list[bytes] = []
    size, at = 0, 1
    for piece in pieces:
        first, *more = piece.split(b"\n")
        kept.append(first)
        size += len(first)
        if size > MOST_LINE_BYTES:
            raise CorpusError(f"{name}, line {at}: more than {MOST_LINE_BYTES >> 20} MB of JSON without a line end")
        if more:
            yield b"".join(kept)
            yield from more[:-1]
            at += len(more)
            kept, size = [more[-1]], len(more[-1])
    if size:
        yield b"".join(kept)
