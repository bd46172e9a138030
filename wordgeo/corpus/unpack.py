"""Unpacks what is read: gzip, zstd, bzip2, xz, and the members of tar and zip archives, a little at a time."""

from __future__ import annotations

import bz2
import contextlib
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from wordgeo.errors import CorpusError, WordgeoError

__all__ = ["PIECE_BYTES", "Pieces", "is_tar", "tar_members", "unpacked", "zip_members"]

PIECE_BYTES = 1 << 18
MOST_AT_ONCE = 1 << 20
ZSTD_SLICE = 1 << 10  # a kilobyte of zstd is at most 32 MB of text
XZ_MEMORY = 128 << 20  # what a dictionary may take; the largest that `xz` itself makes needs 65 MB
MOST_TAR_HEADER = 1 << 20
GZIP, ZSTD, BZIP2, XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\x00"


class Pieces:
    """An iterator of bytes that can be looked into before it is used."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._head = pieces, b""

    def peek(self, size: int) -> bytes:
        """The first bytes of what follows, fewer only at the end."""
        parts = [self._head]
        missing = size - len(self._head)
        while missing > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            missing -= len(piece)
        self._head = b"".join(parts)
        return self._head[:size]

    def skip(self, size: int) -> None:
        """Leaves out bytes that were looked at."""
        self._head = self._head[size:]

    def __iter__(self) -> Iterator[bytes]:
        if self._head:
            yield self._head
        yield from self._pieces


def unpacked(name: str, raw: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes, unpacked if they are gzip, zstd, bzip2 or xz; never more than some megabytes at a time."""
    pieces = Pieces(raw)
    if pieces.peek(2) == GZIP:
        yield from _inflated(name, "gzip", pieces, _Gzip, zlib.error)
    elif pieces.peek(4)[:3] == BZIP2 and pieces.peek(4)[3:].isdigit():
        yield from _inflated(name, "bzip2", pieces, bz2.BZ2Decompressor, OSError)
    elif pieces.peek(6) == XZ:
        yield from _inflated(
            name, "xz", pieces, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, XZ_MEMORY), lzma.LZMAError
        )
    elif pieces.peek(4) == ZSTD:
        yield from _unzstd(name, pieces)
    else:
        yield from pieces


class _Decompressor(Protocol):
    """What `bz2` and `lzma` have: input that is not used up stays inside until it is asked for (`needs_input`)."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """One member of a gzip file, with the manners of `bz2.BZ2Decompressor`."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(31)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data


def _inflated(
    name: str, kind: str, pieces: Iterable[bytes], begin: Callable[[], Any], error: type[Exception]
) -> Iterator[bytes]:
    """Unpacks one stream after another; zeros may pad them."""
    stream: _Decompressor = begin()
    for piece in pieces:
        while piece or not (stream.needs_input or stream.eof):
            if stream.eof:
                piece = piece.lstrip(b"\0")
                if not piece:
                    break
                stream = begin()
            try:
                text = stream.decompress(piece, MOST_AT_ONCE)
            except (error, EOFError) as problem:
                raise CorpusError(f"{name} is a damaged {kind} file: {problem}") from None
            piece = stream.unused_data if stream.eof else b""
            if text:
                yield text
    if not stream.eof:
        raise CorpusError(f"{name} is a truncated {kind} file")


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


def is_tar(pieces: Pieces) -> bool:
    """Whether a tar archive follows."""
    return pieces.peek(262)[257:] == b"ustar"


def tar_members(name: str, pieces: Iterable[bytes]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of each file in a tar archive, in its order, without those that are hidden."""
    stream: Any = _Stream(pieces)  # tarfile only ever reads it
    with _damage_reported(name, "tar"), tarfile.open(
        fileobj=stream, mode="r|", bufsize=PIECE_BYTES, tarinfo=_Header
    ) as archive:  # fmt: skip
        for member in archive:
            if member.isfile() and not _is_hidden(member.name):
                yield member.name, _pieces(name, "tar", archive.extractfile(member))
            archive.members = []  # type: ignore[attr-defined]  # it would keep all of them


class _Header(tarfile.TarInfo):
    """What stands before a member. Some headers have headers of their own, which tarfile would read whole."""

    def _proc_member(self, archive: Any) -> Any:
        if not self.isreg() and self.size > MOST_TAR_HEADER:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]


class _Stream:
    """Bytes to be read in order, as tarfile wants them."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces, self._rest = iter(pieces), b""

    def read(self, size: int) -> bytes:
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (piece := next(self._pieces, b"")):
            parts.append(piece)
            missing -= len(piece)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]


def zip_members(name: str, path: Path, report: Callable[[float], None]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of each file in a zip archive, in its order, without those that are hidden.

    `report` is called with the share of the archive that has been read.
    """
    with _damage_reported(name, "zip"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        total, done = sum(member.compress_size for member in members) or 1, 0
        for member in members:
            if not (member.is_dir() or _is_hidden(member.filename) or stat.S_ISLNK(member.external_attr >> 16)):
                if member.flag_bits & 1:
                    raise CorpusError(f"{name}/{member.filename} is encrypted; unpack it")
                with archive.open(member) as file:
                    yield member.filename, _pieces(name, "zip", file)
            done += member.compress_size
            report(done / total)


@contextlib.contextmanager
def _damage_reported(name: str, kind: str) -> Iterator[None]:
    """Turns what the archive modules raise into one clear line. Errors that are ours already pass."""
    try:
        yield
    except WordgeoError:
        raise
    except NotImplementedError as problem:
        raise CorpusError(f"{name} is a {kind} archive of an unusual kind ({problem}); unpack it") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as problem:
        raise CorpusError(f"{name} is a damaged {kind} archive: {problem}") from None


def _pieces(name: str, kind: str, file: Any) -> Iterator[bytes]:
    with _damage_reported(name, kind):
        while piece := file.read(PIECE_BYTES):
            yield piece


def _is_hidden(name: str) -> bool:
    parts = [part for part in name.split("/") if part not in (".", "..")]
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
