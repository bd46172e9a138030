"""Words and vectors: what is accepted, that nothing is modified, and norms."""

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, UnknownWordError, WordgeoError
from wordgeo.vocabulary import Vocabulary


def make(words, matrix, **options):
    return Embeddings(Vocabulary.from_words(words), np.asarray(matrix), **options)


def test_a_matrix_is_kept_as_it_is_and_read_only():
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    model = make("ab", matrix)
    assert np.shares_memory(model.vectors, matrix) and matrix.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        model.vectors[0, 0] = 1
    assert model["b"].tolist() == [3, 4, 5] and model.dimensions == 3 and len(model) == 2
    assert "a" in model and "c" not in model and 3 not in model
    with pytest.raises(UnknownWordError):
        model["c"]


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), np.ones((3, 2), dtype=np.float32).T, np.ones((2, 3), dtype=np.int64), [[1, 2], [3, 4]]]
)
def test_other_real_matrices_are_converted(matrix):
    model = make("ab", matrix)
    assert model.vectors.dtype == np.float32 and model.vectors.flags.c_contiguous
    np.testing.assert_array_equal(model.vectors, np.asarray(matrix))


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((3, 2), dtype=np.float32), "2 words but 3 vectors"),
        (np.ones((2, 0), dtype=np.float32), "no dimensions"),
        (np.ones(2), "shape"),
        (np.array([["a"], ["b"]]), "type"),
        (np.array([[1 + 2j], [0]]), "type"),
        (np.array([[None], [1.0]]), "type"),
        (np.array([[1e300], [1.0]]), "beyond float32"),
    ],
)
def test_what_is_no_matrix(matrix, message):
    with pytest.raises(WordgeoError, match=message):
        make("ab", matrix)


def test_norms_are_in_double_precision():
    matrix = np.random.default_rng(2).standard_normal((50, 17)).astype(np.float32)
    matrix[3] = 0
    model = make(map(str, range(50)), matrix)
    np.testing.assert_allclose(model.norms, np.linalg.norm(matrix.astype(np.float64), axis=1), rtol=1e-14)
    assert model.norms[3] == 0 and model.norms.dtype == np.float64


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_norms_name_the_word_whose_vector_is_not_finite(bad):
    matrix = np.ones((3, 2), dtype=np.float32)
    matrix[1, 1] = bad
    with pytest.raises(FormatError, match=r"the vector of 'b' \(row 1\) has a NaN"):
        _ = make("abc", matrix).norms


def test_the_repr_says_what_it_is(tmp_path):
    model = make("ab", np.ones((2, 3)), provenance={"algorithm": "glove"}, path=tmp_path)
    assert repr(model) == f"<Embeddings: glove, 2 words × 3 from {tmp_path}>"
