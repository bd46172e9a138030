"""Methods against plain loops over their formulas; ranks; alternatives; controls."""

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.errors import MissingExtraError
from wordgeo.evaluation import METHODS, evaluate, load_suite
from wordgeo.vocabulary import Vocabulary

WORDS = [f"w{i}" for i in range(120)]


@pytest.fixture(scope="module")
def model():
    vectors = np.random.default_rng(6).normal(size=(120, 8)).astype(np.float32)
    for i in range(20):  # w20 … w39 are w0 … w19 moved the same way
        vectors[20 + i] = vectors[i] + [2, 1, 0, 0, 0, 0, 0, -1] + 0.6 * vectors[100 + i % 20]
    return Embeddings(Vocabulary.from_words(WORDS), vectors)


@pytest.fixture
def bats(tmp_path):
    """Two sections; some pairs with alternatives, one unknown, in the way of BATS."""
    (tmp_path / "bats" / "1_Some").mkdir(parents=True)
    (tmp_path / "bats" / "2_Other").mkdir()
    lines = [f"w{i}\tw{20 + i}" for i in range(12)] + ["w12\tw32/w90,w91/nothing", "w13\tnothing/w33", "nowhere\tw34"]
    (tmp_path / "bats" / "1_Some" / "I01 [a - b].txt").write_text("\n".join(lines))
    (tmp_path / "bats" / "2_Other" / "E01 [c - d].txt").write_text(
        "\n".join(f"w{i}\tw{i + 20}/w{i + 50}" for i in range(15, 20))
    )
    return tmp_path / "bats"


def units(model):
    x = model.vectors.astype(np.float64)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def rank_of(scores, excluded, right):
    scores = scores.copy()
    scores[list(excluded)] = -np.inf
    right = [r for r in right if r not in excluded]
    return 1 + int((scores > max(scores[right])).sum()), int(scores.argmax())


FORMULAS = {
    "3cosadd": lambda x, a, b, c: x @ (b - a + c),
    "3cosmul": lambda x, a, b, c: (x @ b + 1) * (x @ c + 1) / 4 / ((x @ a + 1) / 2 + 1e-3),
    "pairdirection": lambda x, a, b, c: _divided((x - c) @ (b - a), np.linalg.norm(x - c, axis=1)),
    "only-b": lambda x, a, b, c: x @ c,
    "ignore-a": lambda x, a, b, c: x @ (b + c),
}


def _divided(x, y):
    return np.divide(x, y, out=np.zeros_like(x), where=y > 1e-9)


@pytest.mark.parametrize("method", FORMULAS)
def test_answers_and_ranks_of_pairwise_methods(model, bats, method):
    x = units(model)
    row = {word: i for i, word in enumerate(WORDS)}
    suite = load_suite(bats)
    report = evaluate(model, suite, method=method, protocol="vecto", records=True)
    assert report.total.questions == 15 * 14 + 5 * 4 and report.malformed == 0
    checked = 0
    for record, q in zip(report.records, suite.questions, strict=True):
        assert (record.a, record.expected, record.also) == (q.a, q.expected, q.also)
        if record.correct is None or record.near_tie:
            continue
        a, b, c = (row[w] for w in (q.a, q.b, q.c))
        excluded = {a, b, c, *(row[w] for w in q.also_b if w in row)}
        right = [row[w] for w in (q.expected, *q.also) if w in row]
        rank, best = rank_of(FORMULAS[method](x, x[a], x[b], x[c]), excluded, right)
        assert (record.answer, record.rank_min, record.rank_max) == (WORDS[best], rank, rank)
        assert record.correct == (rank == 1)
        checked += 1
    assert checked > 150
    known = [r for r in report.records if r.correct is not None]
    assert report.total.top5 == pytest.approx(np.mean([r.rank_max <= 5 for r in known]))
    assert report.total.mrr == pytest.approx(np.mean([1 / r.rank_max for r in known]))
    assert [group.name for group in report.groups] == ["1_Some", "2_Other"]


