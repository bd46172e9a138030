"""Several runs held together, and the neighbours on which they agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, OptionError
from wordgeo.formats.ensemble import ENSEMBLE_MARKER, read_manifest
from wordgeo.query import WordVectors
from wordgeo.query.graph import overlaps
from wordgeo.query.search import top_k
from wordgeo.results import Result, Table
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["Agreement", "Ensemble"]

I64 = npt.NDArray[np.int64]
WORDS_A_BLOCK = 1 << 10


@dataclass(frozen=True, repr=False, eq=False)
class Agreement(Result):
    """How far `runs` models agree on the `k` nearest neighbours of each word.

    `overlap` (float64 [words]) is overlap@k = |N_i ∩ N_j| / k, mean over all pairs of runs i < j (Wendlandt,
    Kummerfeld & Mihalcea 2018 call it stability), `joint` (int64 [words]) the number of neighbours that all runs have
    among their k (Hellrich & Hahn 2016), and `agreed` which these are, in the order of the first run.
    """

    k: int
    runs: int
    words: tuple[str, ...]
    overlap: npt.NDArray[np.float64]
    joint: npt.NDArray[np.int64]
    agreed: tuple[tuple[str, ...], ...]

    def tables(self) -> list[Table]:
        """One row for each word."""
        title = f"the {self.k} nearest neighbours in {self.runs} runs"
        rows = [
            (word, joint, overlap, ", ".join(agreed))
            for word, joint, overlap, agreed in zip(
                self.words, self.joint.tolist(), self.overlap.tolist(), self.agreed, strict=True
            )
        ]
        notes = [f"overlap@{self.k}, mean over words: {self.overlap.mean():.4f}"] if self.words else []
        return [Table(("word", "in all runs", f"overlap@{self.k}", "neighbours in all runs"), rows, title, notes)]


class Ensemble(Sequence[WordVectors]):
    """A sequence of models, of the same corpus and options as a rule, which differ by their seed.

    From models, or with `open` from a folder, where each is opened at its first use. `path` is the folder,
    `manifest` what its `ensemble.json` says (empty without one).
    """

    def __init__(self, models: Iterable[Embeddings]) -> None:
        self._models: list[WordVectors | Path] = [
            model if isinstance(model, WordVectors) else WordVectors.of(model) for model in models
        ]
        if not self._models:
            raise OptionError("an ensemble needs at least one model")
        self.path: Path | None = None
        self.manifest: dict[str, Any] = {}

    @classmethod
    def open(cls, path: str | Path) -> Ensemble:
        """Opens an ensemble's folder, as training with `runs` writes it.

        Raises `FormatError` for a folder that is not one, and names the run that is missing; a run whose files are
        damaged is named when it is first used. `NotFoundError` where there is nothing.
        """
        manifest = read_manifest(path)
        ensemble = cls.__new__(cls)
        ensemble.path, ensemble.manifest = Path(path), manifest
        folders = [ensemble.path / run["folder"] for run in manifest["runs"]]
        for folder in folders:
            if not formats.is_model(folder):
                raise FormatError(f"{ENSEMBLE_MARKER} names this run, but here is no model; train again", folder)
        ensemble._models = [*folders]
        return ensemble

    @staticmethod
    def is_one(path: str | Path) -> bool:
        """Whether a path is the folder of an ensemble; it is not opened."""
        return (Path(path) / ENSEMBLE_MARKER).is_file()

    def __len__(self) -> int:
        return len(self._models)

    @overload
    def __getitem__(self, i: int) -> WordVectors: ...
    @overload
    def __getitem__(self, i: slice) -> list[WordVectors]: ...
    def __getitem__(self, i: int | slice) -> WordVectors | list[WordVectors]:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        model = self._models[i]
        if isinstance(model, Path):
            model = self._models[i] = WordVectors.of(formats.load(model))
        return model

    def __iter__(self) -> Iterator[WordVectors]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def shared(self) -> Vocabulary:
        """The words that all models have, in the order of the first."""
        first = self[0].vocabulary
        if all(_same_words(first, model.vocabulary) for model in self):
            return first
        common = np.ones(len(first), dtype=bool)
        for model in self:
            common &= model.vocabulary.find(first.words) >= 0
        rows = np.flatnonzero(common).tolist()
        return Vocabulary.from_words(
            [first.words[row] for row in rows], None if first.counts is None else first.counts[rows]
        )

    def agreement(self, words: Iterable[str], k: int = 10, *, threads: int | None = None) -> Agreement:
        """How far the models agree on the k nearest neighbours of `words`, over the words that all of them have.

        Neighbours by cosine, ties by row of the model; the word itself is none. Raises `UnknownWordError` for a word
        that a model does not have, `OptionError` for fewer than two models or more neighbours than there are.
        """
        words = tuple(words)
        if len(self) < 2:
            raise OptionError("agreement compares models and here is one; train with runs=2 or more")
        k = whole_number("k", k, 1)
        if k >= len(self.shared):
            raise OptionError(f"k is {k}; the models share {len(self.shared)} words, so give less than that")
        rows = self.shared.rows(words)
        nearest = np.stack([self._nearest(model, rows, k, threads) for model in self])
        agreed: list[tuple[str, ...]] = []
        for begin in range(0, len(rows), WORDS_A_BLOCK):
            block = nearest[:, begin : begin + WORDS_A_BLOCK]
            in_all = np.logical_and.reduce([_found(block[0], other) for other in block[1:]])
            agreed += [
                tuple(self.shared[i] for i in row[kept].tolist()) for row, kept in zip(block[0], in_all, strict=True)
            ]
        joint = np.array([len(common) for common in agreed], dtype=np.int64)
        overlap = overlaps(list(nearest), threads=threads).overlap.mean(axis=1) if words else np.zeros(0)
        return Agreement(k, len(self), words, overlap, joint, tuple(agreed))

    def _nearest(self, model: WordVectors, rows: I64, k: int, threads: int | None) -> I64:
        """The k nearest shared words to shared words, int64 [n, k], in rows of the shared vocabulary."""
        if model.vocabulary is self.shared or _same_words(model.vocabulary, self.shared):
            return top_k(model, model.vectors[rows], k=k, exclude=rows[:, None], threads=threads)[0]
        own = model.vocabulary.rows(self.shared.words)
        candidates = np.sort(own)
        found, _ = top_k(
            model, model.vectors[own[rows]], k=k, exclude=own[rows][:, None], candidates=candidates, threads=threads
        )
        to_shared = np.full(len(model), -1, dtype=np.int64)
        to_shared[own] = np.arange(len(own))
        return to_shared[found]

    def __repr__(self) -> str:
        where = f" from {self.path}" if self.path else ""
        return f"<Ensemble of {len(self)} models{where}>"


def _same_words(a: Vocabulary, b: Vocabulary) -> bool:
    if a is b:
        return True
    (blob_a, offsets_a), (blob_b, offsets_b) = a.packed, b.packed
    return np.array_equal(offsets_a, offsets_b) and np.array_equal(blob_a, blob_b)


def _found(a: I64, b: I64) -> npt.NDArray[np.bool_]:
    """Which of the rows in a[i] (int64 [n, k]) are also in b[i]."""
    return (a[:, :, None] == b[:, None, :]).any(axis=2)
