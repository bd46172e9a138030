"""`wordgeo eval`: protocols, comparisons, documents and errors on the command line."""

import json

import pytest

from wordgeo.cli.evaluate import METHODS as OFFERED
from wordgeo.evaluation import METHODS

WORDS = {"boy": "1 0 0", "girl": "0 1 0", "he": "1 0 1", "she": "0 1 1", "king": "1 0 3", "queen": "0.2 1 3"}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, last in (("a.txt", "0.2 1 3"), ("b.txt", "1 0.1 0")):
        rows = WORDS | {"queen": last}
        text = f"{len(rows)} 3\n" + "".join(f"{word} {numbers}\n" for word, numbers in rows.items())
        (tmp_path / name).write_text(text)
    lines = [f"{a} {b} {c} {d}" for a, b in PAIRS for c, d in PAIRS if a != c]
    (tmp_path / "suite.txt").write_text(": family\n" + "\n".join(lines) + "\nboy girl x y\n")
    return tmp_path


PAIRS = [("boy", "girl"), ("he", "she"), ("king", "queen")]


@pytest.fixture
def run(wordgeo, place):
    def run(*arguments, code=0):
        done = wordgeo("eval", *arguments)
        assert done.code == code, done.err
        return done.out

    return run


def test_the_command_offers_the_methods_of_the_package():
    assert sorted(OFFERED) == sorted(METHODS)


def test_all_protocols_side_by_side(run):
    text = run("a.txt", "--suite", "suite.txt", "--protocol", "all")
    assert all(name in text for name in ("gensim", "word2vec-c", "muse", "vecto", "unknown words", "from_right"))
    found = json.loads(run("a.txt", "--suite", "suite.txt", "--protocol", "all", "--format", "json"))["results"]
    assert found[0]["kind"] == "protocols" and len(found[0]["reports"]) == 8
    run("a.txt", "--suite", "suite.txt", "--protocol", "all", "--fail-under", "1.1", code=3)


def test_two_models_are_compared(run):
    found = json.loads(run("a.txt", "b.txt", "--suite", "suite.txt", "--format", "json"))
    first, second = (one["score"] for one in found["results"])
    assert first > second
    assert found["comparisons"][0]["comparisons"][0]["first"] == "a.txt"
    assert "verdict" in run("a.txt", "b.txt", "--suite", "suite.txt")
    alone = json.loads(run("a.txt", "--suite", "suite.txt", "--format", "json"))
    assert set(alone) == {"results"}


def test_documents_and_errors(run, place):
    text = run("b.txt", "--suite", "suite.txt", "--errors", "--markdown", "r.md", "--html", "r.html")
    assert "questions answered wrong" in text and "rank" in text
    assert (place / "r.md").read_text().startswith("# Evaluation")
    assert "<svg" in (place / "r.html").read_text()


@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs(run, method):
    assert method in run("a.txt", "--suite", "suite.txt", "--method", method)


def test_the_honest_score(run):
    honest = json.loads(run("a.txt", "--suite", "suite.txt", "--exclude", "none", "--format", "json"))["results"][0]
    assert honest["protocol"]["exclude"] == "none" and honest["score"] <= 1.0
