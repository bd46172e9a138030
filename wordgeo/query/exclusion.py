"""Which words a question keeps from answering: its own, those of the same spelling too, or none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.validate import choice

__all__ = ["EXCLUSIONS", "excluded_rows"]

EXCLUSIONS = ("row", "string", "none")

I64 = npt.NDArray[np.int64]


def excluded_rows(embeddings: Embeddings, rows: I64, rule: str) -> I64:
    """The rows that may not answer questions with these words: int64 [n, m], -1 for none, from `rows` int64 [n, t].

    "row": the words themselves. "string": also words that differ from them in case alone. "none": all may answer.
    """
    choice("exclude", rule, EXCLUSIONS)
    if rule == "none":
        return rows[:, :0]
    if rule == "row":
        return rows
    variants: dict[int, list[int]] = embeddings.derived("case variants", lambda: _case_variants(embeddings))
    groups = [[row for row in group if row >= 0] for group in rows.tolist()]
    lists = [sorted({other for row in group for other in variants.get(row, [row])}) for group in groups]
    excluded = np.full((len(rows), max(map(len, lists), default=0)), -1, dtype=np.int64)
    for i, group in enumerate(lists):
        excluded[i, : len(group)] = group
    return excluded


def _case_variants(embeddings: Embeddings) -> dict[int, list[int]]:
    """For each row whose word has another spelling that differs in case alone: the rows of all of them."""
    alike: dict[str, list[int]] = {}
    for row, word in enumerate(embeddings.words):
        alike.setdefault(word.casefold(), []).append(row)
    return {row: rows for rows in alike.values() if len(rows) > 1 for row in rows}
