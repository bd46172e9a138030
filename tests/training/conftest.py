"""Corpora for the tests of training: made up, with a vocabulary whose order is unambiguous where that matters."""

import random
from collections import Counter

import pytest

from wordgeo.corpus import Documents, encode


def encode_words(sentences, folder):
    text = "\n".join(map(" ".join, sentences))
    return encode(Documents([text]), folder, tokens="whitespace", case="keep")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The cache of each test is its own."""
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def encoded(tmp_path):
    """Encodes lists of words, one after another."""
    made = iter(range(100))
    return lambda sentences: encode_words(sentences, tmp_path / f"corpus-{next(made)}")


@pytest.fixture(scope="session")
def zipf_corpus(zipf, tmp_path_factory):
    """The sentences of `zipf`, encoded."""
    return encode_words(zipf, tmp_path_factory.mktemp("zipf") / "corpus")


@pytest.fixture(scope="session")
def zipf():
    """1,500 sentences of words w1, w2, ... with falling counts, all distinct where they reach 2."""
    draw = random.Random(7)
    words = [f"w{min(int(draw.paretovariate(0.7)), 400)}" for _ in range(22_000)]
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
        length = draw.randint(1, 30)
        sentences.append(words[begin : begin + length])
        begin += length
    return sentences
