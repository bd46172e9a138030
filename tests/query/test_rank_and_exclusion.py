"""The place of a word among the neighbours of another, and which words may not answer."""

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.errors import OptionError, UnknownWordError


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(3)
    words = ["King", "king", "KING", *(f"w{i}" for i in range(400))]
    vectors = rng.standard_normal((len(words), 24), dtype=np.float32)
    vectors[50] = vectors[51]  # a tie
    vectors[1] = vectors[0] + 0.01 * vectors[1]
    return wg.from_arrays(words, vectors)


def test_rank_is_the_place_in_the_whole_list(model) -> None:
    every = model.similar("w7", k=len(model))
    for place in (1, 2, 57, 402):
        rank = model.rank("w7", every.words[place - 1])
        ties = np.flatnonzero(every.scores == every.scores[place - 1]) + 1
        assert (rank.rank_min, rank.rank_max) == (ties.min(), ties.max())
        assert np.float32(rank.score) == every.scores[place - 1]


def test_ties_share_a_range_and_a_word_has_no_place_beside_itself(model) -> None:
    a, b = model.words[50], model.words[51]
    first, second = model.rank_batch([("w7", a), ("w7", b)])
    assert (first.rank_min, first.rank_max) == (second.rank_min, second.rank_max)
    assert first.rank_max == first.rank_min + 1
    assert (model.rank("w7", "w7").rank_min, model.rank("w7", "w7").rank_max) == (0, 0)
    assert [r.to_dict() for r in model.rank_batch([("w7", a)], threads=1)] == [first.to_dict()]


def test_rank_refuses_what_is_no_pair(model) -> None:
    with pytest.raises(OptionError, match="a pair has two words"):
        model.rank_batch([("w1", "w2", "w3")])
    with pytest.raises(UnknownWordError):
        model.rank("w1", "nowhere")


def test_exclusion(model) -> None:
    assert model.similar("king", k=1).words == ("King",)
    assert model.similar("king", k=2, exclude="none").words == ("king", "King")
    assert {"King", "king", "KING"}.isdisjoint(model.similar("king", k=402, exclude="string").words)
    assert len(model.similar("king", k=403, exclude="string")) == 400
    assert model.analogy("w1", "w1", "king", k=1, exclude="none").words[0] == "king"
    assert model.query("king + w9", k=1, exclude="string").words[0] not in ("King", "KING")
    for k in (1, 20):
        assert (
            model.similar_batch(["w1", "king"] * 8, k, exclude="row")[1].to_dict() == model.similar("king", k).to_dict()
        )


def test_an_unknown_rule_is_refused(model) -> None:
    with pytest.raises(OptionError, match="row, string, none"):
        model.similar("king", exclude="words")
