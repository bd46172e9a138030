"""Writing vector files that other tools read: word2vec text and binary, and GloVe text, plain or gzip."""

from __future__ import annotations

import contextlib
import gzip
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.files import atomic_file
from wordgeo.formats.detect import FORMATS, HEADER
from wordgeo.validate import choice

__all__ = ["is_vector_file_name", "write_vectors"]

SUFFIXES = {".txt": "word2vec", ".vec": "word2vec", ".bin": "word2vec-binary", ".glove": "glove"}
SPACES = re.compile(r"[ \t\n\r\v\f]")
BLOCK_ROWS = 1 << 10


def is_vector_file_name(path: str | Path) -> bool:
    """Whether the suffix of a name (before a `.gz`) says a vector format.

    >>> is_vector_file_name("vectors.vec.gz"), is_vector_file_name("model")
    (True, False)
    """
    return _suffix(path) in SUFFIXES


def write_vectors(
    embeddings: Embeddings,
    path: str | Path,
    *,
    format: str | None = None,
    replace_spaces: str | None = None,
    overwrite: bool = False,
) -> None:
    """Writes a vector file; see `wordgeo.formats.export`."""
    if format is None:
        if not is_vector_file_name(path):
            raise OptionError(
                f"{path}: the suffix says no vector format ({', '.join(SUFFIXES)}, each with .gz or without); "
                f"use one, or give the format: {', '.join(FORMATS)}"
            )
        format = SUFFIXES[_suffix(path)]
    choice("format", format, FORMATS)
    if not len(embeddings):
        raise OptionError("the embeddings have no words; there is nothing to write")
    words = _writable_words(embeddings, replace_spaces)
    if format == "glove":
        _refuse_first_row_that_reads_as_header(embeddings, words)
    with atomic_file(path, overwrite=overwrite) as target, _compressed(target, path) as file:
        if format != "glove":
            file.write(f"{len(words)} {embeddings.dimensions}\n".encode())
        for begin in range(0, len(words), BLOCK_ROWS):
            block = embeddings.vectors[begin : begin + BLOCK_ROWS]
            names = words[begin : begin + BLOCK_ROWS]
            file.write(_binary(names, block) if format == "word2vec-binary" else _text(names, block))


def _text(words: Sequence[str], block: np.ndarray) -> bytes:
    # Nine significant digits tell any two float32 apart, so reading gives back the same bits.
    numbers = " ".join(["%.9g"] * block.shape[1])
    rows = zip(words, block.tolist(), strict=True)
    return "".join(f"{word} {numbers % tuple(row)}\n" for word, row in rows).encode()


def _binary(words: Sequence[str], block: np.ndarray) -> bytes:
    rows = zip(words, block.astype("<f4", copy=False), strict=True)
    return b"".join(word.encode() + b" " + row.tobytes() + b"\n" for word, row in rows)


def _writable_words(embeddings: Embeddings, replace_spaces: str | None) -> list[str]:
    """The words, none of which has a space or the end of a line in it."""
    words = embeddings.words
    bad = [word for word in words if SPACES.search(word)]
    if not bad:
        return words
    if replace_spaces is None:
        raise OptionError(
            f"the word {bad[0]!r} has a space in it, which a vector file cannot hold ({len(bad)} of {len(words)} words "
            'have one); write another sign for it with replace_spaces="_", or save a model folder'
        )
    if not replace_spaces or SPACES.search(replace_spaces):
        raise OptionError(f"replace_spaces is {replace_spaces!r}; give a sign that is no space, such as _")
    replaced = [SPACES.sub(lambda _: replace_spaces, word) for word in words]
    seen: dict[str, str] = {}
    for word, new in zip(words, replaced, strict=True):
        if new in seen:
            raise OptionError(
                f"with {replace_spaces!r} for spaces, {seen[new]!r} and {word!r} become the same word; choose another "
                "sign with replace_spaces"
            )
        seen[new] = word
    return replaced


def _refuse_first_row_that_reads_as_header(embeddings: Embeddings, words: Sequence[str]) -> None:
    first = _text(words[:1], embeddings.vectors[:1])
    if HEADER.fullmatch(first.rstrip(b"\n")) or words[0].startswith("\ufeff"):
        raise OptionError(f"the first word, {words[0]!r}, would be read as a header; write word2vec text instead")


@contextlib.contextmanager
def _compressed(target: BinaryIO, path: str | Path) -> Iterator[BinaryIO]:
    """The file itself, or a gzip stream into it, the same for the same content: without a time and a name."""
    if Path(path).suffix != ".gz":
        yield target
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=target, mtime=0) as file:
        yield file  # type: ignore[misc]


def _suffix(path: str | Path) -> str:
    path = Path(path)
    return Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
