"""Comparisons of models and of protocols, and the documents that show them."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.errors import MissingExtraError, OptionError
from wordgeo.evaluation import PROTOCOLS, compare_models, compare_protocols, evaluate
from wordgeo.evaluation.clusters import mcnemar
from wordgeo.evaluation.documents import bars, html_page, markdown
from wordgeo.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def models():
    """The same offsets between w0 … w39 and W0 … W39 under little and much noise, and those of the first again."""
    generator = np.random.default_rng(2)
    base = generator.normal(size=(40, 12))
    noise = generator.normal(size=(80, 12))
    words = [f"w{i}" for i in range(40)] + [f"v{i}" for i in range(40)]

    def make(amount):
        vectors = np.vstack([base, base + 2]) + amount * noise
        return Embeddings(Vocabulary.from_words(words), vectors.astype(np.float32))

    return {"good": make(0.3), "bad": make(1.2), "same": make(0.3)}


@pytest.fixture
def suite(tmp_path):
    path = tmp_path / "moved.txt"
    lines = [f"w{i} v{i} w{j} v{j}" for i in range(30) for j in range(30) if (i + j) % 3 == 0 and i != j]
    path.write_text(": moved\n" + "\n".join(lines) + "\nw1 v1 unknown v2\n")
    return path


def test_better_is_said_only_where_it_is(models, suite):
    report = compare_models(models, str(suite))
    verdicts = {(c.first, c.second): c.verdict for c in report.comparisons}
    assert verdicts == {
        ("good", "bad"): "good is better",
        ("good", "same"): "no verdict",
        ("bad", "same"): "same is better",
    }
    one, same, _ = report.comparisons
    records = [evaluate(models[name], suite, records=True).records for name in ("good", "bad")]
    only_good = sum(bool(g.correct and not b.correct) for g, b in zip(*records, strict=True))
    only_bad = sum(bool(b.correct and not g.correct) for g, b in zip(*records, strict=True))
    assert (one.only_first, one.only_second, one.mcnemar_p) == (only_good, only_bad, mcnemar(only_good, only_bad))
    assert one.difference == pytest.approx((only_bad - only_good) / one.questions)
    assert one.low < one.difference < one.high < 0
    assert one.p_value == max(one.mcnemar_p, one.bootstrap_p) and one.holm_p >= one.p_value
    assert (same.difference, same.mcnemar_p, same.bootstrap_p, same.holm_p) == (0, 1, 1, 1)
    assert one.questions == evaluate(models["good"], suite).total.in_vocabulary
    assert "good is better" in repr(report) and "adjusted for 3 comparisons" in repr(report)


def test_similarities_are_compared_on_the_pairs_that_both_know(models, tmp_path):
    path = tmp_path / "pairs.tsv"
    good = models["good"]
    lines = [f"w{i}\tw{i + 1}\t{good.vectors[i] @ good.vectors[i + 1]:.4f}" for i in range(38)]
    path.write_text("\n".join([*lines, "w0\tunknown\t9"]))
    report = compare_models({"good": good, "bad": models["bad"]}, str(path))
    assert report.comparisons[0].questions == 38 and report.comparisons[0].verdict == "good is better"
    assert report.method == "cosine" and report.comparisons[0].mcnemar_p is None


def test_what_cannot_be_compared(models, suite, make_model, tmp_path):
    with pytest.raises(OptionError, match="two or more"):
        compare_models({"good": models["good"]}, str(suite))
    other = compare_models({"good": models["good"], "other": make_model(x=[1.0, 0.0])}, str(suite))
    assert other.comparisons[0].verdict == "not comparable" and other.comparisons[0].holm_p is None
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\t1\n")
    with pytest.raises(OptionError, match="no suite of analogies"):
        compare_protocols(models["good"], str(path))


def test_protocols_side_by_side_and_the_rules_that_move_questions(make_model, tmp_path):
    model = make_model(boy=[1, 0, 0, 0], girl=[0, 1, 0, 0], he=[1, 0, 1, 0], she=[0, 1, 1, 0.5], He=[0, 1, 1, 0.1])
    path = tmp_path / "case.txt"
    path.write_text(": family\nboy girl he she\nBoy girl he she\nboy girl none she\n")
    report = compare_protocols(model, str(path))
    assert [r.protocol.name for r in report.reports] == list(PROTOCOLS)
    for one in report.reports:
        assert one.to_dict() == evaluate(model, path, protocol=one.protocol.name).to_dict()
    effects = {(e.protocol, e.rule): (e.moved, e.to_right, e.from_right) for e in report.effects}
    assert effects["word2vec-c", "exclusion"] == (2, 0, 2)  # "He" answers
    assert effects["word2vec-c", "case folding"] == (0, 0, 0)
    assert effects["vecmap", "case folding"] == (2, 0, 2)  # "He" answers, and "Boy" is unknown
    assert effects["vecto", "unknown words"] == (1, 0, 0)  # wrong, and no more skipped
    assert effects["vecto", "all together"] == (3, 0, 2)
    assert report.score == 1.0
    told = {(e.protocol, e.rule): e for e in compare_protocols(model, str(path), records=True).effects}
    moved = told["vecmap", "case folding"]
    assert [(q.section, q.line, q.before, q.after) for q in moved.questions] == [
        ("family", 2, "right", "wrong"),
        ("family", 3, "right", "not asked"),
    ]
    assert moved.sections == {"family": 2}
    skipped = told["vecto", "unknown words"].questions
    assert [(q.line, q.before, q.after) for q in skipped] == [(4, "not asked", "wrong")]
    assert report.effects[0].questions is None and "family (2)" in repr(report)
    assert "Which rule moves how many questions" in repr(report)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_for_nothing(models, suite):
    reports = [
        evaluate(models["good"], suite),
        evaluate(models["good"], "simlex999"),
        compare_models(models, str(suite)),
    ]
    page = html_page(reports, ["<a&b>", "two", "three"])
    tags = Tags()
    tags.feed(page)
    assert not tags.open and "<h2>&lt;a&amp;b&gt;</h2>" in page
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags.seen}
    assert not re.search(r"https?:|url\(|@import|src=", page)
    charts = [tag for tag, _ in tags.seen if tag == "svg"]
    assert len(charts) == 3 and f"{reports[0].total.accuracy:.3f}" in page


def test_bars_stand_where_their_values_are():
    tree = ET.fromstring(bars([("a <b>", 0.5, 0.4, 0.7), ("none", None, None, None), ("c", -0.2, -0.3, 0.1)], "t"))
    first, second = tree.findall("rect")
    assert float(first.get("width")) / float(second.get("width")) == pytest.approx(2.5, rel=1e-2)
    assert float(second.get("x")) < float(first.get("x"))
    assert "no questions" in "".join(tree.itertext())


def test_markdown_has_every_row_and_escapes(models, suite):
    text = markdown([evaluate(models["good"], suite)], ["my_model|x"])
    assert "## my\\_model\\|x" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {14}
    assert len(rows) == 4  # header, rule, section, total


def test_errors_list_the_missed_with_the_rank_of_the_right_answer(models, suite):
    report = evaluate(models["bad"], suite, records=True)
    table = report.errors()
    assert len(table.rows) == report.total.in_vocabulary - report.total.correct > 5
    assert all(row[-1] > 1 and row[5] != row[6] for row in table.rows)
    with pytest.raises(OptionError, match="records=True"):
        evaluate(models["bad"], suite).errors()


def test_frames(models, suite, monkeypatch):
    pandas = pytest.importorskip("pandas")
    report = evaluate(models["good"], suite)
    frame = report.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame["accuracy"].iloc[-1] == report.total.accuracy and list(frame["section"]) == ["moved", "total"]
    assert len(evaluate(models["good"], "simlex999").to_frame()) == 4
    for name in ("pandas", "polars"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(MissingExtraError, match=r"wordgeo\[frames\]"):
        report.to_frame()


def test_purity_of_categories(make_model, tmp_path):
    path = tmp_path / "kinds.txt"
    path.write_text("cat animal\ndog animal\ncow animal\noak tree\nelm tree\nfir tree\nunknown tree\n")
    model = make_model(cat=[1, 0.1], dog=[1, 0], cow=[1, 0.2], oak=[0, 1], elm=[0.1, 1], fir=[1, 0.15])
    report = evaluate(model, path)
    assert (report.items, report.in_vocabulary, report.categories) == (7, 6, 2)
    assert report.purity == report.score == pytest.approx(5 / 6)
    assert report.chance < report.purity
