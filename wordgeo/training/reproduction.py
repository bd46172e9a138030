"""Trains a model again from what its provenance says, and compares: the proof that it is what it claims to be."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wordgeo._version import __version__
from wordgeo.embeddings import Embeddings
from wordgeo.errors import CorpusError, NotFoundError, OptionError, TrainingError, WordgeoError
from wordgeo.files import cache_folder
from wordgeo.formats import load
from wordgeo.progress import Progress
from wordgeo.results import Result, Table
from wordgeo.system import package_versions
from wordgeo.training.config import TrainingConfig
from wordgeo.training.resample import Resample
from wordgeo.training.runs import train

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = ["Reproduction", "config_of", "reproduce"]


@dataclass(frozen=True, repr=False)
class Reproduction(Result):
    """Whether a model came out again, byte for byte, and what differs.

    `differences` lists what could explain another result, and what is different in the result: `what`, the value
    then, the value now. `same` is whether words, counts, vectors and n-grams have the same bytes.
    """

    model: str
    again: str
    same: bool
    largest_difference: float | None
    differences: tuple[tuple[str, str, str], ...]

    def tables(self) -> list[Table]:
        """The verdict, and what differs."""
        largest = "" if self.largest_difference is None else f"{self.largest_difference:g}"
        rows = [
            ("model", self.model),
            ("trained again", self.again),
            ("the same bytes", "yes" if self.same else "no"),
            ("largest difference of a number", largest),
        ]
        tables = [Table(("what", "value"), rows)]
        if self.differences:
            tables.append(Table(("differs", "then", "now"), list(self.differences)))
        return tables


def reproduce(
    model: Embeddings | str | Path,
    output: str | Path,
    *,
    corpus: EncodedCorpus | str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> Reproduction:
    """Trains `model` again into the folder `output`, with the options in its provenance, and compares both.

    `corpus` is the encoded corpus, or the text that it was encoded from; unset, it is looked for in the cache, by the
    fingerprint in the provenance. One thread, the same versions and processor give the same bytes; what is otherwise
    stands in `differences` of the result.

    Raises `TrainingError` for a model whose provenance does not say how it was made, or that went on from another;
    `NotFoundError` where the corpus is not in the cache, `CorpusError` for one with another fingerprint, and what
    `train` raises.
    """
    first = load(model) if isinstance(model, (str, Path)) else model
    known = first.provenance
    if "started_from" in known:
        raise TrainingError("this model went on from another one, whose vectors its provenance does not hold")
    config = config_of(known)
    found = _corpus(known["corpus"], corpus, progress)
    sample = Resample.of(known) or "none"
    again = train(found, config, output=output, resample=sample, overwrite=overwrite, progress=progress)
    assert isinstance(again, Embeddings)
    comparable = again.words == first.words and again.vectors.shape == first.vectors.shape
    return Reproduction(
        model=str(first.path or "(in memory)"),
        again=str(output),
        same=_parts(first) == _parts(again),
        largest_difference=_largest(first, again) if comparable else None,
        differences=tuple(_differences(first, again)),
    )


def config_of(known: dict[str, Any]) -> TrainingConfig:
    """The options of a provenance, as the version that reads it understands them."""
    parameters, corpus = known.get("parameters"), known.get("corpus")
    if not isinstance(parameters, dict) or not isinstance(corpus, dict) or "fingerprint" not in corpus:
        raise TrainingError("the provenance does not say how this model was trained; it came from elsewhere")
    try:
        named = {name: known[name] for name in ("algorithm", "engine", "seed", "threads")}
        return TrainingConfig(**named, **parameters)
    except (KeyError, TypeError, OptionError) as problem:
        raise TrainingError(f"the provenance has options that this version does not take ({problem})") from None


def _corpus(known: dict[str, Any], given: EncodedCorpus | str | Path | None, progress: Any) -> EncodedCorpus:
    from wordgeo.corpus import EncodedCorpus, encode_cached
    from wordgeo.corpus.custom import is_custom

    fingerprint = known["fingerprint"]
    if given is None:
        for folder in sorted(cache_folder("corpora").iterdir()):
            try:
                corpus = EncodedCorpus.open(folder)
            except WordgeoError:
                continue  # what is no corpus, or a damaged one, is not the one that is looked for
            if corpus.fingerprint == fingerprint:
                return corpus
        raise NotFoundError(f"the corpus {fingerprint} is not in the cache; name it or its text (--corpus)")
    if isinstance(given, (str, Path)):
        how = {name: known[name] for name in ("tokens", "case", "documents") if known.get(name)}
        if not EncodedCorpus.is_one(given) and is_custom(how.get("tokens", "")):
            # A model may come from anywhere: the function that it names is not run because it says so.
            raise CorpusError(
                f"the words of this model were found by {how['tokens']}; encode the text with it "
                "(--tokens), and name that corpus (--corpus)"
            )
        given = EncodedCorpus.open(given) if EncodedCorpus.is_one(given) else encode_cached(given, **how)
    if given.fingerprint != fingerprint:
        raise CorpusError(
            f"{given.path} is another corpus: its fingerprint is {given.fingerprint}, the model's is {fingerprint}"
        )
    return given


def _parts(model: Embeddings) -> list[Any]:
    """Everything of which the same bytes are promised."""
    parts: list[Any] = [model.words, None if model.counts is None else model.counts.tolist(), model.vectors.tobytes()]
    if model.subwords is not None:
        parts += [model.subwords.buckets.tobytes(), model.subwords.vectors.tobytes()]
    return parts


def _largest(first: Embeddings, again: Embeddings) -> float:
    return float(np.abs(first.vectors - again.vectors).max(initial=0))


def _differences(first: Embeddings, again: Embeddings) -> list[tuple[str, str, str]]:
    """What is not the same: versions and circumstances first, which may explain the rest."""
    known = first.provenance
    now = {"wordgeo": __version__, "python": platform.python_version(), **package_versions()}
    pairs: list[tuple[str, Any, Any]] = [
        (f"version of {name}", version, now.get(name)) for name, version in known.get("versions", {}).items()
    ]
    pairs.append(("engine", known.get("engine"), again.provenance["engine"]))
    then, here = (model.run.get("machine") or {} for model in (first, again))
    pairs += [(name, then.get(name), here.get(name)) for name in ("system", "processor", "instruction_set")]
    pairs += [("words", len(first), len(again)), ("dimensions", first.dimensions, again.dimensions)]
    different = [(what, str(old), str(new)) for what, old, new in pairs if old is not None and old != new]
    if not known.get("reproducible", True):
        different.append(("threads", str(known["threads"]), "they did not wait for each other: other bytes each time"))
    return different
