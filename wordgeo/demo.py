"""The demonstration: from a sample of Wikipedia to three models, and to what can be said of their answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import wordgeo as wg
from wordgeo.errors import OutputError
from wordgeo.evaluation import SUITES
from wordgeo.progress import Progress
from wordgeo.results import Table
from wordgeo.stability import Ensemble

__all__ = ["demonstrate"]

RUNS = 3
REPORT = "report.txt"
# One thread, so that the runs differ by their seeds alone and everybody sees the same numbers.
OPTIONS = {"algorithm": "skipgram", "dim": 100, "window": 5, "epochs": 5, "min_count": 5, "threads": 1}
WORDS = ("war", "king", "music", "computer", "paris", "river")
ANALOGIES = (("man", "king", "woman"), ("france", "paris", "italy"), ("good", "better", "bad"))


def demonstrate(
    output: str | Path, *, overwrite: bool = False, progress: Progress | bool | None = None
) -> Iterator[str]:
    """Does the whole job and yields what a person reads of it, paragraph by paragraph, as it is done.

    `output` becomes a folder with `corpus` (encoded), `models` (an ensemble of three runs) and `report.txt` (the
    paragraphs). Raises `OutputError` if it exists, unless `overwrite` replaces what an earlier demonstration left.
    """
    folder = Path(output)
    if folder.exists() and not overwrite:
        raise OutputError(f"{folder} exists already; choose another name (-o) or overwrite it (--overwrite)")
    if folder.exists() and not (folder / REPORT).is_file():
        raise OutputError(f"{folder} holds no demonstration (it has no {REPORT}); it is not overwritten")
    said = []
    for paragraph in _paragraphs(folder, overwrite, progress):
        said.append(paragraph)
        yield paragraph
    (folder / REPORT).write_text("\n\n".join(said) + "\n", encoding="utf-8")
