"""Embeddings from gensim's objects, with what can be known about their training."""

from __future__ import annotations

from typing import Any

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, OptionError
from wordgeo.subwords import Subwords
from wordgeo.validate import float_rows
from wordgeo.vocabulary import Vocabulary

__all__ = ["embeddings_from_gensim", "subwords_from_gensim"]

# gensim's name of a parameter -> ours
PARAMETERS = {
    "vector_size": "dim",
    "window": "window",
    "negative": "negative",
    "hs": "hs",
    "ns_exponent": "ns_exponent",
    "cbow_mean": "cbow_mean",
    "epochs": "epochs",
    "min_count": "min_count",
    "sample": "sample",
    "alpha": "alpha",
    "min_alpha": "min_alpha",
    "workers": "threads",
}


def embeddings_from_gensim(model: Any) -> Embeddings:
    """From a `KeyedVectors`, or a model with such vectors in `.wv`; vectors are copied, rows go by descending count.

    Where gensim has counts in another order, words are reordered (equal counts stay in gensim's order). Of FastText's
    n-gram vectors those come along that some word of the vocabulary uses. Raises `OptionError` for an
    object of another kind, `FormatError` for keys that are not words.
    """
    vectors = getattr(model, "wv", model)
    if not hasattr(vectors, "index_to_key") or not hasattr(vectors, "get_vecattr"):
        raise OptionError(f"{type(model).__name__} is not a gensim model with word vectors; give a KeyedVectors")
    words = list(vectors.index_to_key)
    for row, word in enumerate(words):
        if not isinstance(word, str):
            raise FormatError(f"the key of row {row} is {word!r}, which is not a word; give vectors of words")
    matrix = float_rows("vectors", np.array(vectors.vectors[: len(words)]))
    counts = None
    if "count" in vectors.expandos and words:
        counts = np.array(vectors.expandos["count"][: len(words)])
        if (np.diff(counts.astype(np.int64)) > 0).any():
            order = np.argsort(-counts.astype(np.int64), kind="stable")
            words, matrix, counts = [words[i] for i in order], np.ascontiguousarray(matrix[order]), counts[order]
    return Embeddings(
        Vocabulary.from_words(words, counts),
        matrix,
        provenance=_provenance(model),
        subwords=subwords_from_gensim(vectors),
    )


def subwords_from_gensim(vectors: Any) -> Subwords | None:
    """The n-gram vectors of a gensim `FastTextKeyedVectors` whose buckets its words use, copied; None for others."""
    ngrams, of_words = getattr(vectors, "vectors_ngrams", None), getattr(vectors, "buckets_word", None)
    if ngrams is None or not of_words or vectors.bucket == 0 or not 1 <= vectors.min_n <= vectors.max_n:
        return None
    used = np.unique(np.concatenate(of_words)).astype(np.uint32)
    return Subwords(
        used,
        np.ascontiguousarray(ngrams[used], dtype=np.float32),
        min_n=int(vectors.min_n),
        max_n=int(vectors.max_n),
        bucket=int(vectors.bucket),
    )


def _provenance(model: Any) -> dict[str, Any]:
    import gensim

    kind = type(model)
    facts: dict[str, Any] = {}
    if hasattr(model, "wv") and hasattr(model, "sg"):
        fasttext = kind.__name__ == "FastText"
        facts["algorithm"] = "fasttext" if fasttext else "skipgram" if model.sg else "cbow"
        facts["engine"] = "gensim"
        known = {name: getattr(model, theirs, None) for theirs, name in PARAMETERS.items()}
        if fasttext:
            known |= {name: getattr(model.wv, name, None) for name in ("min_n", "max_n", "bucket")} | {"sg": model.sg}
        facts["parameters"] = {name: value for name, value in known.items() if value is not None}
        facts["seed"] = getattr(model, "seed", None)
    facts["imported"] = {"class": f"{kind.__module__}.{kind.__name__}"}
    facts["versions"] = {"gensim": gensim.__version__}
    return facts
