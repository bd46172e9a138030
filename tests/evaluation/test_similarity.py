"""Similarities: the coefficients of gensim's own evaluation, whatever the options."""

import numpy as np
import pytest

from wordgeo.evaluation import evaluate, load_suite

OPTIONS = [{}, {"case_insensitive": False}, {"restrict_vocab": 600}, {"dummy4unknown": True}]


def assert_gensim_agrees(model, suite, options):
    path = load_suite(suite).path
    pearson, spearman, oov = model.to_gensim().evaluate_word_pairs(path, **options)
    report = evaluate(
        model,
        suite,
        limit=options.get("restrict_vocab"),
        case_sensitive=not options.get("case_insensitive", True),
        unknown="wrong" if options.get("dummy4unknown") else None,
    )
    zero = bool(options.get("dummy4unknown"))
    own = (report.pearson_all, report.spearman_all) if zero else (report.pearson, report.spearman)
    for mine, theirs in zip(own, (pearson, spearman), strict=True):
        assert mine.value == pytest.approx(float(theirs[0]), abs=1e-6)
        assert mine.p_value == pytest.approx(float(theirs[1]), rel=1e-3, abs=1e-12)
    assert report.score == own[1].value
    assert 100 * (1 - report.coverage) == pytest.approx(oov)
    return report


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("suite", ["wordsim353", "simlex999"])
def test_coefficients_are_gensims_on_a_model_trained_here(trained, suite, options):
    report = assert_gensim_agrees(trained, suite, options)
    assert report.in_vocabulary > 5


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("suite", ["wordsim353", "simlex999"])
def test_coefficients_are_gensims_on_glove(glove, suite, options):
    report = assert_gensim_agrees(glove, suite, options)
    assert report.spearman.low < report.spearman.value < report.spearman.high


def test_pairs_that_stand_twice_count_twice(glove):
    report = evaluate(glove, "wordsim353", records=True)
    twice = [record for record in report.records if (record.a, record.b) == ("money", "cash")]
    assert [record.human for record in twice] == [9.15, 9.08]
    assert twice[0].cosine == twice[1].cosine == pytest.approx(float(glove.to_gensim().similarity("money", "cash")))


def test_unknown_words_have_no_cosine_and_count_zero_only_where_said(make_model, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\t3\nA\tc\t2\nb\tc\t1\na\tnone\t9\n")
    model = make_model(a=[1, 0], b=[1, 1], c=[0, 1])
    report = evaluate(model, path, records=True)
    half = pytest.approx(np.sqrt(0.5))
    assert [record.cosine for record in report.records] == [half, 0.0, half, None]
    assert (report.pairs, report.in_vocabulary, report.coverage) == (4, 3, 0.75)
    assert report.score == report.spearman.value
    assert evaluate(model, path, unknown="wrong").score == report.spearman_all.value
    assert report.spearman_all.value < report.spearman.value
    assert evaluate(model, path, case_sensitive=True).in_vocabulary == 2


def test_the_interval_depends_on_the_seed_and_the_level_alone(trained):
    first = evaluate(trained, "simlex999")
    assert evaluate(trained, "simlex999").to_dict() == first.to_dict()
    other = evaluate(trained, "simlex999", seed=2)
    assert other.spearman.value == first.spearman.value and other.spearman.low != first.spearman.low
    narrow = evaluate(trained, "simlex999", level=0.5).spearman
    assert first.spearman.low < narrow.low < narrow.high < first.spearman.high
