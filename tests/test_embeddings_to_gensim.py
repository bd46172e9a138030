"""`Embeddings.to_gensim`: the same rows in gensim, and copies of them."""

import numpy as np

from wordgeo.embeddings import Embeddings
from wordgeo.vocabulary import Vocabulary


def test_gensim_gets_the_same_rows_and_its_own_copy():
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    model = Embeddings(Vocabulary.from_words(["d", "b", "a", "c"], [9, 7, 7, 1]), matrix)
    keyed = model.to_gensim()
    assert keyed.index_to_key == model.words
    assert [keyed.get_vecattr(word, "count") for word in model.words] == [9, 7, 7, 1]
    np.testing.assert_array_equal(keyed.vectors, matrix)
    keyed.vectors[0] = -1
    assert matrix[0, 1] == 1
    assert keyed.similarity("b", "c") == np.float32(model.to_gensim().similarity("c", "b"))
