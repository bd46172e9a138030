"""Phrases: what gensim's own pass over the sentences gives, whatever the blocks, with every token accounted for."""

import itertools
import random

import numpy as np
import pytest
from gensim.models.phrases import Phrases

from wordgeo.corpus import Documents, encode, phrases
from wordgeo.errors import OptionError


def texts(corpus):
    words = corpus.vocabulary.words
    sentences = [[words[i] for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.sentences.tolist())]
    return [sentences[a:b] for a, b in itertools.pairwise(corpus.documents.tolist())]


def some_documents(seed):
    """Documents of short and long sentences in which some words keep company, also in chains and with themselves."""
    rng = random.Random(seed)
    together = ["new york city", "new york", "san san", "new new york", "a_b c", "york city new york"]

    def sentence():
        return " ".join(
            rng.choice(together) if rng.random() < 0.4 else rng.choice("abcdefgh") for _ in range(rng.randrange(9))
        )

    return ["\n".join(sentence() for _ in range(rng.randrange(6))) for _ in range(40)]


def by_gensim(documents, passes, **options):
    for _ in range(passes):
        model = Phrases([sentence for document in documents for sentence in document], **options)
        documents = [[model[sentence] for sentence in document] for document in documents]
    return documents


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
def test_phrases_are_those_of_gensim_for_any_blocks(tmp_path, monkeypatch, passes, size):
    documents = Documents(some_documents(passes))
    plain = encode(documents, tmp_path / "plain", tokens="whitespace")
    monkeypatch.setattr(phrases, "TOKENS_AT_ONCE", size)
    monkeypatch.setattr(phrases, "SENTENCES_AT_ONCE", max(1, size // 3))
    options = {"min_count": 2, "threshold": 0.5}
    expected = by_gensim(texts(plain), passes, **options)
    corpus = encode(
        documents,
        tmp_path / "c",
        tokens="whitespace",
        phrases=passes,
        phrases_min_count=2,
        phrases_threshold=0.5,
    )
    assert texts(corpus) == expected
    assert any("_" in word for word in corpus.vocabulary.words)
    corpus.check()
    assert sorted(path.name for path in corpus.path.iterdir()) == sorted(path.name for path in plain.path.iterdir())
    found = corpus.info["phrases_found"]
    assert len(found) == passes and found[0] > 0
    again = encode(
        documents, tmp_path / "again", tokens="whitespace", phrases=passes, phrases_min_count=2, phrases_threshold=0.5
    )
    assert again.fingerprint == corpus.fingerprint


def test_two_passes_find_longer_phrases_and_are_recorded(tmp_path):
    import gensim

    lines = [f"{i} new york city {i + 5000}" if i % 2 else f"{i} new york {i + 5000}" for i in range(80)]
    lines += [f"{i} {i + 5000}" for i in range(80, 1000)]
    corpus = encode(Documents(["\n".join(lines)]), tmp_path / "c", phrases=2)
    assert corpus.vocabulary.words[:2] == ["new_york", "new_york_city"]
    assert corpus.vocabulary.counts[:2].tolist() == [40, 40]
    info = corpus.info
    assert (info["phrases"], info["phrases_min_count"], info["phrases_threshold"]) == (2, 5, 10.0)
    assert info["phrases_gensim"] == gensim.__version__ and info["phrases_found"] == [2, 1]


def test_max_vocab_counts_phrases_too(tmp_path):
    documents = Documents(some_documents(9))
    options = {"tokens": "whitespace", "phrases": 1, "phrases_min_count": 1, "phrases_threshold": 0.1}
    full = encode(documents, tmp_path / "full", **options)
    cut = encode(documents, tmp_path / "cut", **options, max_vocab=4)
    assert cut.vocabulary.words == full.vocabulary.words[:4]
    kept = set(cut.vocabulary.words)
    expected = [[[word for word in s if word in kept] for s in document] for document in texts(full)]
    expected = [[s for s in document if s] for document in expected]
    assert texts(cut) == [document for document in expected if document]
    assert cut.info["pruned"]["tokens"] == len(full) - len(cut)


def test_where_no_phrase_is_found_the_tokens_stay(tmp_path):
    documents = Documents(["one two three.\n\nOne", "two"])
    plain, made = encode(documents, tmp_path / "a"), encode(documents, tmp_path / "b", phrases=2)
    assert made.info["phrases_found"] == [0, 0] and made.fingerprint != plain.fingerprint
    for name in ("ids", "sentences", "documents"):
        assert np.array_equal(getattr(made, name), getattr(plain, name))


@pytest.mark.parametrize(
    "options",
    [
        {"phrases": -1},
        {"phrases": 11},
        {"phrases": True},
        {"phrases_min_count": 0, "phrases": 1},
        {"phrases_threshold": 0, "phrases": 1},
        {"phrases_threshold": float("nan"), "phrases": 1},
        {"phrases_threshold": 3.0},
        {"phrases_min_count": 3},
    ],
)
def test_wrong_options(tmp_path, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        encode(Documents(["a"]), tmp_path / "c", **options)
    assert not (tmp_path / "c").exists()
