"""Small embeddings that several tests write and read."""

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.vocabulary import Vocabulary

WORDS = ["the", "of", "café", "naïve", "北京", "can't", "new_york", "x"]


@pytest.fixture
def embeddings() -> Embeddings:
    matrix = np.random.default_rng(7).standard_normal((len(WORDS), 5)).astype(np.float32)
    provenance = {"algorithm": "skipgram", "seed": 1, "corpus": {"case": "lower", "fingerprint": "abc"}}
    return Embeddings(Vocabulary.from_words(WORDS, range(80, 0, -10)), matrix, provenance=provenance)
