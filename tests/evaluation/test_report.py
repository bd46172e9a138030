"""Reports: their numbers, their JSON names, their tables; and what cannot be evaluated."""

import csv
import dataclasses
import io
import json

import pytest

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.evaluation import PROTOCOLS, AnalogyReport, SimilarityReport, evaluate, load_suite

SECTION = "name questions in_vocabulary coverage correct accuracy low high accuracy_all low_all high_all"
SECTION += " pairs pair_low pair_high pair_low_all pair_high_all top5 mrr correct_all"
COMMON = "kind suite path method protocol words level interval score malformed notes records"
ANALOGY = "seed resamples pair_interval groups total semantic syntactic sections near_ties"
SIMILARITY = "resamples seed pairs in_vocabulary coverage spearman pearson spearman_all pearson_all"


@pytest.fixture
def family(make_model):
    return make_model(boy=[1, 0, 0], girl=[0, 1, 0], he=[1, 0, 1], she=[0, 1, 1], it=[-1, -1, 3])


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "family.txt"
    path.write_text(": family\nboy girl he she\nboy girl he it\nboy girl king queen\n: gram1\n: gram2\nx y z w\nbad\n")
    return path


def test_counts_both_policies_and_intervals(family, suite):
    report = evaluate(family, suite)
    assert isinstance(report, AnalogyReport)
    first, empty, unknown = report.sections
    assert (first.questions, first.in_vocabulary, first.correct) == (3, 2, 1)
    assert (first.coverage, first.accuracy, first.accuracy_all) == (2 / 3, 1 / 2, 1 / 3)
    assert (first.low, first.high) == pytest.approx((0.0945, 0.9055), abs=1e-4)  # Wilson, 1 of 2
    assert (first.low_all, first.high_all) == pytest.approx((0.0615, 0.7923), abs=1e-4)  # Wilson, 1 of 3
    assert dataclasses.astuple(empty)[1:] == (0, 0, None, 0, *[None] * 6, 0, *[None] * 6, 0)
    assert (unknown.accuracy, unknown.low, unknown.accuracy_all) == (None, None, 0.0)
    assert (report.total.questions, report.total.correct, report.total.accuracy_all) == (4, 1, 0.25)
    assert (report.semantic.questions, report.syntactic.questions) == (3, 1)
    assert report.score == 0.5 and evaluate(family, suite, unknown="wrong").score == 0.25
    assert report.malformed == 1 and [note.line for note in report.notes] == [5, 8]


def test_analogy_json_has_the_documented_names(family, suite):
    told = evaluate(family, suite, records=True).to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert set(told) == {*COMMON.split(), *ANALOGY.split()}
    assert list(told["total"]) == list(told["sections"][0]) == SECTION.split()
    assert told["protocol"] == dataclasses.asdict(PROTOCOLS["gensim"])
    assert told["notes"] == [
        {"line": 5, "problem": "the section 'gram1' has no question", "skipped": False, "file": None},
        {"line": 8, "problem": "1 word, not 4", "skipped": True, "file": None},
    ]
    assert told["records"][2] == {
        "line": 4,
        "section": "family",
        "a": "boy",
        "b": "girl",
        "c": "king",
        "expected": "queen",
        "also": [],
        "answer": None,
        "correct": None,
        "rank_min": None,
        "rank_max": None,
        "near_tie": False,
    }
    assert (told["kind"], told["interval"], told["level"], told["words"]) == ("analogy", "wilson", 0.95, 5)
    assert evaluate(family, suite).to_dict()["records"] is None


