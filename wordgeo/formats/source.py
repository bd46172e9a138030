"""A vector file as a stream of bytes: plain or gzip, its beginning looked at, its header checked against its size."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wordgeo.errors import FormatError
from wordgeo.formats.detect import GZIP_MAGIC, HEADER, UTF8_MARK

__all__ = ["MOST_DIMENSIONS", "Source", "opened"]

HEAD_BYTES = 1 << 16
MOST_DIMENSIONS = 1 << 20


class Source:
    """What is read of one file. `size` is that of the text, None where it is compressed and so not known."""

    def __init__(self, path: Path, stream: BinaryIO, size: int | None) -> None:
        self.path, self.size, self._stream = path, size, stream
        self.head = self.read(HEAD_BYTES)
        self._rest = self.head.removeprefix(UTF8_MARK)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end only. Raises `FormatError` for damaged compression."""
        rest = getattr(self, "_rest", b"")
        if rest:
            self._rest = rest[size:]
            return rest[:size]
        try:
            return self._stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise FormatError(
                f"the gzip data is cut off or damaged ({problem}); fetch the file again", self.path
            ) from None
        except OSError as problem:
            raise FormatError(f"cannot be read: {os.strerror(problem.errno or 0).lower()}", self.path) from problem

    def header(self, row_bytes: int, number_bytes: int) -> tuple[int, int]:
        """Takes the first line, which says how many words and how many dimensions.

        A row has at least row_bytes + dimensions * number_bytes bytes: a header that claims more rows than a file of
        this size can have is refused before room is made for them.
        """
        line, _, self._rest = self._rest.partition(b"\n")
        found = HEADER.fullmatch(line)
        if found is None:
            raise FormatError("not a header (how many words, how many dimensions)", self.path, 1)
        words, dimensions = int(found[1]), int(found[2])
        if words < 1 or not 1 <= dimensions <= MOST_DIMENSIONS:
            raise FormatError(
                f"the header says {words} words of {dimensions} dimensions; 1 or more words of 1 to {MOST_DIMENSIONS} "
                "dimensions are read",
                self.path,
                1,
            )
        needed = words * (row_bytes + dimensions * number_bytes)
        if self.size is not None and needed > self.size:
            raise FormatError(
                f"the header says {words} words of {dimensions} dimensions, which take {needed} bytes or more, and the "
                f"file has {self.size}; it is cut off, or the header is wrong",
                self.path,
                1,
            )
        return words, dimensions


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The source for a file; gzip is told by its first bytes."""
    try:
        file = path.open("rb")
    except OSError as problem:
        raise FormatError(f"cannot be read: {os.strerror(problem.errno or 0).lower()}", path) from problem
    with file:
        compressed = file.read(2) == GZIP_MAGIC
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if compressed:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield Source(path, stream, None)  # type: ignore[arg-type]
        else:
            yield Source(path, file, size)
