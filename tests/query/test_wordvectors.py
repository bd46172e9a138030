"""Questions to a model: what is asked, what is excluded, what comes back."""

import json
import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.errors import FormatError, OptionError, UnknownWordError
from wordgeo.query import Neighbors
from wordgeo.query.expression import parse_expression
from wordgeo.vocabulary import Vocabulary


@pytest.fixture
def model():
    """Two axes of meaning (royal, female) and a few words beside them."""
    vectors = {
        "king": [1, 0, 1, 0],
        "queen": [1, 1, 1, 0],
        "man": [0, 0, 1, 0],
        "woman": [0, 1, 1, 0],
        "new_york": [0, 0, 0.1, 1],
        "usa": [0.1, 0, 0, 1],
        "Paris": [0, 0.2, 0, 1],
        "nothing": [0, 0, 0, 0],
    }
    return wg.WordVectors(
        Vocabulary.from_words(vectors, [90, 80, 70, 60, 50, 40, 30, 20]), np.array(list(vectors.values()), np.float32)
    )


def test_neighbors_come_by_score_without_the_word_itself(model):
    found = model.similar("king", k=3)
    assert isinstance(found, Neighbors)
    assert found.words == ("queen", "man", "woman")
    np.testing.assert_allclose(found.scores, [2 / 6**0.5, 1 / 2**0.5, 0.5], rtol=1e-6)
    assert found.indices.tolist() == [1, 2, 3]
    assert found.to_dict() == {
        "query": "king",
        "words": ["queen", "man", "woman"],
        "scores": found.scores.tolist(),
        "indices": [1, 2, 3],
    }
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert "queen" in repr(found) and "<td>queen</td>" in found._repr_html_()


def test_a_vector_excludes_nothing_and_k_may_be_the_vocabulary(model):
    assert model.similar(model["king"], k=1).words == ("king",)
    everything = model.similar("king", k=1000)
    assert len(everything) == len(model) - 1
    assert everything.words[-1] == "nothing" and everything.scores[-1] == 0


def test_batches_equal_single_questions(model):
    words = ["king", "usa", "nothing", "king"]
    for batch, word in zip(model.similar_batch(words, k=4), words, strict=True):
        alone = model.similar(word, k=4)
        assert batch.words == alone.words and batch.scores.tobytes() == alone.scores.tobytes()
    questions = [("man", "king", "woman"), ("king", "man", "queen")]
    for method in ("3cosadd", "3cosmul"):
        for batch, question in zip(model.analogy_batch(questions, k=3, method=method), questions, strict=True):
            alone = model.analogy(*question, k=3, method=method)
            assert batch.words == alone.words and batch.scores.tobytes() == alone.scores.tobytes()
    assert model.similar_batch([]) == [] and model.analogy_batch([]) == []


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda rows: [row.tolist() for row in rows]])
def test_free_vectors_come_in_any_sequence(model, kind):
    rows = np.array(model.vectors[:3])
    batch = model.similar_batch(kind(rows), k=2)
    assert [found.words for found in batch] == [model.similar(row, k=2).words for row in rows]
    words = np.array(["king", "man"], dtype=object)  # as a column of a data frame is
    assert [found.query for found in model.similar_batch(words, k=2)] == ["king", "man"]


def test_analogies_exclude_the_words_of_the_question(model):
    for method in ("3cosadd", "3cosmul"):
        found = model.analogy("man", "king", "woman", k=5, method=method)
        assert found.words[0] == "queen"
        assert not {"man", "king", "woman"} & set(found.words)
    assert model.query("king - man + woman").words[0] == "queen"
    added = model.analogy("man", "king", "woman")
    asked = model.query("king - man + woman")
    assert added.words == asked.words and added.scores.tobytes() == asked.scores.tobytes()


def test_3cosadd_prints_the_cosine_and_3cosmul_its_objective(model):
    unit = {w: model[w] / (np.linalg.norm(model[w]) or 1) for w in model.words}
    query = unit["king"] - unit["man"] + unit["woman"]
    cosine = unit["queen"] @ query / np.linalg.norm(query)
    assert model.analogy("man", "king", "woman", k=1).scores[0] == pytest.approx(cosine, rel=1e-6)
    s = {w: (unit["queen"] @ unit[w] + 1) / 2 for w in ("man", "king", "woman")}
    found = model.analogy("man", "king", "woman", k=1, method="3cosmul")
    assert found.scores[0] == pytest.approx(s["king"] * s["woman"] / (s["man"] + 1e-6), rel=1e-6)


def test_odd_one_out_and_similarity(model):
    odd = model.odd(["king", "queen", "usa", "man"])
    assert odd.word == "usa" and odd.words == ("king", "queen", "usa", "man")
    assert odd.scores[2] == min(odd.scores)
    assert model.similarity("king", "man") == pytest.approx(1 / 2**0.5)
    assert model.similarity("king", "nothing") == 0.0
    assert model.similarity("king", "king") == 1.0