def test_similarity_json_has_the_documented_names(family, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("boy\tgirl\t1\nhe\tshe\t2\nhe\tnobody\t3\n")
    report = evaluate(family, path, records=True)
    assert isinstance(report, SimilarityReport)
    told = report.to_dict()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert set(told) == {*COMMON.split(), *SIMILARITY.split()}
    assert list(told["spearman"]) == ["value", "p_value", "low", "high"]
    assert (told["kind"], told["method"], told["interval"]) == ("similarity", "cosine", "percentile bootstrap")
    assert list(told["records"][2].values()) == [3, "he", "nobody", 3.0, None]


def test_tables_for_people_and_csv_for_machines(family, suite):
    report = evaluate(family, suite, level=0.9)
    text = repr(report)
    assert "family.txt: 3cosadd, protocol gensim (gensim 4.4; case folding upper; 5 of 5 words)" in text
    assert "90 % Wilson interval" in text and "the 90 % bootstrap over pairs" in text
    assert "Malformed lines, which are skipped: 1" in text and "line 8: 1 word, not 4" in text
    rows = list(csv.DictReader(io.StringIO(report.tables()[0].to_csv())))
    assert [row["section"] for row in rows] == ["family", "gram1", "gram2", "semantic", "syntactic", "total"]
    assert rows[0]["accuracy"] == "0.5" and rows[1]["accuracy"] == "" and rows[-1]["accuracy_all"] == "0.25"
    similarity = evaluate(family, "wordsim353")
    assert "0 of 353 pairs" in repr(similarity) and "2000 resamples, seed 1" in repr(similarity)
    assert [row[0] for row in similarity.tables()[0].rows] == ["spearman", "pearson", "spearman_all", "pearson_all"]


def test_only_the_first_notes_are_shown_and_all_are_kept(family, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("\ufeff: s\nboy girl he she\n" + "bad\n" * 9)
    report = evaluate(family, path)
    assert (report.malformed, len(report.notes)) == (9, 10)  # a byte order mark is noted and costs no line
    assert "line 6: 1 word" in repr(report) and "line 7: 1 word" not in repr(report)
    assert "and 5 more, in `notes`" in repr(report)


@pytest.mark.parametrize("section", ["family", "gram1"])
def test_a_suite_of_one_kind_has_no_subtotals(family, tmp_path, section):
    path = tmp_path / "one.txt"
    path.write_text(f": {section}\nboy girl he she\n")
    report = evaluate(family, path)
    assert report.semantic is None and report.syntactic is None


def test_the_report_carries_the_protocol_as_it_was_used(family, suite):
    rules = evaluate(family, suite, limit=3, case_sensitive=True, unknown="wrong").protocol
    assert (rules.limit, rules.fold, rules.unknown) == (3, "none", "wrong")
    assert evaluate(family, suite).protocol == PROTOCOLS["gensim"]
    strict = dataclasses.replace(PROTOCOLS["gensim"], name="strict", fold="none", shortlist=1)
    assert evaluate(family, load_suite(suite), protocol=strict).protocol == strict
    assert evaluate(family, suite, limit=3).total.in_vocabulary == 0


def test_models_that_can_answer_nothing(make_model):
    other = evaluate(make_model(one=[1.0, 2.0]), "google")
    assert (other.total.questions, other.total.in_vocabulary, other.total.accuracy) == (19544, 0, None)
    assert (other.score, other.total.low, other.total.accuracy_all) == (None, None, 0.0)
    assert "total" in repr(other)
    pairs = evaluate(make_model(one=[1.0, 2.0]), "simlex999")
    assert (pairs.in_vocabulary, pairs.score, pairs.spearman.p_value, pairs.spearman.low) == (0, None, None, None)
    assert pairs.spearman_all.value is None  # all cosines are 0


def test_a_model_of_one_word_has_no_answer_to_it(make_model, tmp_path):
    path = tmp_path / "one.txt"
    path.write_text(": s\none one one one\n")
    for method in ("3cosadd", "3cosmul"):
        report = evaluate(make_model(one=[1.0, 2.0]), path, method=method, records=True)
        assert (report.total.in_vocabulary, report.total.correct, report.records[0].answer) == (1, 0, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"suite": "gogle"}, "choose one of ap, bats"),
        ({"method": "3cosdiv"}, "3cosadd, 3cosmul"),
        ({"method": "3cosdiv", "suite": "simlex999"}, "3cosadd, 3cosmul"),
        ({"protocol": "fastext"}, "choose one of gensim"),
        ({"limit": 0}, "limit is 0"),
        ({"limit": -1}, "limit is -1"),
        ({"limit": 2.5}, "limit is 2.5"),
        ({"limit": True}, "limit is True"),
        ({"case_sensitive": "no"}, "case_sensitive is 'no'"),
        ({"unknown": "zero"}, "skip, wrong, mean"),
        ({"level": 95}, "level is 95"),
        ({"level": 1.0}, "level is 1.0"),
        ({"level": float("nan")}, "level is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_options_that_are_not_taken_are_named_with_what_is(family, options, message):
    options = {"suite": "google", **options}
    with pytest.raises(OptionError, match=message):
        evaluate(family, options.pop("suite"), **options)


def test_files_that_cannot_be_evaluated(family, tmp_path):
    with pytest.raises(NotFoundError, match="no such file"):
        evaluate(family, tmp_path / "none.txt")
    (tmp_path / "empty.txt").touch()
    with pytest.raises(FormatError, match=r"empty\.txt"):
        evaluate(family, tmp_path / "empty.txt")
