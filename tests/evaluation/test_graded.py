"""Multiple choice (SAT) and graded relations (SemEval-2012 Task 2), on files made here and numbers worked by hand."""

import numpy as np
import pytest
from scipy import stats

from wordgeo.errors import FormatError, OptionError
from wordgeo.evaluation import ChoiceReport, ChoiceSuite, RelationReport, compare_models, evaluate, load_suite
from wordgeo.evaluation.statistics import spearman, wilson_interval
from wordgeo.evaluation.suites import Choice, MaxDiff

# With boy : girl as the example, 3CosAdd scores he:she .9585, it:it .5773, he:it .3386 and she:he -.0986.
VECTORS = {"boy": [1, 0, 0], "girl": [0, 1, 0], "he": [1, 0, 1], "she": [0, 1, 1], "it": [-1, -1, 3]}

SAT = """# Questions; not a real one among them.
# lines that begin so are comments
190 FROM REAL SATs
boy girl n:n
he it n:n
he she n:n
she he n:n
b

boy girl n:n
it it n:n
he it v:n
B
ML:7
boy girl n:n
he queen n:n
he she n:n
b
"""


@pytest.fixture
def model(make_model):
    return make_model(**VECTORS)


@pytest.fixture
def file(tmp_path):
    def write(text: str, name: str = "choices.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_choices_are_read(file):
    suite = load_suite(file(SAT))
    assert isinstance(suite, ChoiceSuite) and not suite.notes
    first = Choice(4, ("boy", "girl"), (("he", "it"), ("he", "she"), ("she", "he")), 1)
    assert suite.questions[0] == first
    assert [(q.line, q.correct, len(q.choices)) for q in suite.questions] == [(4, 1, 3), (10, 1, 2), (15, 1, 2)]
    windows = load_suite(file(SAT.replace("\n", "\r\n").replace(" n:n", "\tn:n")))
    assert windows.questions[0] == first and "CR before the line end" in windows.notes[0].problem


def test_choices_are_scored_by_hand(model, file):
    report = evaluate(model, file(SAT), records=True)
    assert isinstance(report, ChoiceReport)
    assert (report.questions, report.in_vocabulary, report.correct, report.ties) == (3, 2, 1, 0)
    assert (report.accuracy, report.accuracy_all, report.score) == (1 / 2, 1 / 3, 1 / 2)
    assert (report.low, report.high) == wilson_interval(1, 2)
    assert (report.low_all, report.high_all) == wilson_interval(1, 3)
    assert report.chance == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert report.mrr == (1 + 1 / 2) / 2
    assert [(r.answer, r.correct, r.rank) for r in report.records] == [
        (("he", "she"), True, 1),
        (("it", "it"), False, 2),
        (None, None, None),
    ]
    assert report.errors().rows == [(10, "boy:girl", "he:it", "it:it", 2)]
    assert evaluate(model, file(SAT), unknown="wrong").score == 1 / 3
    told = report.to_dict()
    assert (told["kind"], told["interval"], told["records"][0]["stem"]) == ("choices", "wilson", ["boy", "girl"])
    with pytest.raises(OptionError, match="records=True"):
        evaluate(model, file(SAT)).errors()


def unit(word):
    return np.array(VECTORS[word]) / np.linalg.norm(VECTORS[word])


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul", "pairdirection", "only-b", "ignore-a"])
def test_every_pairwise_method_scores_choices_by_its_formula(model, file, method):
    a, b = unit("boy"), unit("girl")

    def score(c, d):
        c, d = unit(c), unit(d)
        if method == "3cosmul":
            s_a, s_b, s_c = ((x @ d + 1) / 2 for x in (a, b, c))
            return s_b * s_c / (s_a + 1e-6)
        x, y = {"3cosadd": (b - a + c, d), "pairdirection": (b - a, d - c), "only-b": (c, d), "ignore-a": (b + c, d)}[
            method
        ]
        return x @ y / (np.linalg.norm(x) * np.linalg.norm(y))

    choices = [("he", "it"), ("he", "she"), ("she", "he"), ("it", "she")]
    text = "boy girl\n" + "".join(f"{c} {d}\n" for c, d in choices) + "a\n"
    record = evaluate(model, file(text), method=method, records=True).records[0]
    scores = [score(*two) for two in choices]
    assert record.answer == choices[int(np.argmax(scores))]
    assert record.rank == sum(other >= scores[0] for other in scores)


def test_equal_choices_are_said(model, file):
    report = evaluate(model, file("boy girl\nhe she\nhe she\nhe it\na\n"))
    assert (report.ties, report.correct, report.mrr) == (1, 1, 1 / 2)


def test_bad_questions_are_left_out_and_noted(file):
    suite = load_suite(
        file(
            "boy girl n:n\nhe it n:n\nhe she n:n\nc\n"  # the answer is none of two
            "boy girl n:n\nhe it n:n\na\n"  # one choice
            "source\nboy girl n:n\nhe it\nhe she n:n\na\n"  # no parts of speech
            "boy girl n:n\nhe it n:n\nhe she n:n\nb\n"
            "boy girl n:n\nhe it n:n\n"  # no end
        )
    )
    assert [q.line for q in suite.questions] == [13]
    assert [(note.line, note.skipped) for note in suite.notes] == [(4, True), (5, True), (10, True), (17, True)]
    assert "'c' is none of 2 choices" in suite.notes[0].problem
    assert "begins at line 8" in suite.notes[2].problem
    with pytest.raises(FormatError, match="no question"):
        load_suite(file("boy girl\nhe it\nhe she\nz\n" * 3))


def test_methods_that_learn_from_pairs_do_not_choose(model, file):
    for method in ("3cosavg", "lrcos"):
        with pytest.raises(OptionError, match="try 3cosadd, 3cosmul"):
            evaluate(model, file(SAT), method=method)


QUESTIONS = "Question 1({letter}) FAMILY: Gender\n\nConsider the following word pairs:\n\n{examples}\n\n"
QUESTIONS += "What relation?\n\na Y is a part of an X\n\nCorrect Answer:\n\na Y is a part of an X\n"
FOUR = ["he:she", "he:it", "she:he", "it:it"]
UNKNOWN = ["he:she", "he:it", "she:he", "king:queen"]


def answers(*rows):
    head = "# pair1\tpair2\tpair3\tpair4\tleast_illustrative\tmost_illustrative\tuser_selected_relation\n"
    lines = [(*four, least, most, "words") for four, least, most in rows]
    return head + "".join("\t".join(f'"{x}"' for x in line) + "\n" for line in lines)


THREE = [(FOUR, "she:he", "he:she"), (FOUR, "she:he", "he:she"), (FOUR, "it:it", "he:it")]


@pytest.fixture
def semeval(file, tmp_path):
    """The official layout: 1a for training, 2b for testing, where one pair is unknown."""
    for group, label, example, rows in (
        ("Training", "1a", "boy:girl\nfoo:bar", THREE),
        ("Testing", "2b", "boy:girl", [*THREE, (UNKNOWN, "he:she", "king:queen")]),
    ):
        text = QUESTIONS.format(letter=label[1], examples=example)
        file(text, f"task/{group}/Phase1Questions/Phase1Questions-{label}.txt")
        file("\n".join(f'"{x}"' for x in FOUR), f"task/{group}/Phase1Answers/Phase1Answers-{label}.txt")
        file(answers(*rows), f"task/{group}/Phase2Answers/Phase2Answers-{label}.txt")
    return tmp_path / "task"


def test_relations_are_read(semeval):
    suite = load_suite(semeval)
    assert not suite.notes
    first, second = suite.relations
    assert (first.name, first.group) == ("1a FAMILY: Gender", "Training")
    assert first.examples == (("boy", "girl"), ("foo", "bar"))
    assert (second.group, second.examples) == ("Testing", (("boy", "girl"),))
    assert first.pairs == (("he", "she"), ("he", "it"), ("she", "he"), ("it", "it"))
    # Named the most: 2 and 1 of 3; the least: 2 and 1 of 3.
    assert first.scores == pytest.approx((200 / 3, 100 / 3, -200 / 3, -100 / 3))
    assert first.questions == (MaxDiff((0, 1, 2, 3), (0, 0, 2, 1), (2, 1, 0, 0)),)
    assert second.scores == pytest.approx((25, 25, -50, -100 / 3, 100))


def test_names_come_from_the_questions(file, tmp_path):
    file(QUESTIONS.format(letter="a", examples="boy:girl").replace("1(a)", "10(a)"), "flat/Phase1Questions-10a.txt")
    file(answers(*THREE), "flat/Phase2Answers-10a.txt")
    file(QUESTIONS.format(letter="b", examples="boy:girl"), "flat/Phase1Questions-9b.txt")
    file(answers(*THREE), "flat/Phase2Answers-9b.txt")
    suite = load_suite(tmp_path / "flat")
    assert [(r.name, r.group) for r in suite.relations] == [("9b FAMILY: Gender", ""), ("10a FAMILY: Gender", "")]


def test_relations_are_scored_by_hand(model, semeval):
    report = evaluate(model, semeval, records=True)
    assert isinstance(report, RelationReport)
    first, second = report.relations
    # Of he:she, he:it, it:it, she:he people say 1, 2, 3, 4 and the model 1, 3, 2, 4: 1 - 6 (1 + 1) / (4 · 15).
    assert first.spearman == pytest.approx(0.8)
    assert (first.maxdiff, first.questions, first.asked) == (1.0, 1, 1)
    # The first two share a rank: 3 / √(4.5 · 5).
    assert second.spearman == pytest.approx(3 / np.sqrt(22.5))
    assert (second.pairs, second.in_vocabulary, second.questions, second.asked) == (5, 4, 2, 1)
    assert (second.maxdiff, second.maxdiff_all) == (1.0, 0.5)  # with 0 for king:queen both choices of the second fail
    human, own = [25, 25, -50, -100 / 3, 100], [0.9585, 0.3386, -0.0986, 0.5773, 0.0]
    assert second.spearman_all == pytest.approx(stats.spearmanr(human, own)[0])
    assert report.score == second.spearman and [g.name for g in report.groups] == ["Training", "Testing"]
    assert report.total.spearman == pytest.approx((first.spearman + second.spearman) / 2)
    assert report.total.maxdiff_all == 0.75
    assert (report.pairs, report.in_vocabulary) == (9, 8)
    scores = {r.pair: r.score for r in report.records if r.relation == second.name}
    assert scores[("he", "she")] == pytest.approx(0.9585, abs=1e-4) and scores[("king", "queen")] is None
    assert evaluate(model, semeval, unknown="wrong").score == second.spearman_all
    assert evaluate(model, semeval, protocol="vecto").score == second.spearman_all
    told = report.to_dict()
    assert (told["kind"], told["groups"][1]["name"]) == ("relations", "Testing")
    assert "Testing" in repr(report)


def test_examples_count_alike_and_unknown_ones_not_at_all(make_model, semeval):
    both = make_model(**VECTORS, foo=[0.3, 1, 0], bar=[0, 0.2, 1])
    one = {r.pair: r.score for r in evaluate(both, semeval, records=True).records if r.relation.startswith("1a")}
    c, d = unit("he"), unit("she")
    scores = []
    for a, b in (([1, 0, 0], [0, 1, 0]), ([0.3, 1, 0], [0, 0.2, 1])):
        query = np.array(b) / np.linalg.norm(b) - np.array(a) / np.linalg.norm(a) + c
        scores.append(query @ d / np.linalg.norm(query))
    assert one[("he", "she")] == pytest.approx(np.mean(scores), abs=1e-6)
    none = evaluate(make_model(he=[1.0, 0], she=[0, 1.0]), semeval)
    assert (none.in_vocabulary, none.score, none.total.spearman_all) == (0, None, 0.0)


def test_intervals_of_relations(make_model, file, tmp_path):
    generator = np.random.default_rng(2)
    words = {f"w{i}": generator.normal(size=8).tolist() for i in range(60)}
    labels = [f"{i}a" for i in range(1, 13)]
    for label in labels:
        pairs = [f"w{i}:w{j}" for i, j in generator.permutation(60)[:40].reshape(20, 2)]
        rows = [(four, *generator.permutation(four)[:2]) for four in np.array(pairs).reshape(5, 4) for _ in range(5)]
        file(QUESTIONS.format(letter="a", examples="w0:w1"), f"big/Phase1Questions-{label}.txt")
        file(answers(*rows), f"big/Phase2Answers-{label}.txt")
    report = evaluate(make_model(**words), tmp_path / "big")
    values = np.array([r.spearman for r in report.relations])
    assert report.total.spearman == pytest.approx(values.mean())
    plain = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (report.total.low, report.total.high) == pytest.approx(tuple(plain), abs=0.05)
    for relation in report.relations:
        assert relation.low < relation.spearman < relation.high
        assert relation.maxdiff_low < relation.maxdiff < relation.maxdiff_high


def test_an_answer_without_one_of_the_choices_counts_for_the_other(file, tmp_path):
    file(QUESTIONS.format(letter="a", examples="boy:girl"), "half/Phase1Questions-1a.txt")
    file(answers(*THREE, (FOUR, "", "he:it")), "half/Phase2Answers-1a.txt")
    suite = load_suite(tmp_path / "half")
    assert [(note.line, note.skipped) for note in suite.notes] == [(5, False)]
    assert suite.relations[0].scores == (50, 50, -50, -25)  # of four times shown


def test_bad_lines_of_relations_are_noted(file, tmp_path):
    good = answers(*THREE)
    file(QUESTIONS.format(letter="a", examples="boy:girl"), "bad/Phase1Questions-1a.txt")
    file(good + '"he:she"\t"he:it"\n' + answers((FOUR, "he:he", "he:she"))[-60:], "bad/Phase2Answers-1a.txt")
    file(good, "bad/Phase2Answers-1b.txt")
    suite = load_suite(tmp_path / "bad")
    assert len(suite.relations) == 1
    found = [(note.file, note.line, note.problem.split(";")[0]) for note in suite.notes]
    assert found[0] == ("Phase2Answers-1a.txt", 5, "not six pairs a:b (four, the least and the most illustrative)")
    assert found[-1] == ("Phase2Answers-1b.txt", 1, "its examples are missing")
    shown = tmp_path / "bad" / "Phase1Questions-1a.txt"
    shown.write_bytes(shown.read_bytes() + b"\xff:he\n")
    lines = len(shown.read_bytes().splitlines())
    again = load_suite(tmp_path / "bad").notes[0]
    assert (again.file, again.line, again.problem) == (shown.name, lines, "not UTF-8 at byte 0")
    shown.unlink()
    with pytest.raises(FormatError, match="without a relation"):
        load_suite(tmp_path / "bad")


def test_models_are_compared_on_choices_and_relations(make_model, file, semeval):
    good = make_model(**VECTORS)
    other = make_model(**(VECTORS | {"she": [1, -1, 0.5]}))
    choices = file("".join(f"boy girl\nhe {d}\nhe she\nb\n" for d in ("it", "boy", "he") * 4))
    one = compare_models({"good": good, "other": other}, load_suite(choices)).comparisons[0]
    assert (one.questions, one.score_first, one.only_second) == (12, 1.0, 0)
    assert one.verdict == "good is better" and one.mcnemar_p < 0.05
    relations = compare_models({"good": good, "other": other}, load_suite(semeval)).comparisons[0]
    assert relations.questions == 2 and relations.difference == relations.score_second - relations.score_first
    assert relations.score_first == pytest.approx((0.8 + 3 / np.sqrt(22.5)) / 2) and relations.mcnemar_p is None


def test_spearman_is_scipys():
    generator = np.random.default_rng(6)
    for n in (2, 3, 30):
        x, y = generator.integers(0, 6, size=(2, n)).astype(float)
        expected = stats.spearmanr(x, y)[0] if len(set(x)) > 1 and len(set(y)) > 1 else None
        assert spearman(x, y) == (pytest.approx(expected) if expected is not None else None)
    assert spearman(np.ones(1), np.ones(1)) is None
