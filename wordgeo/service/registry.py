"""The models that are served: opened, warmed, shared between processes, and replaced when their folders change."""

from __future__ import annotations

import bisect
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import wordgeo as wg
from wordgeo.errors import OptionError, WordgeoError
from wordgeo.files import is_partial
from wordgeo.query import WordVectors
from wordgeo.query.screens import Int8Copy, int8_repays
from wordgeo.results import plain
from wordgeo.service.config import ServiceConfig
from wordgeo.service.problems import Problem
from wordgeo.stability import Ensemble

__all__ = ["Registry", "Served"]

log = logging.getLogger(__name__)

NAME = re.compile(r"[\w.+@-]{1,128}")
WATCHED = ("wordgeo.json", "ensemble.json", "model.safetensors", "vocabulary")
ENOUGH_TO_REPAY = 8  # queries that make the engine take the int8 copy from the first one on
# What of the provenance is shown: settings and sizes, and nothing that could name a file or a person.
SHOWN = ("algorithm", "engine", "engine_version", "parameters", "seed", "threads", "reproducible", "corpus", "versions")
SHOWN_OF_CORPUS = (
    "fingerprint", "tokens", "case", "documents", "token_count", "sentence_count", "document_count", "word_count",
    "sentences_cut",
)  # fmt: skip


@dataclass(eq=False)
class Served:
    """A model under its name. `model` answers; of an ensemble it is the first run, and `ensemble` has all of them."""

    name: str
    path: Path
    model: WordVectors
    ensemble: Ensemble | None
    generation: int
    signature: tuple[Any, ...]
    vectors: bool = False
    _info: dict[str, Any] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, Any]:
        """What the service says about it."""
        if not self._info:
            model, given = self.model, plain(self.model.provenance)
            shown = {name: given[name] for name in SHOWN if name in given}
            if isinstance(shown.get("corpus"), dict):
                corpus = shown["corpus"]
                # A tokeniser of one's own is named by its module: that stays here.
                shown["corpus"] = {
                    name: corpus[name]
                    for name in SHOWN_OF_CORPUS
                    if name in corpus and not (isinstance(corpus[name], str) and re.search(r"[/\\:]", corpus[name]))
                }
            self._info = {
                "name": self.name,
                "kind": "model" if self.ensemble is None else "ensemble",
                "runs": 1 if self.ensemble is None else len(self.ensemble),
                "words": len(model),
                "dimensions": model.dimensions,
                "tokens": None if model.counts is None else int(model.counts.sum()),
                "counts": model.counts is not None,
                "subwords": model.subwords is not None,
                "vectors": self.vectors,
                "generation": self.generation,
                "provenance": shown,
            }
        return self._info

    @cached_property
    def _folded(self) -> tuple[list[str], np.ndarray]:
        folded = [word.casefold() for word in self.model.words]
        order = sorted(range(len(folded)), key=folded.__getitem__)
        return [folded[row] for row in order], np.array(order, dtype=np.int64)

    def beginning_with(self, prefix: str, limit: int) -> list[int]:
        """The first rows whose words begin so, whatever the case."""
        folded, rows = self._folded
        prefix = prefix.casefold()
        begin = bisect.bisect_left(folded, prefix)
        end = bisect.bisect_left(folded, prefix + "\U0010ffff") if prefix else len(folded)
        found = rows[begin:end]
        return np.sort(np.partition(found, limit)[:limit] if len(found) > limit else found).tolist()