@pytest.mark.parametrize(
    ("expression", "operands"),
    [
        ("king", [(1, "king")]),
        ("king - man + woman", [(1, "king"), (-1, "man"), (1, "woman")]),
        ("  0.5*king  +  .25*south-east ", [(0.5, "king"), (0.25, "south-east")]),
        ('- man + "new york"', [(-1, "man"), (1, "new york")]),
        ('2*"new york" - c++', [(2, "new york"), (-1, "c++")]),
        ("f*ck + 1990", [(1, "f*ck"), (1, "1990")]),
    ],
)
def test_expressions(expression, operands):
    assert [(operand.weight, operand.forms[0]) for operand in parse_expression(expression)] == operands


@pytest.mark.parametrize(
    "expression", ["", "   ", "king man", "king -", "+", "king + + man", 'king - "man', '"a"b', "king - ", '""']
)
def test_expressions_that_make_no_sense(expression):
    with pytest.raises(OptionError, match="cannot read the expression"):
        parse_expression(expression)


def test_quoted_words_are_tried_with_underscores(model):
    assert model.query('"new york"', k=1).words == ("usa",)
    with pytest.raises(UnknownWordError, match="'old york'"):
        model.query('"old york"')


def test_filters(model):
    assert model.similar("king", min_count=65).words == ("queen", "man")
    assert model.similar("king", top=4).words == ("queen", "man", "woman")
    assert model.similar("king", match="^wo|^P").words == ("woman", "Paris")
    assert model.similar("king", words=["usa", "queen", "unheard"]).words == ("queen", "usa")
    assert model.similar("king", top=4, match="a").words == ("man", "woman")
    assert model.analogy("man", "king", "woman", words=["Paris"]).words == ("Paris",)
    assert model.similar("king", match="zzz").words == ()
    plain = wg.WordVectors(Vocabulary.from_words(["a", "b"]), np.eye(2, dtype=np.float32))
    for filters, words in (
        ({"match": "("}, "no regular expression"),
        ({"top": 0}, "top is 0"),
        ({"min_count": -1}, "min_count is -1"),
        ({"words": "king"}, "give a list"),
    ):
        with pytest.raises(OptionError, match=words):
            model.similar("king", **filters)
    with pytest.raises(OptionError, match="needs word counts"):
        plain.similar("a", min_count=3)
    with pytest.raises(TypeError, match="unknown filter"):
        model.similar("king", fewest=3)


def test_unknown_words_name_what_may_have_been_meant(model):
    with pytest.raises(UnknownWordError) as caught:
        model.similar("paris")
    assert caught.value.word == "paris" and caught.value.suggestions[0] == "Paris"
    assert "'paris' is not among the 8 words" in str(caught.value)
    with pytest.raises(UnknownWordError, match="did you mean queen"):
        model.analogy("man", "king", "quen")
    with pytest.raises(UnknownWordError):
        model.similarity("king", "\ud800")
    with pytest.raises(KeyError):
        model["emperor"]
    assert "emperor" not in model and 3 not in model


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda m: m.similar_batch("king"), "give a list"),
        (lambda m: m.similar_batch(["king", 3]), "3 is not a word"),
        (lambda m: m.similar(np.eye(4)), "takes a word or one vector"),
        (lambda m: m.similar(np.ones(3)), "has 3 columns"),
        (lambda m: m.similar([0, 0, np.nan, 0]), "NaN"),
        (lambda m: m.similar_batch([[0, 0, 1, 0], [0, 1]]), "rows of different lengths"),
        (lambda m: m.similar_batch([[0, 0, 1, 0], "king"]), "is not a word"),
        (lambda m: m.analogy("king", "man", "queen", method="4cos"), "choose one of 3cosadd, 3cosmul"),
        (lambda m: m.analogy_batch([("king", "man")]), "three words"),
        (lambda m: m.odd(["king", "man"]), "three words or more"),
        (lambda m: m.odd("king"), "give a list"),
        (lambda m: m.similar("king", k=0), "k is 0"),
        (lambda m: m.similar("king", threads=0), "threads is 0"),
    ],
)
def test_wrong_questions(model, ask, words):
    with pytest.raises(OptionError, match=words):
        ask(model)


def test_a_vector_that_is_not_finite_is_named():
    for bad in (np.nan, np.inf):
        matrix = np.ones((3, 4), np.float32)
        matrix[1, 2] = bad
        model = wg.WordVectors(Vocabulary.from_words(["a", "b", "c"]), matrix)
        with pytest.raises(FormatError, match="the vector of 'b' \\(row 1\\)"):
            model.similar("a")
        with pytest.raises(OptionError, match="row 1"):
            wg.from_arrays(["a", "b", "c"], matrix)


