"""gensim's objects in and out."""

import numpy as np
import pytest
from gensim.models import FastText, KeyedVectors, Word2Vec
from gensim.test.utils import common_texts

from wordgeo import formats
from wordgeo.errors import FormatError, OptionError, WordgeoError

TINY = {"vector_size": 8, "min_count": 1, "seed": 3, "workers": 1, "window": 3}


@pytest.fixture(scope="module", params=["skipgram", "cbow", "fasttext"])
def model(request):
    if request.param == "fasttext":
        return FastText(common_texts, bucket=100, **TINY)
    return Word2Vec(common_texts, sg=request.param == "skipgram", **TINY)


def test_round_trip(model, tmp_path):
    ours = formats.from_gensim(model)
    formats.save(ours, tmp_path / "m")
    back = formats.load(tmp_path / "m").to_gensim()
    assert back.index_to_key == model.wv.index_to_key
    assert back.vectors.tobytes() == model.wv.vectors.tobytes()
    for word in model.wv.index_to_key:
        assert back.get_vecattr(word, "count") == model.wv.get_vecattr(word, "count")
        assert back.most_similar(word) == model.wv.most_similar(word)


def test_vectors_are_copied(model):
    ours = formats.from_gensim(model)
    assert not np.shares_memory(ours.vectors, model.wv.vectors)


def test_what_can_be_known_is_recorded(model):
    import gensim

    known = formats.from_gensim(model).provenance
    name = type(model).__name__
    assert known["algorithm"] == {"FastText": "fasttext"}.get(name, "skipgram" if model.sg else "cbow")
    assert known["seed"] == 3
    assert known["parameters"]["dim"] == 8 and known["parameters"]["window"] == 3
    assert known["versions"] == {"gensim": gensim.__version__}
    assert known["imported"]["class"] == f"gensim.models.{name.lower()}.{name}"
    vectors_only = formats.from_gensim(model.wv).provenance
    assert "algorithm" not in vectors_only and "KeyedVectors" in vectors_only["imported"]["class"]


def test_rows_go_by_descending_count():
    vectors = KeyedVectors(2)
    vectors.add_vectors(["rare", "often", "same", "same2"], np.arange(8, dtype=np.float32).reshape(4, 2))
    for word, count in (("rare", 1), ("often", 9), ("same", 5), ("same2", 5)):
        vectors.set_vecattr(word, "count", count)
    ours = formats.from_gensim(vectors)
    assert ours.words == ["often", "same", "same2", "rare"]
    assert ours.counts.tolist() == [9, 5, 5, 1]
    assert ours["rare"].tolist() == [0, 1]


def test_counts_are_not_invented():
    vectors = KeyedVectors(2)
    vectors.add_vectors(["b", "a"], np.ones((2, 2), dtype=np.float64))
    ours = formats.from_gensim(vectors)
    assert ours.counts is None and ours.words == ["b", "a"] and ours.vectors.dtype == np.float32


def test_what_is_no_gensim_model():
    for thing in ({"a": [1.0]}, "path", np.ones((2, 2)), None):
        with pytest.raises(OptionError, match="not a gensim model"):
            formats.from_gensim(thing)
    vectors = KeyedVectors(2)
    vectors.add_vectors([1, 2], np.ones((2, 2)))
    with pytest.raises(FormatError, match="key of row 0 is 1"):
        formats.from_gensim(vectors)
    vectors = KeyedVectors(2)
    vectors.add_vectors(["a"], np.full((1, 2), np.nan))
    with pytest.raises(WordgeoError, match="NaN"):
        formats.from_gensim(vectors)