class Registry:
    """All models by name, in the order they were named. `refresh` follows the folders."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._models: dict[str, Served] = {}
        self._refused: dict[str, tuple[Any, ...]] = {}
        self._stamp = self._generation_stamp()
        self.reloads = {"done": 0, "refused": 0}
        for name, path in self._named().items():
            self._models[name] = self._open(name, path, 1)
        if not self._models and config.folder is None:
            raise OptionError("there is no model to serve")

    def __iter__(self) -> Iterator[Served]:
        return iter(self._models.values())

    def __len__(self) -> int:
        return len(self._models)

    def __getitem__(self, name: str) -> Served:
        served = self._models.get(name)
        if served is None:
            raise Problem("unknown-model", f"no model '{name[:200]}' is served here; GET /v1/models lists them")
        return served

    def refresh(self) -> list[str]:
        """Opens again what has changed, opens what is new and drops what is gone; returns the names it changed.

        A model that cannot be opened is refused with a line in the log, and the one before stays.
        """
        stamp, named = self._generation_stamp(), self._named()
        everything = stamp != self._stamp
        self._stamp = stamp
        models, changed = dict(self._models), []
        for name, path in named.items():
            old, signature = models.get(name), _signature(path)
            if old is not None and old.signature == signature and not everything:
                self._refused.pop(name, None)
                continue
            if self._refused.get(name) == signature and not everything:
                continue
            try:
                models[name] = self._open(name, path, 1 if old is None else old.generation + 1)
            except (WordgeoError, OSError, ValueError) as problem:
                log.error("model %s is refused, %s: %s", name, "the old one stays" if old else "it is new", problem)
                self._refused[name] = signature
                self.reloads["refused"] += 1
                continue
            self._refused.pop(name, None)
            self.reloads["done"] += 1
            changed.append(name)
        for name in set(models) - set(named):
            if name in self._in_folder_before:
                del models[name]
                changed.append(name)
        self._models = {name: models[name] for name in [*named, *models] if name in models}
        return changed

    def _named(self) -> Mapping[str, Path]:
        """Every model's name and path: those on the command line, then those of the folder."""
        named: dict[str, Path] = {}
        for text in self._config.models:
            path = Path(text)
            name = path.resolve().name if path.name in ("", "..") else path.name
            if not NAME.fullmatch(name):
                raise OptionError(f"{text}: '{name}' cannot be a name in an address; rename the folder")
            if name in named:
                raise OptionError(f"two models are called {name}: {named[name]} and {path}; rename one folder")
            named[name] = path
        self._in_folder_before = set(self._models) - set(named)
        if self._config.folder is not None:
            folder = Path(self._config.folder)
            if not folder.is_dir():
                if self._models:  # it was there before: nothing is dropped for a moment's absence
                    named |= {name: self._models[name].path for name in self._in_folder_before}
                    return named
                raise OptionError(f"{folder} is not a folder; name one that holds models")
            for path in sorted(folder.iterdir()):
                if is_partial(path) or not any((path / marker).is_file() for marker in WATCHED[:2]):
                    continue
                if not NAME.fullmatch(path.name) or path.name in named:
                    log.warning("%s is not served: its name is taken or cannot be one in an address", path)
                    continue
                named[path.name] = path
        return named

    def _open(self, name: str, path: Path, generation: int) -> Served:
        signature = _signature(path)
        model = wg.load(path)
        if isinstance(model, Ensemble):
            for run in model:
                run.norms  # noqa: B018  (a damaged vector is found now, and not by a question)
            first, ensemble = _warm(model[0]), model
        else:
            first, ensemble = _warm(model), None
        return Served(name, path, first, ensemble, generation, signature, vectors=self._config.allow_vectors)

    def _generation_stamp(self) -> tuple[Any, ...]:
        return () if self._config.generation is None else _stat(Path(self._config.generation))


def _warm(model: WordVectors) -> WordVectors:
    """The model with everything made that the first question would wait for."""
    model.norms  # noqa: B018
    model.words  # noqa: B018  (decoded once: every answer takes words from it)
    if int8_repays(model, ENOUGH_TO_REPAY, 10) and Int8Copy.of(model).codes.flags.writeable:
        # Made just now in this process's memory: kept beside the model, it is mapped by all processes.
        try:
            model.keep_screen()
        except WordgeoError as problem:
            log.info("the int8 copy is not kept beside the model (%s); each process has its own", problem)
        else:
            again = wg.load(model.path)  # type: ignore[arg-type]
            assert isinstance(again, WordVectors)
            int8_repays(again, ENOUGH_TO_REPAY, 10)
            Int8Copy.of(again)
            again.words  # noqa: B018
            return again
    return model


def _signature(path: Path) -> tuple[Any, ...]:
    """Changes when the model does: which files stand there, how large, how old."""
    return (*(_stat(path / name) for name in WATCHED), _stat(path)) if path.is_dir() else _stat(path)


def _stat(path: Path) -> tuple[Any, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    if path.is_dir():
        return (found.st_ino,)
    return (found.st_ino, found.st_size, found.st_mtime_ns)
