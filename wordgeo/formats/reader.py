"""Vector files of other tools, read in one pass: word2vec text and binary, and GloVe text, plain or gzip."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError
from wordgeo.formats import _text
from wordgeo.formats.detect import FORMATS, detect, refuse_foreign
from wordgeo.formats.rows import Rows
from wordgeo.formats.source import MOST_DIMENSIONS, Source, opened
from wordgeo.threads import resolve_threads, run_blocks
from wordgeo.validate import choice

__all__ = ["read_vectors"]

BLOCK_BYTES = 8 << 20
MOST_LINE_BYTES = 16 << 20
MOST_WORD_BYTES = 1 << 16

log = logging.getLogger(__name__)


def read_vectors(
    path: str | Path,
    *,
    format: str | None = None,
    encoding_errors: str = "strict",
    duplicates: str = "error",
    threads: int | None = None,
) -> Embeddings:
    """Reads a vector file; see `wordgeo.formats.load`. Memory grows with the rows that are there, not with a header."""
    path = Path(path)
    if format is not None:
        choice("format", format, FORMATS)
    choice("encoding_errors", encoding_errors, ("strict", "replace"))
    choice("duplicates", duplicates, ("error", "first"))
    count = resolve_threads(threads)
    rows = Rows(path, replace=encoding_errors == "replace", keep_first=duplicates == "first")
    with opened(path) as source:
        refuse_foreign(source.head, path)
        kind = format or detect(source.head, path)
        if kind == "word2vec-binary":
            _read_binary(source, rows)
        else:
            _read_text(source, rows, kind == "word2vec", count)
    vocabulary, matrix = rows.finish()
    if rows.replaced or rows.left_out:
        log.warning(
            "%s: %d words had bytes that are not UTF-8, replaced by U+FFFD; %d rows repeated a word and were left out",
            *(path, rows.replaced, rows.left_out),
        )
    facts = {
        "file": path.name,
        "format": kind,
        "words_with_replaced_bytes": rows.replaced,
        "duplicates_left_out": rows.left_out,
    }
    return Embeddings(vocabulary, matrix, provenance={"imported": facts})


def _read_text(source: Source, rows: Rows, header: bool, threads: int) -> None:
    """Reads all lines; the header, or else the first line, says how many numbers a line has."""
    announced, dimensions = None, 0
    rows.first_line = 1
    if header:
        # A line has at least a letter and a newline, and a space and a digit for each number.
        announced, dimensions = source.header(row_bytes=2, number_bytes=2)
        rows.first_line = 2
        if source.size is not None:
            rows.expect(announced, dimensions)
    for block in _whole_lines(source, rows):
        text = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(text == ord("\n"))
        begins = np.concatenate([[0], ends[:-1] + 1])
        if not dimensions:
            dimensions = _dimensions_of(block[: ends[0]], rows)
        _parse(text, begins, ends, dimensions, rows, threads)
        if announced is not None and rows.count > announced:
            break
    if announced is not None and announced != rows.count:
        found = "more" if rows.count > announced else str(rows.count)
        raise FormatError(
            f"the header says {announced} words and {found} follow; the file is damaged, or the header is wrong",
            source.path,
        )
    if not rows.count:
        raise FormatError("there are no vectors in the file", source.path)


def _whole_lines(source: Source, rows: Rows) -> Iterator[bytes]:
    """Blocks of whole lines, the last one ended by a newline; empty lines at the end of the file are left off."""
    rest, blank = b"", b""
    while data := source.read(BLOCK_BYTES):
        cut = data.rfind(b"\n") + 1
        if not cut:
            rest += data
            if len(rest) > MOST_LINE_BYTES:
                message = f"{MOST_LINE_BYTES} bytes without the end of a line; this is not a vector file"
                raise rows.error(rows.count, message)
            continue
        block, rest = blank + rest + data[:cut], data[cut:]
        kept = block.rstrip(b" \t\r\n")
        blank = block[block.index(b"\n", len(kept)) + 1 :] if kept else block
        if len(blank) > MOST_LINE_BYTES:
            raise rows.error(rows.count, "the line is empty, and so are many that follow")
        if kept:
            yield kept + b"\n"
    if rest.strip(b" \t\r"):
        yield blank + rest + b"\n"


def _dimensions_of(line: bytes, rows: Rows) -> int:
    """How many numbers end the first line of a file without a header; one field at least is the word."""
    fields = line.replace(b"\t", b" ").split(b" ")
    fields = [field for field in fields if field]
    count = 0
    while count < len(fields) - 1 and _is_number(fields[-1 - count]):
        count += 1
    if not 1 <= count <= MOST_DIMENSIONS:
        raise FormatError("not a word and numbers with spaces between them: this is not a vector file", rows.path, 1)
    return count


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _parse(
    text: npt.NDArray[np.uint8],
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    dimensions: int,
    rows: Rows,
    threads: int,
) -> None:
    """Parses the lines text[begins:ends] into new rows."""
    short = np.flatnonzero(ends - begins < 2 * dimensions)
    if len(
        short
    ):  # it is an error, and what lies behind it needs no room: the matrix is never far larger than the text
        begins, ends = begins[: short[0] + 1], ends[: short[0] + 1]
    matrix = rows.room(len(begins), dimensions)
    word_begins, word_ends = np.empty_like(begins), np.empty_like(begins)
    states = np.empty(len(begins), dtype=np.uint8)

    def work(low: int, high: int) -> None:
        part = slice(low, high)
        _text.parse_lines(
            text, begins[part], ends[part], matrix[part], word_begins[part], word_ends[part], states[part]
        )

    step = -(-len(begins) // (4 * threads))
    run_blocks(work, [(low, min(low + step, len(begins))) for low in range(0, len(begins), step)], threads)
    bad = np.flatnonzero(states)
    if len(bad):
        i = int(bad[0])
        line, word = (text[a:b].tobytes() for a, b in ((begins[i], ends[i]), (word_begins[i], word_ends[i])))
        fields = line.replace(b"\t", b" ").split()
        raise rows.error(rows.count + i, _problem(states[i], word, fields, dimensions))
    rows.add(text, word_begins, word_ends)


def _problem(state: int, word: bytes, fields: list[bytes], dimensions: int) -> str:
    """What is wrong with a line, in words."""
    name = f"'{word[:60].decode('utf-8', 'replace')}'"
    if state == _text.BLANK:
        return "the line is empty"
    if state == _text.EMPTY_WORD:
        return "the word is empty"
    if state in (_text.TOO_FEW, _text.TOO_MANY):
        found = len(fields) - 1 if state == _text.TOO_FEW else f"more than {dimensions}"
        return f"{name} has {found} numbers; every word needs {dimensions}, as the first line has it"
    for field in fields[-dimensions:]:
        text = field[:40].decode("utf-8", "replace")
        if not _is_number(field):
            return f"{name} has '{text}' where a number should be"
        with np.errstate(over="ignore"):
            if not np.isfinite(np.float32(float(field))):
                return f"{name} has the number {text}, which is NaN, infinite or beyond float32"
    raise AssertionError("unreachable: the line is good")


def _read_binary(source: Source, rows: Rows) -> None:
    """Reads as many rows as the header announces: the word, a space, float32 numbers, and perhaps a newline."""
    # A row has at least a letter and a space.
    announced, dimensions = source.header(row_bytes=2, number_bytes=4)
    if source.size is not None:
        rows.expect(announced, dimensions)
    row_bytes, rest = 2 + 4 * dimensions, b""
    while rows.count < announced:
        more = source.read(BLOCK_BYTES)
        if not more:
            raise rows.error(
                rows.count, f"the file ends here, and its header announces {announced} rows; it is cut off"
            )
        rest += more
        data = np.frombuffer(rest, dtype=np.uint8)
        matrix = rows.room(min(len(data) // row_bytes, announced - rows.count), dimensions)
        begins, ends = np.empty(len(matrix), dtype=np.int64), np.empty(len(matrix), dtype=np.int64)
        done, end, endless = _text.parse_rows(data, MOST_WORD_BYTES, matrix, begins, ends)
        bad = np.flatnonzero(~np.isfinite(matrix[:done]).all(axis=1))
        if len(bad):
            i = int(bad[0])
            word = rest[begins[i] : ends[i]][:60].decode("utf-8", "replace")
            raise rows.error(rows.count + i, f"'{word}' has a number that is NaN or infinite")
        rows.add(data, begins[:done], ends[:done])
        if endless:
            raise rows.error(
                rows.count,
                f"no space ends the word within {MOST_WORD_BYTES} bytes; the file is damaged, or its vectors do not "
                f"have {dimensions} dimensions",
            )
        rest = rest[end:]
    while rest or (rest := source.read(BLOCK_BYTES)):
        if rest.strip(b"\r\n"):
            raise FormatError(f"more follows the {announced} rows that the header announces", source.path)
        rest = b""
