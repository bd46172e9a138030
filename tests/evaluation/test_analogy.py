"""Analogies: the counts of gensim's own evaluation, question by question, and the rules that lead there."""

from collections import Counter

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.evaluation import evaluate, load_suite
from wordgeo.evaluation.analogy import solve
from wordgeo.evaluation.protocols import PROTOCOLS
from wordgeo.progress import SilentProgress
from wordgeo.vocabulary import Vocabulary


def unit(model):
    rows = model.vectors.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def assert_counts_are_gensims(model, path, **gensim_options):
    """Compares with `evaluate_word_analogies` section by section, as multisets of correct questions."""
    _, theirs = model.to_gensim().evaluate_word_analogies(str(path), **gensim_options)
    fold = str.upper if gensim_options.get("case_insensitive", True) else str
    options = {"limit": gensim_options.get("restrict_vocab"), "case_sensitive": fold is str, "records": True}
    if gensim_options.get("dummy4unknown"):
        options["unknown"] = "wrong"
    report = evaluate(model, path, **options)
    sections = load_suite(path).sections
    records = iter(report.records)
    for section, score, peer in zip(sections, report.sections, theirs[:-1], strict=True):
        own = [next(records) for _ in section.questions]
        word_lists = [(r, tuple(fold(w) for w in (r.a, r.b, r.c, r.expected))) for r in own]
        asked = sum(r.correct is not None for r in own)
        peer_asked = len(peer["correct"]) + len(peer["incorrect"])
        assert peer_asked == (score.questions if gensim_options.get("dummy4unknown") else score.in_vocabulary)
        assert (peer["section"], asked) == (score.name, score.in_vocabulary)
        right = Counter(words for r, words in word_lists if r.correct)
        near = Counter(words for r, words in word_lists if r.near_tie)
        other = Counter(peer["correct"])
        difference = (right - other) + (other - right)
        assert not difference - near, "a question that is no near tie is answered otherwise"
        assert score.correct == right.total()
    assert len(report.near_ties) <= report.total.in_vocabulary // 100
    assert report.total.correct == sum(s.correct for s in report.sections)
    return report


def questions_of(model, count, seed):
    """A suite on the model's own words: about a half whose expected word is the nearest one, in any case."""
    generator = np.random.default_rng(seed)
    vectors, words = unit(model), model.words
    lines = [": found"]
    for number in range(count):
        a, b, c = generator.integers(0, len(words) // 3, 3).tolist()
        if number % 10 == 0:
            b = c
        order = np.argsort(-(vectors @ (vectors[b] - vectors[a] + vectors[c])))
        best = [int(row) for row in order[:12] if row not in (a, b, c)]
        expected = words[best[0] if number % 2 else best[int(generator.integers(0, 6))]]
        if number % 7 == 0:
            expected = expected.upper()
        lines.append(" ".join([words[a], words[b].swapcase() if number % 3 == 0 else words[b], words[c], expected]))
        if number % 50 == 0:
            lines += [f": gram-{number}", "three words only", f"{words[a]} nowhere-to-be-found {words[c]} x"]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"case_insensitive": False},
        {"dummy4unknown": True},
        {"restrict_vocab": 400},
        {"restrict_vocab": 7, "dummy4unknown": True},
    ],
)
def test_own_questions_count_as_in_gensim(trained, tmp_path, options):
    path = tmp_path / "own.txt"
    path.write_text(questions_of(trained, 1000, seed=4))
    report = assert_counts_are_gensims(trained, path, **options)
    if options.get("restrict_vocab") != 7:
        assert report.total.in_vocabulary > 50
    if not options:
        assert 0.3 < report.total.accuracy < 0.95
        assert report.malformed == 20 and len(report.sections) == 21
    if options.get("dummy4unknown"):
        assert report.score == report.total.accuracy_all


def test_google_counts_as_in_gensim_on_a_model_trained_here(trained):
    report = assert_counts_are_gensims(trained, load_suite("google").path)
    assert report.total.in_vocabulary > 50


def test_google_on_glove_counts_as_in_gensim(glove):
    report = assert_counts_are_gensims(glove, load_suite("google").path)
    assert (report.total.correct, report.total.in_vocabulary) == (1942, 3006)
    assert (report.semantic.correct, report.syntactic.correct) == (458, 1484)


def test_case_variants_of_the_inputs_are_passed_over_only_where_case_is_folded(make_model, tmp_path):
    # boy - girl is (1, 0) - (0, 1); "He" lies nearest to the offset, then "she".
    model = make_model(boy=[1, 0, 0, 0], girl=[0, 1, 0, 0], he=[1, 0, 1, 0], she=[0, 1, 1, 0.5], He=[0, 1, 1, 0.1])
    path = tmp_path / "case.txt"
    path.write_text(": family\nboy girl he she\n")
    folded = evaluate(model, path, records=True)
    exact = evaluate(model, path, case_sensitive=True, records=True)
    assert (folded.score, folded.records[0].answer) == (1.0, "she")
    assert (exact.score, exact.records[0].answer) == (0.0, "He")
    keyed = model.to_gensim()
    assert keyed.evaluate_word_analogies(str(path))[0] == 1.0
    assert keyed.evaluate_word_analogies(str(path), case_insensitive=False)[0] == 0.0


