"""Where trainers and measures meet: the functions of the public API that join several rooms."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from wordgeo import formats, training
from wordgeo.embeddings import Embeddings
from wordgeo.errors import OptionError
from wordgeo.progress import Progress
from wordgeo.query import WordVectors
from wordgeo.stability import ChangeReport, Ensemble, compare_spaces
from wordgeo.validate import float_rows
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gensim.models import FastText, KeyedVectors, Word2Vec

    from wordgeo.corpus import Documents, EncodedCorpus

__all__ = ["compare", "from_arrays", "from_gensim", "load", "save", "train"]


def load(path: str | Path, **options: Any) -> WordVectors | Ensemble:
    """Opens a model folder (mapped, in milliseconds), an ensemble's folder, or a file of vectors.

    Files of vectors may be word2vec text or binary or GloVe text, plain or gzipped, told by their content; `options`
    are those of `wordgeo.formats.load`. Raises `NotFoundError` or `FormatError`.
    """
    if Ensemble.is_one(path):
        return Ensemble.open(path)
    return WordVectors.of(formats.load(path, **options))


def save(model: Embeddings, path: str | Path, *, overwrite: bool = False) -> None:
    """Writes a model folder, whole or not at all. Raises `OutputError`, if it exists already for instance."""
    formats.save(model, path, overwrite=overwrite)


def from_arrays(words: Iterable[str], vectors: npt.ArrayLike, counts: npt.ArrayLike | None = None) -> WordVectors:
    """A model from unique words, vectors [words, dimensions] (any real type; float32 is not copied) and counts.

    >>> model = from_arrays(["one", "two"], [[1.0, 0.0], [0.6, 0.8]])
    >>> round(model.similarity("one", "two"), 6)
    0.6
    """
    return WordVectors(Vocabulary.from_words(words, counts), float_rows("vectors", vectors))


def from_gensim(model: KeyedVectors | Word2Vec | FastText) -> WordVectors:
    """A model from gensim's word vectors, which are copied."""
    return WordVectors.of(formats.from_gensim(model))


def compare(
    a: Embeddings | Ensemble | str | Path,
    b: Embeddings | Ensemble | str | Path,
    *,
    corpora: tuple[EncodedCorpus | str | Path, EncodedCorpus | str | Path] | None = None,
    resplits: int = 20,
    workers: int = 1,
    backend: str = "processes",
    progress: Progress | bool | None = None,
    **options: Any,
) -> ChangeReport:
    """Which words changed from `a` to `b`: models or their paths, or ensembles of runs.

    With the `corpora` that they were trained on (encoded, or their folders), change is held against a null that is
    really none: the documents of both are pooled and split again at random into the same sizes `resplits` times, and
    each part is trained as the models were, `workers` at a time. All models are trained with the options in the
    provenance of `a` and `b`, which have to agree. Without corpora the report says that no word can be called changed.

    `options` are those of `wordgeo.stability.compare_spaces`: `neighbors`, `anchors`, `center`, `measure`, `alpha`,
    `min_count`.
    Raises what that raises, `CorpusError` for corpora that are not those of the models, `TrainingError` for models
    whose provenance does not say how they were trained.
    """
    first, second = (load(each) if isinstance(each, (str, Path)) else each for each in (a, b))
    names = str(first.path or "first"), str(second.path or "second")
    options = {"names": names, "progress": progress, **options}
    if corpora is None:
        return compare_spaces(first, second, **options)
    for side in (first, second):
        if isinstance(side, Ensemble) and len(side) > 1:
            raise OptionError(f"a null is for one model a side; name one run of {side.path or 'the ensemble'}")
    one, other = (side[0] if isinstance(side, Ensemble) else side for side in (first, second))
    real, null = training.splits_of_models(
        one, other, corpora, resplits=resplits, workers=workers, backend=backend, progress=progress
    )
    return compare_spaces(*real, null=null, **options)


def train(
    source: str | Path | list[str | Path] | EncodedCorpus | Documents,
    *,
    output: str | Path | None = None,
    runs: int = 1,
    overwrite: bool = False,
    start_from: Embeddings | str | Path | None = None,
    keep_training_state: bool = False,
    checkpoint_every: int | str | None = None,
    resume: bool = False,
    memory: str | int | None = None,
    progress: Progress | bool | None = None,
    **options: Any,
) -> WordVectors | Ensemble:
    """Trains a model on text or an encoded corpus; with `runs` above 1 an ensemble of models with seeds in a row.

    `options` are the fields of `wordgeo.training.TrainingConfig` (algorithm, dim, window, negative, epochs, min_count,
    sample, seed, threads, ...) and, for text, those of `wordgeo.encode` (tokens, case, documents, ...). With `output`
    the model is saved there and mapped from there. `keep_training_state` keeps what going on needs, and `start_from` is
    such a model, or its folder: its options hold where none are given anew. `checkpoint_every` and `resume` are for
    trainings that may be killed, `memory` ("4G") for counting. Runs may be of resampled documents (`resample`,
    `fix_seed`, `resample_vocabulary`) and made several at a time (`workers`, `backend`): see `wordgeo.training.train`.
    `progress=True` shows a bar on a terminal.

    Raises `OptionError` for an option that does not exist or a value that it does not take, and what
    `wordgeo.training.train` raises.
    """
    fields = {field.name for field in dataclasses.fields(training.TrainingConfig)}
    chosen = {name: value for name, value in options.items() if name in fields}
    if isinstance(start_from, (str, Path)):
        start_from = formats.load(start_from)
    config = training.TrainingConfig(**chosen) if start_from is None else training.next_config(start_from, **chosen)
    encoding = {name: value for name, value in options.items() if name not in fields}
    trained = training.train(
        source,
        config,
        output=output,
        runs=runs,
        overwrite=overwrite,
        start_from=start_from,
        keep_training_state=keep_training_state,
        checkpoint_every=checkpoint_every,
        resume=resume,
        memory=memory,
        progress=progress,
        **encoding,
    )
    if isinstance(trained, list):
        return Ensemble(trained) if output is None else Ensemble.open(output)
    return WordVectors.of(trained)
