"""Words in context: the lines are those that a slow search finds, and the index belongs to its corpus."""

from __future__ import annotations

import random

import numpy as np
import pytest

from wordgeo.corpus import Documents, EncodedCorpus, concordance, encode
from wordgeo.errors import CorpusError, FormatError, OptionError, UnknownWordError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "postings"


def sentences(seed, count=300):
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(12)]
    return [" ".join(rng.choices(words, k=rng.randrange(1, 15))) for _ in range(count)]


def slowly(texts, word, near, window):
    found = []
    for document, text in enumerate(texts):
        words = text.split()
        for i, each in enumerate(words):
            around = words[max(0, i - window) : i] + words[i + 1 : i + 1 + window]
            if each == word and (near is None or near in around):
                left, right = words[max(0, i - window) : i], words[i + 1 : i + 1 + window]
                found.append((" ".join(left), each, " ".join(right), document))
    return found


@pytest.mark.parametrize("near", [None, "w3", "w7"])
@pytest.mark.parametrize("window", [1, 2, 5, 100])
@pytest.mark.parametrize("block", [7, 1 << 22])
def test_all_occurrences_are_found(tmp_path, monkeypatch, near, window, block):
    monkeypatch.setattr(concordance, "TOKENS_A_BLOCK", block)
    texts = sentences(window)
    corpus = encode(Documents(texts), tmp_path / "c", tokens="whitespace")
    found = corpus.context("w7", near, window=window, limit=10_000)
    expected = slowly(texts, "w7", near, window)
    assert [(line.left, line.word, line.right, line.document) for line in found.lines] == expected
    assert found.found == len(expected) and found.count == sum(text.split().count("w7") for text in texts)
    for line in found.lines:
        assert corpus.vocabulary[int(corpus.ids[line.position])] == "w7"
        assert line.sentence == line.document


def test_lines_are_spread_over_the_corpus(tmp_path):
    corpus = encode(Documents([f"x {i}" for i in range(101)]), tmp_path / "c", tokens="whitespace")
    found = corpus.context("x", limit=5)
    assert [line.document for line in found.lines] == [0, 25, 50, 75, 100]
    assert (found.count, found.found) == (101, 101)
    assert "101 occurrences; 5 shown" in repr(found)
    assert found.to_dict()["lines"][1]["right"] == "25"


def test_sentences_and_documents_bound_the_context(tmp_path):
    corpus = encode(Documents(["One cat. Two dogs.", "Dogs sat"]), tmp_path / "c")
    (line,) = corpus.context("cat").lines
    assert (line.left, line.right, line.document, line.sentence) == ("one", "", 0, 0)
    assert corpus.context("cat", "two").found == 0
    assert corpus.context("dogs", "sat").lines[0].document == 1


def test_the_index_is_made_once_and_belongs_to_the_fingerprint(tmp_path, cache):
    corpus = encode(Documents(["a b c"]), tmp_path / "c")
    corpus.context("a")
    (entry,) = cache.iterdir()
    assert entry.name == corpus.fingerprint
    before = (entry / "positions.npy").stat().st_mtime_ns
    EncodedCorpus.open(corpus.path).context("b")
    assert (entry / "positions.npy").stat().st_mtime_ns == before
    for content in (b"", b"damaged", (entry / "positions.npy").read_bytes()[:-1]):
        (entry / "positions.npy").write_bytes(content)
        assert corpus.context("b").lines[0].left == "a"
    encode(Documents(["b a d"]), tmp_path / "c", overwrite=True)
    assert EncodedCorpus.open(tmp_path / "c").context("a").lines[0].left == "b"
    assert len(list(cache.iterdir())) == 2
    np.save(entry / "positions.npy", np.array([2, 1, 0], dtype="<u4"))
    with pytest.raises(CorpusError, match="does not fit"):
        corpus.context("a")


def test_a_corpus_with_wrong_numbers_has_no_index(tmp_path):
    corpus = encode(Documents(["a a b"]), tmp_path / "c")
    ids = (corpus.path / "ids.npy").read_bytes()
    for wrong in ([9, 0, 1], [0, 1, 1]):
        (corpus.path / "ids.npy").write_bytes(ids[:-12] + np.array(wrong, dtype="<u4").tobytes())
        with pytest.raises((FormatError, CorpusError)):
            EncodedCorpus.open(corpus.path).context("a")


def test_wrong_questions(tmp_path):
    corpus = encode(Documents(["cat dog"]), tmp_path / "c")
    with pytest.raises(UnknownWordError, match="did you mean cat"):
        corpus.context("Cat")
    with pytest.raises(UnknownWordError, match="bird"):
        corpus.context("cat", "bird")
    for options in ({"window": 0}, {"limit": 0}):
        with pytest.raises(OptionError):
            corpus.context("cat", **options)
