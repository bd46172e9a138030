"""The vocabulary: order, look-up, its file, and words that come in many parts."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgeo.errors import FormatError, UnknownWordError
from wordgeo.vocabulary import Vocabulary, WordCounter

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


def packed(strings):
    blobs = [string.encode() for string in strings]
    offsets = np.cumsum([0, *map(len, blobs)]).astype(np.uint64)
    return np.frombuffer(b"".join(blobs), dtype=np.uint8), offsets


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(words, unique=True, min_size=1, max_size=30), max_size=6), st.integers(1, 2**40))
def test_a_counter_ranks_by_count_and_code_points(parts, factor):
    counter, expected, numbers = WordCounter(), Counter(), {}
    for part in parts:
        counts = np.arange(1, len(part) + 1, dtype=np.uint64) * np.uint64(factor)
        mapping = counter.add(*packed(part), counts)
        for word, count, number in zip(part, counts.tolist(), mapping.tolist(), strict=True):
            expected[word] += count
            assert numbers.setdefault(word, number) == number
    vocabulary, ranks = counter.ranked()
    ordered = sorted(expected.items(), key=lambda item: (-item[1], item[0]))
    assert list(zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)) == ordered
    assert {word: int(ranks[number]) for word, number in numbers.items()} == {
        word: rank for rank, (word, _) in enumerate(ordered)
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(words, unique=True, max_size=60), st.lists(words, max_size=10))
def test_every_word_is_found_and_no_other(known, others):
    vocabulary = Vocabulary.from_words(known)
    assert vocabulary.find(known).tolist() == list(range(len(known)))
    for word in others:
        assert (word in vocabulary) == (word in known)


@pytest.mark.parametrize("counts", [None, [2**60, 7, 7]])
def test_a_file_gives_the_same_vocabulary(tmp_path, counts):
    vocabulary = Vocabulary.from_words(["été", "a", "\U0001f600"], counts)
    with (tmp_path / "v").open("wb") as file:
        vocabulary.write(file)
    opened = Vocabulary.open(tmp_path / "v")
    assert opened.words == vocabulary.words and opened.index("\U0001f600") == 2
    assert (opened.counts is None) if counts is None else opened.counts.tolist() == counts


def test_damaged_files_are_refused_or_stay_within_their_arrays(tmp_path):
    path = tmp_path / "v"
    with path.open("wb") as file:
        Vocabulary.from_words(["alpha", "beta", "gamma"], [3, 2, 1]).write(file)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(FormatError):
            Vocabulary.open(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(FormatError):
        Vocabulary.open(path)
    rng = np.random.default_rng(1)
    for _ in range(500):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            damaged[at] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            opened = Vocabulary.open(path)
        except FormatError:
            continue
        assert len(opened.words) == len(opened) == 3
        opened.find(["alpha", "beta", "gamma", "delta"])


def test_unknown_words_come_with_suggestions():
    vocabulary = Vocabulary.from_words(["king", "new_york", "été", "Paris"])
    for asked, meant in [
        ("King", "king"),
        ("new york", "new_york"),
        ("e\u0301te\u0301", "été"),
        ("kng", "king"),
        ("paris", "Paris"),
    ]:
        with pytest.raises(UnknownWordError) as problem:
            vocabulary.index(asked)
        assert meant in problem.value.suggestions
    assert "\ud800" not in vocabulary


@pytest.mark.parametrize("bad", [["a", "b", "a"], ["a", ""], ["\ud800"]])
def test_words_are_unique_and_not_empty(bad):
    with pytest.raises(FormatError):
        Vocabulary.from_words(bad)


def test_one_count_for_each_word():
    with pytest.raises(FormatError, match="2 words but 1 counts"):
        Vocabulary.from_words(["a", "b"], [1])


def test_the_head_keeps_the_first_words():
    vocabulary = Vocabulary.from_words(["a", "bb", "ccc"], [3, 2, 1])
    head = vocabulary.head(2)
    assert head.words == ["a", "bb"] and head.counts.tolist() == [3, 2] and "ccc" not in head
    assert vocabulary[-1] == "ccc" and vocabulary[1:] == ["bb", "ccc"] and vocabulary[::-2] == ["ccc", "a"]
    with pytest.raises(IndexError):
        vocabulary[3]


@pytest.mark.parametrize("decoded", [False, True])
def test_words_of_many_rows(decoded):
    words = ["a", "bb", "ünïcöde", "日本", "ccc"]
    vocabulary = Vocabulary.from_words(words)
    if decoded:
        assert vocabulary.words == words
    rows = np.array([3, 0, 2, 2])
    assert vocabulary.take(rows) == [words[i] for i in rows] and vocabulary.take(rows[:0]) == []
    for wrong in ([5], [0, -1]):
        with pytest.raises(IndexError, match="of a vocabulary of 5 words"):
            vocabulary.take(np.array(wrong))