@pytest.mark.parametrize(("copies", "answer", "score"), [(4, "she", 1.0), (5, "A_b_E", 0.0)])
def test_only_five_rows_are_looked_at_and_the_last_of_them_counts(tmp_path, copies, answer, score):
    spellings = ["A_B_e", "A_b_e", "a_B_e", "A_B_E", "A_b_E"][:copies]
    words = ["boy", "girl", "a_b_e", "she", *spellings]
    # All spellings of the third word lie nearer to the offset than "she": the last of the given order is the farthest.
    vectors = [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0.9]]
    vectors += [[0, 1, 1, 0.1 * (i + 1)] for i in range(copies)]
    model = Embeddings(Vocabulary.from_words(words), np.array(vectors, dtype=np.float32))
    path = tmp_path / "five.txt"
    path.write_text(": family\nboy girl a_b_e she\nboy girl a_b_e a_b_e\n")
    report = evaluate(model, path, records=True)
    assert report.records[0].answer == answer
    # Where none of five qualifies, the fifth counts, though it is an input: so the second question is right.
    assert [record.correct for record in report.records] == [bool(score), not score]
    _, sections = model.to_gensim().evaluate_word_analogies(str(path))
    assert len(sections[-1]["correct"]) == 1
    assert_counts_are_gensims(model, path)


def test_the_first_row_stands_for_all_case_variants(make_model, tmp_path):
    model = make_model(b=[0, 1, 0], B=[1, -1, 0], a=[1, 0, 0], c=[1, 0, 1], d=[0, 1, 1], x=[1, -1, 1])
    path = tmp_path / "first.txt"
    path.write_text(": s\na B c d\n")
    assert evaluate(model, path).total.correct == 1  # "B" is looked up as "b", the row before it
    assert evaluate(model, path, case_sensitive=True).total.correct == 0
    assert_counts_are_gensims(model, path)
    assert_counts_are_gensims(model, path, case_insensitive=False)


def test_folding_is_to_upper_case_as_unicode_has_it(make_model, tmp_path):
    model = make_model(
        a=[1, 0, 0], b=[0, 1, 0], strasse=[1, 0, 1], straße=[0, 1, 1.1], d=[-0.3, 1, 0.7], e=[-1, 1.7, 0.7]
    )
    path = tmp_path / "upper.txt"
    path.write_text(": s\na b Straße d\n")
    assert evaluate(model, path, records=True).records[0].answer == "d"  # "straße" is a variant of an input
    assert evaluate(model, path).total.correct == 1
    assert_counts_are_gensims(model, path)


