"""Several runs held together, and the neighbours on which they agree."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, NotFoundError, OptionError, WordgeoError
from wordgeo.formats.ensemble import ENSEMBLE_MARKER, read_manifest
from wordgeo.query import WordVectors
from wordgeo.query.graph import overlaps
from wordgeo.results import Result, Table
from wordgeo.stability.lists import nearest_in_each, same_words
from wordgeo.stability.trust import TrustedAnswers, TrustedNeighbors, trusted_analogy, trusted_neighbors
from wordgeo.system import available_memory
from wordgeo.validate import whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["Agreement", "Ensemble"]

logger = logging.getLogger(__name__)

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
    """A sequence of models, of the same corpus and options as a rule, which differ by their seed or their sample.

    From models, or with `open` from a folder and with `of` from paths, where each is opened at its first use. `path` is
    the folder, `manifest` what its `ensemble.json` says (empty without one), `skipped` the runs that were left out,
    `names` the path of each model or its number.
    """

    def __init__(self, models: Iterable[Embeddings]) -> None:
        self._models: list[WordVectors | Path] = [
            model if isinstance(model, WordVectors) else WordVectors.of(model) for model in models
        ]
        if not self._models:
            raise OptionError("an ensemble needs at least one model")
        self.path: Path | None = None
        self.manifest: dict[str, Any] = {}
        self.skipped: tuple[str, ...] = ()
        self._name()

    def _name(self) -> None:
        """`names`: the path of each model, or its number."""
        self.names = [
            str(model if isinstance(model, Path) else model.path or f"model {i}")
            for i, model in enumerate(self._models, start=1)
        ]
        for name in dict.fromkeys(self.names):
            if self.names.count(name) > 1:
                logger.warning("%s is named %d times, and always agrees with itself", name, self.names.count(name))

    @classmethod
    def open(cls, path: str | Path, *, skip_damaged: bool = False) -> Ensemble:
        """Opens an ensemble's folder, as training with `runs` writes it.

        Raises `FormatError` for a folder that is not one, and names the run that is missing; a run whose files are
        damaged is named when it is first used. `skip_damaged` opens all runs at once and leaves out those that are
        missing or damaged, which `skipped` then names. `NotFoundError` where there is nothing.
        """
        manifest = read_manifest(path)
        ensemble = cls.__new__(cls)
        ensemble.path, ensemble.manifest, ensemble.skipped = Path(path), manifest, ()
        folders = [ensemble.path / run["folder"] for run in manifest["runs"]]
        ensemble._models = [*folders]
        if skip_damaged:
            ensemble._leave_out_damaged()
        else:
            for folder in folders:
                if not formats.is_model(folder):
                    raise FormatError(
                        f"{ENSEMBLE_MARKER} names this run, but here is no model; train again, "
                        "or leave it out (skip_damaged)",
                        folder,
                    )
        ensemble._name()
        return ensemble

    def _leave_out_damaged(self) -> None:
        """Opens all models that are paths, and names in `skipped` those that cannot be."""
        sound = []
        for model in self._models:
            try:
                opened = WordVectors.of(formats.load(model)) if isinstance(model, Path) else model
                opened.norms  # noqa: B018  (reads every vector: one that is not finite is found here)
                sound.append(opened)
            except WordgeoError as problem:
                self.skipped = (*self.skipped, str(problem))
                logger.warning("left out: %s", problem)
        if not sound:
            raise FormatError(f"every one of its {len(self._models)} runs is damaged", self.path)
        self._models = [*sound]

    @classmethod
    def of(cls, models: Iterable[Embeddings | str | Path], *, skip_damaged: bool = False) -> Ensemble:
        """Models of any source together: each a model, or the path of a model folder, vector file or ensemble.

        Folders are opened when they are used, and mapped; vector files are read into memory, so what they need is
        looked at first. Raises `OptionError` where that is more than there is. `skip_damaged` is that of `open`.
        """
        ensemble = cls.__new__(cls)
        ensemble.path, ensemble.manifest, ensemble.skipped, ensemble._models = None, {}, (), []
        needed = 0
        for model in models:
            if isinstance(model, (str, Path)) and cls.is_one(model):
                opened = cls.open(model, skip_damaged=skip_damaged)
                ensemble._models += opened._models
                ensemble.skipped += opened.skipped
            elif isinstance(model, (str, Path)):
                path = Path(model)
                if path.is_file():
                    needed += path.stat().st_size
                elif not path.exists():
                    raise NotFoundError(f"{path} does not exist; name a model folder, a vector file or an ensemble")
                ensemble._models.append(path)
            else:
                ensemble._models.append(model if isinstance(model, WordVectors) else WordVectors.of(model))
        if not ensemble._models:
            raise OptionError("an ensemble needs at least one model")
        memory = available_memory()
        if memory is not None and needed > memory:
            raise OptionError(
                f"the vector files have {needed / 1e9:.1f} GB and {memory / 1e9:.1f} GB of memory are free; convert "
                "them to model folders, which are mapped (wordgeo convert)"
            )
        if skip_damaged:
            ensemble._leave_out_damaged()
        ensemble._name()
        return ensemble

    @staticmethod
    def is_one(path: str | Path) -> bool:
        """Whether a path is the folder of an ensemble; it is not opened."""
        return (Path(path) / ENSEMBLE_MARKER).is_file()

    def differences(self) -> list[str]:
        """In what the models were made differently, beside seed and sample: what makes their comparison doubtful.

        Algorithm, engine, options, corpus and dimensions, as the provenances say; models from elsewhere have none.
        """
        known = [model.provenance for model in self]
        found = []
        values: dict[str, list[Any]] = {"dimensions": [model.dimensions for model in self]}
        for name in ("algorithm", "engine"):
            values[name] = [each.get(name) for each in known]
        values["resample"] = [each and (each.get("resample") or {"how": "none"}).get("how") for each in known]
        values["corpus"] = [(each.get("corpus") or {}).get("fingerprint") for each in known]
        parameters = [each.get("parameters") or {} for each in known]
        for name in dict.fromkeys(name for each in parameters for name in each if name != "dim"):
            values[name] = [each.get(name) for each in parameters]
        for name, of_models in values.items():
            different = list(dict.fromkeys(str(value) for value in of_models if value not in (None, {})))
            if len(different) > 1:
                found.append(f"{name}: {', '.join(different)}")
        return found

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
        if all(same_words(first, model.vocabulary) for model in self):
            return first
        common = np.ones(len(first), dtype=bool)
        for model in self:
            common &= model.vocabulary.find(first.words) >= 0
        rows = np.flatnonzero(common).tolist()
        return Vocabulary.from_words(
            [first.words[row] for row in rows], None if first.counts is None else first.counts[rows]
        )

    def check_k(self, k: int, name: str = "k") -> int:
        """`k`, if it is a number of neighbours that each shared word has among the others; else `OptionError`."""
        words = len(self.shared)
        if words < 2:
            raise OptionError(
                f"the models share {words} words; give models of the same language whose words are written alike"
            )
        k = whole_number(name, k, 1)
        if k >= words:
            raise OptionError(f"{name} is {k}; the models share {words} words, so give less than that")
        return k

    def agreement(self, words: Iterable[str], k: int = 10, *, threads: int | None = None) -> Agreement:
        """How far the models agree on the k nearest neighbours of `words`, over the words that all of them have.

        Neighbours by cosine, ties by row of the model; the word itself is none. Raises `UnknownWordError` for a word
        that a model does not have, `OptionError` for fewer than two models or more neighbours than there are.
        """
        words = tuple(words)
        if len(self) < 2:
            raise OptionError("agreement compares models and here is one; train with runs=2 or more")
        k = self.check_k(k)
        rows = self.shared.rows(words)
        lists = np.stack([found.rows for found in nearest_in_each(self, self.shared, rows, k, threads)])
        agreed: list[tuple[str, ...]] = []
        for begin in range(0, len(rows), WORDS_A_BLOCK):
            block = lists[:, begin : begin + WORDS_A_BLOCK]
            in_all = np.logical_and.reduce([_found(block[0], other) for other in block[1:]])
            agreed += [
                tuple(self.shared[i] for i in row[kept].tolist()) for row, kept in zip(block[0], in_all, strict=True)
            ]
        joint = np.array([len(common) for common in agreed], dtype=np.int64)
        overlap = overlaps(list(lists), threads=threads).overlap.mean(axis=1) if words else np.zeros(0)
        return Agreement(k, len(self), words, overlap, joint, tuple(agreed))

    def similar(self, word: str, /, k: int = 10, **filters: Any) -> TrustedNeighbors:
        """The k neighbours that most models have among their k nearest, each with how far it can be trusted.

        Neighbours are looked for among the words that all models have; `filters` are those of `WordVectors`, by the
        counts and ranks of the first model. Raises `UnknownWordError`.

        >>> import wordgeo as wg
        >>> words = ["up", "over", "cat", "dog"]
        >>> runs = wg.Ensemble(wg.from_arrays(words, [[1, 0], [4, y], [0, 1], [1, 9]]) for y in (1, 2, 40))
        >>> found = runs.similar("up", k=1)
        >>> found.words, found.share.round(2).tolist()
        (('over',), [0.67])
        """
        return self.similar_batch([word], k, **filters)[0]

    def similar_batch(self, words: Sequence[str], /, k: int = 10, **filters: Any) -> list[TrustedNeighbors]:
        """`similar` for many words."""
        if isinstance(words, str):
            raise OptionError(f"got the one string {words!r}; give a list of words")
        return trusted_neighbors(self, list(words), k, filters)

    def analogy(
        self, a: str, b: str, c: str, k: int = 10, *, method: str = "3cosadd", **filters: Any
    ) -> TrustedAnswers:
        """ "a is to b as c is to ?": the answers of the models, each with the share of models that give it.

        `method` and `filters` are those of `WordVectors.analogy`. Raises `UnknownWordError`.
        """
        return trusted_analogy(self, (a, b, c), k, method, filters)

    def __repr__(self) -> str:
        where = f" from {self.path}" if self.path else ""
        return f"<Ensemble of {len(self)} models{where}>"


def _found(a: I64, b: I64) -> npt.NDArray[np.bool_]:
    """Which of the rows in a[i] (int64 [n, k]) are also in b[i]."""
    return (a[:, :, None] == b[:, None, :]).any(axis=2)
