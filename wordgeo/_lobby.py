"""Where trainers and measures meet: the functions of the public API that join several rooms."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from wordgeo import formats
from wordgeo.embeddings import Embeddings
from wordgeo.query import WordVectors
from wordgeo.stability import Ensemble
from wordgeo.validate import float_rows
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from gensim.models import FastText, KeyedVectors, Word2Vec

__all__ = ["from_arrays", "from_gensim", "load", "save"]


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