def test_3cosavg_learns_from_the_other_pairs(model, bats):
    x = units(model)
    report = evaluate(model, bats, method="3cosavg", records=True)
    sections = [(list(range(13)), range(13)), (list(range(15, 20)), range(5))]
    records = [r for r in report.records if r.correct is not None]
    assert len(report.records) == 20 and len(records) == 18  # pairs, not questions
    assert (records[0].a, records[0].b) == (None, None)
    at = 0
    for learnt, _ in sections:
        for j in learnt:
            others = [i for i in learnt if i != j]
            query = x[j] + x[[20 + i for i in others]].mean(axis=0) - x[others].mean(axis=0)
            right = [20 + j] + ([90, 91] if j == 12 else [j + 50] if j >= 15 else [])
            rank, best = rank_of(x @ query, {j}, right)
            assert (records[at].answer, records[at].rank_min) == (WORDS[best], rank)
            at += 1
    assert report.total.accuracy > 0.5


def test_lrcos_is_the_class_times_the_cosine(model, bats):
    from sklearn.linear_model import LogisticRegression

    x = units(model)
    report = evaluate(model, bats, method="lrcos", records=True, seed=3)
    records = [r for r in report.records if r.correct is not None]
    learnt = list(range(13))
    for j in learnt[:5]:
        others = [i for i in learnt if i != j]
        noise = np.random.default_rng([3, j]).integers(120, size=12)
        examples = np.concatenate([x[[20 + i for i in others]], np.repeat(x[others], 4, axis=0), x[noise]])
        fitted = LogisticRegression(solver="liblinear", class_weight="balanced", C=1).fit(examples, [1] * 12 + [0] * 60)
        scores = fitted.predict_proba(x)[:, 1] * (x @ x[j])
        rank, best = rank_of(scores, {j}, [20 + j])
        assert (records[j].answer, records[j].rank_min) == (WORDS[best], rank)
    again = evaluate(model, bats, method="lrcos", records=True, seed=3, threads=1)
    assert again.to_dict() == report.to_dict()


def test_methods_that_learn_need_another_pair(model, tmp_path):
    path = tmp_path / "few.txt"
    path.write_text(": one\nw0 w20 none none\n: two\nw1 w21 w2 w22\n")
    report = evaluate(model, path, method="3cosavg")
    assert [section.in_vocabulary for section in report.sections] == [0, 2]
    assert evaluate(model, path, method="3cosavg", unknown="wrong").score == report.total.accuracy_all


@pytest.mark.parametrize("method", METHODS)
def test_every_method_scores_a_model_that_knows_nothing(make_model, bats, method):
    report = evaluate(make_model(x=[1, 0], y=[0, 1]), bats, method=method)
    assert (report.score, report.total.in_vocabulary) == (None, 0)


def test_ranks_do_not_count_variants_that_are_passed_over(make_model, tmp_path):
    model = make_model(boy=[1, 0, 0, 0], girl=[0, 1, 0, 0], he=[1, 0, 1, 0], she=[0, 1, 1, 0.5], He=[0, 1, 1, 0.1])
    path = tmp_path / "case.txt"
    path.write_text(": s\nboy girl he she\n")
    folded, exact = (evaluate(model, path, case_sensitive=c, records=True).records[0] for c in (False, True))
    assert (folded.rank_min, folded.rank_max, exact.rank_min) == (1, 1, 2)


def test_ties_have_two_ranks(make_model, tmp_path):
    model = make_model(a=[1, 0, 0], b=[0, 1, 0], c=[1, 0, 1], d=[0, 1, 1], e=[0, 1, 1], f=[-1, 0, -1])
    path = tmp_path / "tie.txt"
    path.write_text(": s\na b c d\n")
    record = evaluate(model, path, records=True).records[0]
    assert (record.rank_min, record.rank_max, record.correct) == (1, 2, True)


def test_without_scikit_learn_the_line_that_installs_it_is_named(model, bats, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.linear_model", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'wordgeo\[eval\]'"):
        evaluate(model, bats, method="lrcos")