def test_vectors_are_read_only_and_the_callers_array_is_left_alone():
    matrix = np.ones((2, 3), np.float32)
    model = wg.from_arrays(["a", "b"], matrix)
    with pytest.raises(ValueError, match="read-only"):
        model.vectors[0, 0] = 5
    with pytest.raises(ValueError, match="read-only"):
        model["a"][0] = 5
    matrix[0, 0] = 1
    assert matrix.flags.writeable


def large_model():
    rng = np.random.default_rng(5)
    return wg.from_arrays([f"w{i}" for i in range(5000)], rng.standard_normal((5000, 50)).astype(np.float32))


def test_a_model_goes_to_another_process():
    model = large_model()
    copy = pickle.loads(pickle.dumps(model))
    assert copy.words == model.words and copy.similar("w7").words == model.similar("w7").words


def test_several_threads_ask_at_once():
    model = large_model()
    wanted = [model.similar(f"w{i}").words for i in range(40)]
    found = [None] * 40

    def ask(begin):
        for i in range(begin, 40, 4):
            found[i] = model.similar(f"w{i}", threads=2).words

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == wanted


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_query_fork_query():
    model = large_model()
    words = [f"w{i}" for i in range(400)]
    wanted = [found.words for found in model.similar_batch(words, threads=2)]
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put([f.words for f in model.similar_batch(words, threads=2)]))
    child.start()
    assert queue.get(timeout=60) == wanted
    child.join()
    assert [found.words for found in model.similar_batch(words, threads=2)] == wanted


def test_least_similar_and_thresholds(model):
    everything = model.similar("king", k=100)
    least = model.similar("king", k=3, least=True)
    assert least.scores.tolist() == sorted(everything.scores.tolist())[:3]
    # equal scores come in row order in both directions
    order = sorted(zip(everything.scores.tolist(), everything.indices.tolist(), strict=True))
    assert least.indices.tolist() == [row for _, row in order[:3]]
    assert model.similar("king", threshold=0.5).words == tuple(
        word for word, score in zip(everything.words, everything.scores, strict=True) if score >= 0.5
    )
    assert model.similar("king", k=100, least=True, threshold=0.0).words == tuple(
        everything.words[i] for i in np.lexsort((everything.indices, everything.scores)) if everything.scores[i] <= 0
    )
    with pytest.raises(OptionError, match="threshold is"):
        model.similar("king", threshold=2)


def test_batches_of_other_questions(model):
    pairs = [("king", "man"), ("usa", "Paris")]
    assert model.similarity_batch(pairs).tolist() == [model.similarity(*pair) for pair in pairs]
    expressions = ["king - man + woman", "usa", '0.5*king + "new york"']
    for found, expression in zip(model.query_batch(expressions, k=3), expressions, strict=True):
        assert found.words == model.query(expression, k=3).words
    groups = [["king", "queen", "usa"], ["man", "woman", "Paris", "king"]]
    assert [found.word for found in model.odd_batch(groups)] == [model.odd(group).word for group in groups]
    with pytest.raises(OptionError, match="two words"):
        model.similarity_batch([("king",)])


def test_farthest_first_spans_the_space(model):
    found = model.farthest("king", 5)
    chosen = [0]
    unit = model.vectors / np.where(model.norms > 0, model.norms, 1)[:, None]
    for _ in range(4):
        nearest = (unit @ unit[chosen].T).max(axis=1).round(6)
        nearest[chosen] = 9
        chosen.append(int(np.argmin(nearest)))
    assert found.indices.tolist() == chosen
    assert np.isnan(found.scores[0]) and found.to_dict()["scores"][0] is None
    assert len(model.farthest("king", 100)) == len(model)
    assert set(model.farthest("king", 3, words=["man", "queen"]).words) == {"king", "man", "queen"}


def test_approximate_neighbors_say_what_they_may_miss():
    pytest.importorskip("faiss")
    model = large_model()
    found = model.similar("w7", approximate=True)
    exact = model.similar("w7", k=4000)
    assert 0.5 < found.recall <= 1 and f"{100 * found.recall:.1f} %" in repr(found)
    assert "w7" not in found.words and len(found) == 10
    scores = dict(zip(exact.words, exact.scores.tolist(), strict=True))
    assert (
        [scores[word] for word in found.words] == found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)
    )
    assert set(found.to_dict()) == {"query", "words", "scores", "indices", "recall"}
    assert model.memory["approximate index"] > model.memory["vectors"]  # which it holds, and links
    with pytest.raises(OptionError, match="no filters"):
        model.similar("w7", approximate=True, top=50)


def test_approximate_search_names_what_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(wg.WordgeoError, match=r"pip install 'wordgeo\[ann\]'"):
        large_model().similar("w7", approximate=True)
