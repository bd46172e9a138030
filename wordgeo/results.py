"""What every result can do: be turned into JSON, CSV, a table in a terminal and a table in a notebook."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["Result", "Table", "plain"]


SMALLEST = 5e-5  # what four decimals still show


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of plain values (str, int, float, None) under column names, with an optional title and notes."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    title: str = ""
    notes: Sequence[str] = ()

    def to_text(self) -> str:
        """Aligned columns: numbers to the right, floats with four decimals (or as 1.2e-05), nothing for None."""
        cells = [[_cell(value) for value in row] for row in self.rows]
        right = [
            bool(self.rows) and all(isinstance(row[i], (int, float, type(None))) for row in self.rows)
            for i in range(len(self.columns))
        ]
        widths = [max(len(name), *(len(row[i]) for row in cells), 0) for i, name in enumerate(self.columns)]

        def line(values: Sequence[str]) -> str:
            pairs = zip(values, widths, right, strict=True)
            return "  ".join(v.rjust(w) if r else v.ljust(w) for v, w, r in pairs).rstrip()

        lines = [self.title] if self.title else []
        lines += [line(self.columns), "  ".join("-" * w for w in widths), *map(line, cells), *self.notes]
        return "\n".join(lines)

    def to_html(self) -> str:
        """The same as an HTML table; every value is escaped."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(v))}</td>" for v in row) + "</tr>" for row in self.rows
        )
        title = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"

    def to_csv(self) -> str:
        """Comma-separated values at full precision, with a header line."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([plain(value) for value in row] for row in self.rows)
        return text.getvalue()


class Result:
    """Base of all results, which are frozen dataclasses."""

    def tables(self) -> list[Table]:
        """What a person reads; the first table is also what `--format csv` prints."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values that JSON can carry: arrays become lists, NaN becomes None."""
        if not dataclasses.is_dataclass(self):
            raise TypeError("a result is a dataclass")
        return {field.name: plain(getattr(self, field.name)) for field in dataclasses.fields(self)}

    def __repr__(self) -> str:
        return "\n\n".join(table.to_text() for table in self.tables())

    def _repr_html_(self) -> str:
        return "".join(table.to_html() for table in self.tables())


def plain(value: Any) -> Any:
    """`value` in JSON's types."""
    if isinstance(value, Result):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()] if value.dtype.kind == "f" else value.tolist()
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f"{number:.4f}" if number == 0 or abs(number) >= SMALLEST else f"{number:.1e}"
    return str(value)
