"""`wordgeo eval`: protocols, comparisons, documents and errors on the command line."""

import csv
import functools
import http.server
import importlib
import io
import json
import threading

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


def test_the_level_of_intervals(run):
    narrow, wide = (
        json.loads(run("a.txt", "--suite", "suite.txt", "--level", level, "--format", "json"))["results"][0]
        for level in ("0.5", "0.99")
    )
    assert (narrow["level"], wide["level"]) == (0.5, 0.99)
    assert wide["total"]["low"] < narrow["total"]["low"] <= narrow["total"]["high"] < wide["total"]["high"]
    run("a.txt", "--suite", "suite.txt", "--level", "2", code=2)


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


def test_errors_in_csv_are_the_questions_missed(run):
    report = json.loads(run("b.txt", "--suite", "suite.txt", "--records", "--format", "json"))["results"][0]
    missed = [(record["c"], record["answer"]) for record in report["records"] if record["correct"] is False]
    rows = list(csv.DictReader(io.StringIO(run("b.txt", "--suite", "suite.txt", "--errors", "--format", "csv"))))
    assert missed and [(row["c"], row["answer"]) for row in rows] == missed
    assert all(row["model"] == "b.txt" and int(row["rank"]) > 1 for row in rows)
    text = run("b.txt", "--suite", "suite.txt", "--protocol", "all", "--errors", "--format", "csv")
    assert text.startswith("model,protocol,rule,section,line,before,after\n")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs(run, method):
    assert method in run("a.txt", "--suite", "suite.txt", "--method", method)


def test_the_honest_score(run):
    honest = json.loads(run("a.txt", "--suite", "suite.txt", "--exclude", "none", "--format", "json"))["results"][0]
    assert honest["protocol"]["exclude"] == "none" and honest["score"] <= 1.0


PAIRED = "boy girl n:n\nking he n:n\nhe she n:n\nb\nboy girl n:n\nking queen n:n\nking he n:n\nb\n"


def test_multiple_choice(run, place):
    (place / "sat.txt").write_text(PAIRED)
    text = run("a.txt", "--suite", "sat.txt", "--errors")
    assert "chance" in text and "1 questions answered wrong" in text
    found = json.loads(run("a.txt", "b.txt", "--suite", "sat.txt", "--format", "json"))
    assert found["results"][0]["kind"] == "choices" and found["comparisons"][0]["comparisons"][0]["questions"] == 2
    run("a.txt", "--suite", "sat.txt", "--html", "sat.html")
    assert "<svg" in (place / "sat.html").read_text()


def test_comparisons_stand_in_csv_too(run):
    rows = list(csv.DictReader(io.StringIO(run("a.txt", "b.txt", "--suite", "suite.txt", "--format", "csv"))))
    assert [row["model"] for row in rows] == ["a.txt", "a.txt", "b.txt", "b.txt", "comparison"]
    assert rows[-1]["second"] == "b.txt" and rows[-1]["verdict"] and not rows[-1]["accuracy"]


def test_the_list_of_suites(run, wordgeo):
    assert "simverb3500" in run("--list")
    listed = json.loads(run("--list", "--format", "json"))
    assert len(listed["suites"]) == len(listed["places"]) > 15
    done = wordgeo("eval")
    assert done.code == 2 and "MODEL" in done.err


@pytest.fixture
def recipes(place, monkeypatch):
    """Recipes whose addresses are on this machine."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    (place / "www").mkdir()
    (place / "www" / "two.txt").write_text("boy\tgirl\t2\nking\tqueen\t1\nhe\tshe\t3\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(place / "www")))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    (place / "corpora" / "suites").mkdir(parents=True)
    facts = {"title": "Two", "description": "d", "licence": "CC BY 4.0", "source": "s", "verified": "v"}
    facts |= {"kind": "similarities", "reference": "r"}
    for name, way in (("two", f"http://127.0.0.1:{server.server_port}/two.txt"), ("by-hand", None)):
        own = facts | {"name": name} | ({"url": way} if way else {"instructions": "Write a letter."})
        text = "".join(f'{key} = "{value}"\n' for key, value in own.items())
        (place / "corpora" / "suites" / f"{name}.toml").write_text(text)
    module = importlib.import_module("wordgeo.corpus.recipes")
    monkeypatch.setattr(module, "_folder", lambda: place / "corpora")
    monkeypatch.setenv("WORDGEO_CACHE", str(place / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    yield
    server.shutdown()
    server.server_close()


def test_suites_are_fetched_when_the_licence_is_accepted(recipes, wordgeo, place, monkeypatch):
    done = wordgeo("eval", "a.txt", "--suite", "two")
    assert done.code == 1 and "wordgeo eval --suite two --fetch" in done.err
    for answer in ("n\n", ""):  # no; nobody there
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        done = wordgeo("eval", "--suite", "two", "--fetch")
        assert done.code == 2 and "CC BY 4.0" in done.err and "--yes" in done.err.splitlines()[-1]
    assert not list((place / "cache").rglob("two.txt"))
    done = wordgeo("eval", "--fetch", "--yes")
    assert done.code == 0 and done.out.strip() == str(place / "cache" / "suites" / "two" / "two.txt")
    assert "CC BY 4.0" in done.err and "Do you" not in done.err
    for name in ("two", "present"):
        done = wordgeo("eval", "a.txt", "--suite", name, "--format", "json")
        assert json.loads(done.out)["results"][0]["suite"] == "two", done.err
    done = wordgeo("eval", "--suite", "by-hand", "--fetch")
    assert done.code == 1 and "Write a letter" in done.err
