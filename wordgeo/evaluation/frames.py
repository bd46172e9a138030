"""Tables as data frames, where pandas or polars is installed."""

from __future__ import annotations

import importlib
from typing import Any

from wordgeo.errors import MissingExtraError
from wordgeo.results import Table, plain

__all__ = ["to_frame"]


def to_frame(table: Table) -> Any:
    """A pandas DataFrame of the table, or a polars one; raises `MissingExtraError` where neither is installed."""
    columns = {name: [plain(row[i]) for row in table.rows] for i, name in enumerate(table.columns)}
    for library in ("pandas", "polars"):
        try:
            frames = importlib.import_module(library)
        except ImportError:
            continue
        return frames.DataFrame(columns)
    raise MissingExtraError("to_frame", "frames")
