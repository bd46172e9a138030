"""Ensembles at the command line: stability, questions that carry their trust, scores over runs."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil

import pytest

import wordgeo as wg


def good(done):
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def ensembles(text, tmp_path_factory):
    """Two ensembles of five runs: other seeds, and other samples."""
    folder = tmp_path_factory.mktemp("ensembles")
    options = {"dim": 8, "epochs": 3, "sample": 0, "threads": 1, "runs": 5, "documents": "line"}
    wg.train(text, output=folder / "seeds", **options)
    wg.train(text, output=folder / "samples", resample="bootstrap", fix_seed=True, **options)
    return folder


def test_json_is_the_report(wordgeo, ensembles):
    found = json.loads(good(wordgeo("stability", ensembles / "seeds", "-k", 3, "--format", "json")))
    assert found == wg.stability(wg.Ensemble.open(ensembles / "seeds"), k=3).to_dict()
    assert found["overall"][0]["low"] is not None


def test_tables_say_what_it_comes_to(wordgeo, ensembles):
    printed = good(wordgeo("stability", ensembles / "seeds", "-k", 3, "--curve", "4,6"))
    assert "Verdict: Of the 3 nearest neighbours of a word" in printed
    assert "how many runs are enough" in printed
    assert re.search(r"^\s*6\s", printed, re.MULTILINE)
    rows = list(
        csv.DictReader(io.StringIO(good(wordgeo("stability", ensembles / "seeds", "-k", 3, "--format", "csv"))))
    )
    assert [row["measure"] for row in rows][:2] == ["overlap", "Jaccard"]


def test_runs_that_are_named_one_by_one(wordgeo, ensembles):
    runs = [ensembles / "seeds" / f"run-00{i}" for i in (1, 2)]
    found = json.loads(good(wordgeo("stability", *runs, "-k", 3, "--no-spaces", "--format", "json")))
    assert len(found["models"]) == 2
    assert found["spaces"] == []


def test_words_by_file_and_rank(wordgeo, ensembles, tmp_path):
    (tmp_path / "words.txt").write_text("king\ncat\nzebra\n")
    ask = ("stability", ensembles / "seeds", "-k", 3, "--format", "json")
    found = json.loads(good(wordgeo(*ask, "--words", tmp_path / "words.txt")))
    assert sorted(found["words"]["words"]) == ["cat", "king"]
    assert found["missing"] == ["zebra"]
    assert len(json.loads(good(wordgeo(*ask, "--top", 4)))["words"]["words"]) == 4
    assert json.loads(good(wordgeo(*ask, "--ranks", "2:4")))["words"]["ranks"] == [2, 3, 4]


def test_documents_beside(wordgeo, ensembles, tmp_path):
    good(wordgeo("stability", ensembles / "seeds", "-k", 3, "--html", tmp_path / "s.html", "--csv", tmp_path / "s.csv",
                 "--neighbors", "king,cat"))  # fmt: skip
    page = (tmp_path / "s.html").read_text()
    assert "<svg" in page
    assert "trusted" in page
    assert "king" in page
    assert not re.search(r"(src|href)=|https?://|<script", page)
    rows = list(csv.DictReader((tmp_path / "s.csv").open()))
    report = wg.stability(wg.Ensemble.open(ensembles / "seeds"), k=3)
    assert [row["word"] for row in rows] == list(report.words.words)
    assert [float(row["overlap"]) for row in rows] == report.words.overlap.tolist()


def test_neighbours_of_chosen_words_in_every_format(wordgeo, ensembles):
    ask = ("stability", ensembles / "seeds", "-k", 3, "--neighbors", "king,cat")
    found = json.loads(good(wordgeo(*ask, "--format", "json")))
    ensemble = wg.Ensemble.open(ensembles / "seeds")
    assert found.pop("neighbors") == [each.to_dict() for each in ensemble.similar_batch(["king", "cat"], 3)]
    assert found == wg.stability(ensemble, k=3).to_dict()
    assert "among their 3 nearest" in good(wordgeo(*ask))
    done = wordgeo("stability", ensembles / "seeds", "-k", 3, "--neighbors", "zebra")
    assert (done.code, done.out) == (1, "")


def test_damaged_runs_are_left_out_only_if_asked(wordgeo, ensembles, model, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(ensembles / "seeds", runs)
    (runs / "run-002" / "model.safetensors").write_bytes(b"damaged")
    for operands in ([runs], [runs, model]):
        done = wordgeo("stability", *operands, "-k", 3)
        assert (done.code, done.out) == (1, "")
        assert "run-002" in done.err
        found = json.loads(good(wordgeo("stability", *operands, "-k", 3, "--skip-damaged", "--format", "json")))
        assert len(found["models"]) == 3 + len(operands)
        assert "run-002" in found["skipped"][0]


def test_questions_and_scores_without_damaged_runs(wordgeo, ensembles, model, tmp_path, caplog):
    runs = tmp_path / "runs"
    shutil.copytree(ensembles / "seeds", runs)
    count = len(wg.Ensemble.open(runs))
    (runs / "run-002" / "model.safetensors").write_bytes(b"damaged")
    questions = tmp_path / "questions.txt"
    questions.write_text(": pairs\nking queen cat dog\n")
    asked = {"similar": ["king"], "analogy": ["king", "queen", "cat"], "eval": ["--suite", questions]}
    for command, options in asked.items():
        done = wordgeo(command, runs, *options)
        assert (done.code, done.out) == (1, "")
        assert "run-002" in done.err
        caplog.clear()
        done = wordgeo(command, runs, *options, "--skip-damaged", "--format", "json")
        assert done.code == 0, done.err
        assert ["run-002" in record.getMessage() for record in caplog.records] == [True]
        if command == "eval":
            assert len(json.loads(done.out)["results"]) == count - 1
        refused = wordgeo(command, model, *options, "--skip-damaged")
        assert (refused.code, refused.out) == (2, "")
        assert "not an ensemble" in refused.err
        nowhere = wordgeo(command, tmp_path / "nowhere", *options, "--skip-damaged")
        assert (nowhere.code, nowhere.out) == (1, "")
        assert "nowhere" in nowhere.err
    with_one = wordgeo("eval", runs, model, "--suite", questions, "--skip-damaged", "--format", "json")
    assert with_one.code == 0, with_one.err
    assert len(json.loads(with_one.out)["results"]) == count


def test_ensembles_side_by_side(wordgeo, ensembles, tmp_path):
    paths = (ensembles / "seeds", ensembles / "samples")
    found = json.loads(good(wordgeo("stability", *paths, "-k", 3, "--format", "json")))
    assert len(found["results"]) == 2
    assert [source["varies"] for source in found["variation"]["sources"]] == ["seed", "sample"]
    assert found["variation"]["sampling"] > 0
    printed = good(wordgeo("stability", *paths, "-k", 3, "--html", tmp_path / "two.html"))
    assert "times that from seeds" in printed
    assert "Where variation comes from" in (tmp_path / "two.html").read_text()
    good(wordgeo("stability", *paths, "-k", 3, "--csv", tmp_path / "two.csv"))
    rows = list(csv.DictReader((tmp_path / "two.csv").open()))
    assert {row["models"] for row in rows} == {str(path) for path in paths}


def test_a_threshold(wordgeo, ensembles):
    assert wordgeo("stability", ensembles / "seeds", "-k", 3, "--fail-under", 0).code == 0
    done = wordgeo("stability", ensembles / "seeds", "-k", 3, "--fail-under", 1.01)
    assert done.code == 3
    assert "overlap is" in done.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["MODEL"], 2, "two or more"),
        (["SEEDS", "-k", "1000"], 2, "the models share"),
        (["SEEDS", "--ranks", "one"], 2, "give two ranks"),
        (["SEEDS", "--ranks", "1:2:3"], 2, "give two ranks"),
        (["SEEDS", "--curve", "a"], 2, "give numbers"),
        (["SEEDS", "--top", "3", "--ranks", "1:2"], 2, "give one of them"),
        (["SEEDS", "--words", "nowhere"], 1, "does not exist"),
        (["nowhere", "MODEL"], 1, "does not exist"),
        (["SEEDS", "--html", "."], 1, "is a folder; name a file"),
    ],
)
def test_bad_usage_is_one_line(wordgeo, ensembles, model, args, code, message):
    names = {"MODEL": model, "SEEDS": ensembles / "seeds"}
    done = wordgeo("stability", *(names.get(arg, arg) for arg in args))
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_neighbours_of_an_ensemble(wordgeo, ensembles):
    found = json.loads(good(wordgeo("similar", ensembles / "seeds", "king", "cat", "-k", 3, "--format", "json")))
    ensemble = wg.Ensemble.open(ensembles / "seeds")
    assert found == {"results": [each.to_dict() for each in ensemble.similar_batch(["king", "cat"], 3)]}
    printed = good(wordgeo("similar", ensembles / "seeds", "king", "-k", 3))
    assert "share" in printed
    assert "of 5 runs" in printed
    done = wordgeo("similar", ensembles / "seeds", "king", "--least")
    assert done.code == 2
    assert "is an ensemble" in done.err


def test_analogies_of_an_ensemble(wordgeo, ensembles):
    ask = ("analogy", ensembles / "seeds", "king", "queen", "cat", "-k", 3)
    found = json.loads(good(wordgeo(*ask, "--format", "json")))
    assert found == wg.Ensemble.open(ensembles / "seeds").analogy("king", "queen", "cat", 3).to_dict()


def test_scores_of_an_ensemble(wordgeo, ensembles, tmp_path):
    questions = tmp_path / "questions.txt"
    questions.write_text(": a\nking queen cat dog\nking crown cat paw\ncrown king paw cat\nqueen throne dog kitten\n")
    ask = ("eval", ensembles / "seeds", "--suite", questions)
    found = json.loads(good(wordgeo(*ask, "--format", "json")))
    (runs,) = [each for each in found["comparisons"] if each["kind"] == "runs"]
    assert runs["runs"] == 5
    assert runs["flip_rate"] is not None
    assert all(result["records"] is None for result in found["results"])
    assert "standard deviation over 5 runs" in good(wordgeo(*ask))


def test_training_with_samples(wordgeo, text, tmp_path):
    options = ["--dim", 4, "--epochs", 1, "--sample", 0, "--threads", 1, "--documents", "line"]
    good(wordgeo("train", text, "-o", tmp_path / "e", *options, "--runs", 2, "--resample", "bootstrap", "--fix-seed"))
    ensemble = wg.Ensemble.open(tmp_path / "e")
    assert [model.provenance["resample"]["seed"] for model in ensemble] == [1, 2]
    done = wordgeo("train", text, "-o", tmp_path / "f", *options, "--runs", 2, "--resample", "half")
    assert done.code == 2
    assert "resample is 'half'" in done.err
