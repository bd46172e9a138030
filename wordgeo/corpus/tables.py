"""Documents in fields and columns: JSON lines, CSV, TSV, Parquet, Arrow, and rows from Python."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from wordgeo.corpus.lines import MOST_LINE_BYTES, Flaw, decoded, encoded, lines
from wordgeo.errors import CorpusError, MissingExtraError

__all__ = ["arrow_documents", "csv_documents", "json_documents", "parquet_documents", "row_documents"]

ROWS_AT_ONCE = 256
MOST_RATIO = 1000  # text that packs better than this is a trap


def json_documents(name: str, pieces: Iterable[bytes], field: str, flaw: Flaw) -> Iterator[tuple[str, bytes]]:
    """Place and text of each JSON object, one a line."""
    for at, line in enumerate(lines(name, pieces), 1):
        if not line.strip():
            continue
        place = f"{name}, line {at}"
        try:
            value = json.loads(decoded(line, at, flaw))
        except (ValueError, RecursionError) as problem:
            raise CorpusError(f"{place}: not JSON ({problem}); give one JSON object a line") from None
        document = value.get(field) if isinstance(value, dict) else None
        if not isinstance(document, str):
            raise CorpusError(f"{place}: no text in the field '{field}'; name the field (--field)")
        yield place, encoded(document, at, flaw)


def csv_documents(
    name: str, pieces: Iterable[bytes], field: str, flaw: Flaw, *, tabs: bool
) -> Iterator[tuple[str, bytes]]:
    """Place and text of each row after the one with the names of the columns.

    CSV is RFC 4180: commas, double quotes around fields that hold commas, quotes or line ends. TSV is as IANA has it:
    tabs, and no quotes.
    """
    size = 0  # of the record that is being read: a quote that is never closed must not take the whole file

    def texts() -> Iterator[str]:
        nonlocal size
        for at, line in enumerate(lines(name, pieces), 1):
            size += len(line) + 1
            if size > MOST_LINE_BYTES:
                raise CorpusError(f"{name}, line {at}: a row of more than {MOST_LINE_BYTES >> 20} MB; is a quote open?")
            yield decoded(line, at, flaw).replace("\0", " ") + "\n"

    if csv.field_size_limit() < MOST_LINE_BYTES:
        csv.field_size_limit(MOST_LINE_BYTES)  # it counts for the whole process, and is only ever raised
    rows = csv.reader(texts(), csv.excel, strict=True) if not tabs else csv.reader(
        texts(), delimiter="\t", quoting=csv.QUOTE_NONE
    )  # fmt: skip
    column, columns, begin = -1, 0, 1
    try:
        for row in rows:
            size = 0
            place = f"{name}, line {begin}"
            if row and column < 0:
                if field not in row:
                    raise CorpusError(
                        f"{place}: no column '{field}' among {', '.join(row)[:200]}; name the column (--field)"
                    )
                column, columns = row.index(field), len(row)
            elif row:
                if len(row) != columns:
                    raise CorpusError(f"{place}: {len(row)} fields, and the first line names {columns} columns")
                yield place, encoded(row[column], begin, flaw)
            begin = rows.line_num + 1
    except csv.Error as problem:
        kind = "TSV" if tabs else "CSV"
        raise CorpusError(f"{name}, line {rows.line_num}: not {kind} ({problem})") from None


def row_documents(name: str, rows: Any, field: str, flaw: Flaw) -> Iterator[tuple[str, bytes]]:
    """Place and text of each row of a dataset from Python."""
    if rows.column_names is not None and field not in rows.column_names:
        raise CorpusError(
            f"{name}: no column '{field}' among {', '.join(map(str, rows.column_names))[:200]}; name it (field)"
        )
    for at, row in enumerate(rows, 1):
        text = row.get(field) if hasattr(row, "get") else None
        if not isinstance(text, str):
            raise CorpusError(f"{name}, row {at}: no text in the column '{field}'; name the column (field)")
        yield f"{name}, row {at}", encoded(text, at, flaw)


def parquet_documents(
    name: str, path: Path, field: str, flaw: Flaw, report: Callable[[float], None]
) -> Iterator[tuple[str, bytes]]:
    """Place and text of each row of a Parquet file; `report` is told the share that has been read."""
    pyarrow = _pyarrow()
    from pyarrow import parquet

    try:
        # A word that stands in the file once and in a million rows stays one: the column comes as a dictionary.
        _check_column(name, parquet.read_schema(path), field)
        with parquet.ParquetFile(path, read_dictionary=[field], pre_buffer=False, buffer_size=1 << 20) as file:
            for group in range(file.num_row_groups):
                meta = file.metadata.row_group(group)
                for i in range(meta.num_columns):
                    column = meta.column(i)
                    packed, whole = column.total_compressed_size, column.total_uncompressed_size
                    if column.path_in_schema == field and whole > max(MOST_LINE_BYTES, MOST_RATIO * packed):
                        raise CorpusError(f"{name}: {packed} bytes that unpack to {whole}; it is no text")
            total = max(1, file.metadata.num_rows)
            batches = file.iter_batches(batch_size=ROWS_AT_ONCE, columns=[field], use_threads=False)
            yield from _columns(name, batches, field, flaw, lambda rows: report(rows / total))
    except (pyarrow.ArrowException, OSError) as problem:
        raise CorpusError(f"{name} is a damaged Parquet file: {' '.join(str(problem).split())[:200]}") from None


def arrow_documents(
    name: str, path: Path, field: str, flaw: Flaw, report: Callable[[float], None]
) -> Iterator[tuple[str, bytes]]:
    """Place and text of each row of an Arrow file or stream, or a Feather file (version 2)."""
    pyarrow = _pyarrow()
    try:
        with pyarrow.OSFile(str(path)) as file:
            size = max(1, file.size())
            whole = file.read(6) == b"ARROW1"
            file.seek(0)
            reader = pyarrow.ipc.open_file(file) if whole else pyarrow.ipc.open_stream(file)
            _check_column(name, reader.schema, field)
            batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if whole else reader
            yield from _columns(name, batches, field, flaw, lambda rows: report(file.tell() / size))
    except (pyarrow.ArrowException, OSError) as problem:
        raise CorpusError(f"{name} is a damaged Arrow file: {' '.join(str(problem).split())[:200]}") from None


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise MissingExtraError("reading Parquet and Arrow files", "parquet") from None
    return pyarrow


def _check_column(name: str, schema: Any, field: str) -> None:
    if field not in schema.names:
        raise CorpusError(f"{name}: no column '{field}' among {', '.join(schema.names)[:200]}; name it (--field)")


def _columns(
    name: str, batches: Iterable[Any], field: str, flaw: Flaw, report: Callable[[int], None]
) -> Iterator[tuple[str, bytes]]:
    at = 0
    for batch in batches:
        for value in batch.column(field):
            at += 1
            text = value.as_py()
            if not isinstance(text, str):
                raise CorpusError(f"{name}, row {at}: no text in the column '{field}'; name the column (--field)")
            yield f"{name}, row {at}", encoded(text, at, flaw)
        report(at)
