"""A small model trained by gensim on real text that keeps its case, and real GloVe vectors."""

from pathlib import Path

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def trained() -> Embeddings:
    from gensim.models import Word2Vec
    from gensim.test.utils import datapath

    sentences = [line.split() for line in Path(datapath("lee_background.cor")).read_text().splitlines()]
    keyed = Word2Vec(sentences, vector_size=40, min_count=3, epochs=8, workers=1, seed=1, sg=1).wv
    counts = [keyed.get_vecattr(word, "count") for word in keyed.index_to_key]
    return Embeddings(Vocabulary.from_words(keyed.index_to_key, counts), keyed.vectors)


@pytest.fixture(scope="session")
def glove(shared_data: Path) -> Embeddings:
    path = shared_data / "vectors" / "glove.6B.50d.top5k.txt"
    if not path.is_file():
        pytest.skip(f"no {path}")
    rows = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    matrix = np.array([row[1:] for row in rows], dtype=np.float32)
    return Embeddings(Vocabulary.from_words([row[0] for row in rows]), matrix)


def toy(**vectors: list[float]) -> Embeddings:
    return Embeddings(Vocabulary.from_words(list(vectors)), np.array(list(vectors.values()), dtype=np.float32))


@pytest.fixture
def make_model():
    return toy
