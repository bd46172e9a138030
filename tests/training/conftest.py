"""Corpora for the tests of training: made up, with a vocabulary whose order is unambiguous where that matters."""

import random
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from wordgeo.vocabulary import Vocabulary


def encode_words(sentences):
    counts = Counter(word for sentence in sentences for word in sentence)
    words = sorted(counts, key=lambda word: (-counts[word], word))
    row = {word: i for i, word in enumerate(words)}
    ids = np.array([row[word] for sentence in sentences for word in sentence], dtype=np.uint32)
    ids.flags.writeable = False
    return SimpleNamespace(
        path="corpus",
        ids=ids,
        sentences=np.cumsum([0, *map(len, sentences)]).astype(np.uint64),
        documents=np.array([0, len(sentences)], dtype=np.uint64),
        vocabulary=Vocabulary.from_words(words, [counts[word] for word in words]),
        fingerprint="0" * 64,
        info={"tokens": "whitespace", "case": "keep", "documents": "blank"},
    )


@pytest.fixture(scope="session")
def encoded():
    """Makes a corpus of lists of words."""
    return encode_words


@pytest.fixture(scope="session")
def zipf():
    """2,000 sentences of words w1, w2, ... with falling counts, all distinct where they reach 2."""
    draw = random.Random(7)
    words = [f"w{min(int(draw.paretovariate(0.7)), 400)}" for _ in range(30_000)]
    counts = Counter(words)
    taken = set()
    for word in sorted(counts, key=lambda w: (-counts[w], w)):  # lift counts until no two are alike
        while counts[word] in taken:
            words.append(word)
            counts[word] += 1
        taken.add(counts[word])
    draw.shuffle(words)
    words += [f"once{i}" for i in range(50)]
    sentences, begin = [], 0
    while begin < len(words):
        length = draw.randint(0, 30)
        sentences.append(words[begin : begin + length])
        begin += length
    return sentences