def test_answers_do_not_depend_on_the_batch_or_the_threads(trained, tmp_path, monkeypatch):
    path = tmp_path / "own.txt"
    path.write_text(questions_of(trained, 200, seed=9))
    suite = load_suite(path)
    whole = solve(trained, suite, PROTOCOLS["gensim"], threads=1, progress=SilentProgress())
    monkeypatch.setattr("wordgeo.evaluation.analogy.ITEMS_A_BATCH", 7)
    small = solve(trained, suite, PROTOCOLS["gensim"], threads=2, progress=SilentProgress())
    for name in ("answers", "correct", "rank_min", "rank_max", "near_ties"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(small, name))


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")
def test_3cosmul_answers_as_its_formula_and_gensims_most_similar_cosmul(trained, tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(questions_of(trained, 60, seed=5))
    report = evaluate(trained, path, method="3cosmul", case_sensitive=True, records=True)
    shifted = (unit(trained) @ unit(trained).T + 1) / 2
    keyed, checked = trained.to_gensim(), 0
    for record in report.records:
        if record.answer is None:
            continue
        a, b, c = (trained.vocabulary.index(word) for word in (record.a, record.b, record.c))
        scores = shifted[b] * shifted[c] / (shifted[a] + 1e-6)
        scores[[a, b, c]] = -1
        assert record.answer == trained.words[int(scores.argmax())]
        assert record.answer == keyed.most_similar_cosmul([record.b, record.c], [record.a], topn=1)[0][0]
        checked += 1
    assert checked > 20
    different = evaluate(trained, path, method="3cosadd", case_sensitive=True, records=True)
    assert [r.answer for r in different.records] != [r.answer for r in report.records]


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
@pytest.mark.parametrize(("gap", "listed"), [(0.0, True), (1e-6, True), (1e-4, False)])
def test_near_ties_are_listed(make_model, tmp_path, method, gap, listed):
    model = make_model(a=[1, 0, 0], b=[0, 1, 0], c=[1, 0, 1], d=[0, 1, 1], e=[0, 1, 1 + gap], f=[-1, 0, -1])
    path = tmp_path / "tie.txt"
    path.write_text(": s\na b c d\nd c b a\n")
    report = evaluate(model, path, method=method)
    assert [record.line for record in report.near_ties] == ([2] if listed else [])
    assert ("near ties" in repr(report)) == listed


def score_gap(method, vectors, d, e):
    """How much better d answers "a is to b as c is to ?" than e, in float64."""
    a, b, c, d, e = (row / np.linalg.norm(row) for row in np.array([*vectors, d, e], dtype=np.float32).astype(float))
    if method == "3cosadd":
        query = (b - a + c) / np.linalg.norm(b - a + c)
        return query @ d - query @ e
    first, second = ((1 + x @ b) / 2 * ((1 + x @ c) / 2) / ((1 + x @ a) / 2 + 1e-6) for x in (d, e))
    return first - second


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_near_ties_begin_at_a_millionth_in_float64(tmp_path, method):
    given, d = [[1, 0.2, 0], [0, 1, 0.3], [1, 0, 1]], [0.1, 1, 1]
    path = tmp_path / "tie.txt"
    path.write_text(": s\na b c d\n")
    others = {abs(score_gap(method, given, d, e)): e for e in ([0.1 + x, 1, 1] for x in np.linspace(0, 2e-4, 2000))}
    nearest = sorted(others, key=lambda gap: abs(gap - 1e-6))[:12]
    assert 0.8e-6 < min(nearest) < 1e-6 < max(nearest) < 1.3e-6
    for gap in nearest:
        matrix = np.array([*given, d, others[gap]], dtype=np.float32)
        report = evaluate(Embeddings(Vocabulary.from_words(list("abcde")), matrix), path, method=method)
        assert bool(report.near_ties) == (gap < 1e-6)


def test_a_variant_of_the_answer_is_no_rival_of_it(make_model, tmp_path):
    model = make_model(a=[1, 0, 0], b=[0, 1, 0], c=[1, 0, 1], d=[0, 1, 1], D=[0, 1, 1], f=[-1, 0, -1])
    path = tmp_path / "tie.txt"
    path.write_text(": s\na b c d\n")
    assert not evaluate(model, path).near_ties
    assert len(evaluate(model, path, case_sensitive=True).near_ties) == 1


def test_a_tie_at_the_end_of_the_shortlist_is_listed(tmp_path):
    # Four spellings of an input, then "d" and a fifth spelling at the same place: which is fifth decides.
    words = ["a", "b", "c_c_c", "C_c_c", "c_C_c", "c_c_C", "C_C_c", "d", "C_C_C"]
    vectors = [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0]] + [[0, 1, 1, 0.1 * i] for i in range(4)] + [[0, 1, 1, 0.5]] * 2
    model = Embeddings(Vocabulary.from_words(words), np.array(vectors, dtype=np.float32))
    path = tmp_path / "tie.txt"
    path.write_text(": s\na b c_c_c d\n")
    report = evaluate(model, path)
    assert report.total.correct == 1 and len(report.near_ties) == 1


def test_a_tie_for_the_last_place_is_listed_where_no_row_is_allowed(tmp_path):
    # Only spellings of b and of c follow; "B_b" and "C_c" tie for the last place, so which input is answered is open.
    words = ["a", "b_b", "c_c", "C_C", "c_C", "B_B", "B_b", "C_c", "far"]
    vectors = [
        [1, 0, 0],
        [0, 1, 0],
        [1, 0, 1],
        [0, 1, 1],
        [0, 1, 1.1],
        [0, 1, 1.2],
        [0, 1, 1.5],
        [0, 1, 1.5],
        [1, -1, -1],
    ]
    model = Embeddings(Vocabulary.from_words(words), np.array(vectors, dtype=np.float32))
    path = tmp_path / "tie.txt"
    path.write_text(": s\na b_b c_c c_c\n")
    report = evaluate(model, path)
    assert report.total.correct == 1 and [record.answer for record in report.near_ties] == ["C_c"]


def test_a_row_of_zeros_answers_nothing_and_breaks_nothing(make_model, tmp_path):
    model = make_model(a=[0, 0], b=[1, 0], c=[1, 1], d=[0, 1], e=[0, 0])
    path = tmp_path / "zero.txt"
    path.write_text(": s\na b c d\nb a e d\na a a a\n")
    for method in ("3cosadd", "3cosmul"):
        assert evaluate(model, path, method=method).total.in_vocabulary == 3


def test_progress_counts_the_questions_that_are_asked(trained):
    calls = []

    class Seen(SilentProgress):
        def start(self, task, total, unit):
            calls.append((task, total, unit))

        def advance(self, amount, note=""):
            calls.append(amount)

        def finish(self):
            calls.append("finish")

    report = evaluate(trained, "google", progress=Seen())
    assert calls[0] == ("google, 3cosadd", report.total.in_vocabulary, "questions")
    assert calls[-1] == "finish" and sum(calls[1:-1]) == report.total.in_vocabulary
