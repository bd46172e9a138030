"""Every command does its job, in each format it prints."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import wordgeo as wg


def as_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def good(done):
    assert done.code == 0, done.err
    return done.out


QUESTIONS = {
    "similar": ["king", "cat", "-k", "3"],
    "similarity": ["king", "queen"],
    "analogy": ["king", "queen", "cat", "-k", "3"],
    "query": ["king - queen + cat", "-k", "3"],
    "odd": ["king", "queen", "cat"],
}


@pytest.mark.parametrize(("command", "args"), QUESTIONS.items())
def test_json_is_what_python_gives(wordgeo, model, command, args) -> None:
    found = json.loads(good(wordgeo(command, model, *args, "--format", "json")))
    vectors = wg.load(model)
    if command == "similar":
        expected = {"results": [vectors.similar(word, k=3).to_dict() for word in ("king", "cat")]}
    elif command == "similarity":
        expected = {"words": ["king", "queen"], "similarity": vectors.similarity("king", "queen")}
    elif command == "analogy":
        expected = vectors.analogy("king", "queen", "cat", k=3).to_dict()
    elif command == "query":
        expected = vectors.query("king - queen + cat", k=3).to_dict()
    else:
        expected = vectors.odd(["king", "queen", "cat"]).to_dict()
    assert found == expected


@pytest.mark.parametrize(("command", "args"), QUESTIONS.items())
def test_table_and_csv_hold_the_same_words(wordgeo, model, command, args) -> None:
    table = good(wordgeo(command, model, *args))
    rows = as_csv(good(wordgeo(command, model, *args, "--format", "csv")))
    assert rows
    for row in rows:
        for value in row.values():
            assert value in table or f"{float(value):.4f}" in table


def test_one_word_gives_results_too(wordgeo, model) -> None:
    found = json.loads(good(wordgeo("similar", model, "king", "--format", "json")))
    assert [result["query"] for result in found["results"]] == ["king"]


def test_csv_of_several_words_is_one_table(wordgeo, model) -> None:
    rows = as_csv(good(wordgeo("similar", model, "king", "cat", "-k", "2", "--format", "csv")))
    assert [row["query"] for row in rows] == ["king", "king", "cat", "cat"]


def test_a_trained_model_knows_its_themes(wordgeo, model) -> None:
    rows = as_csv(good(wordgeo("similar", model, "king", "-k", "2", "--match", "^[a-z]{3,}$", "--format", "csv")))
    assert {row["word"] for row in rows} <= {"queen", "crown", "throne", "palace"}
    assert json.loads(good(wordgeo("odd", model, "king", "queen", "cat", "--format", "json")))["word"] == "cat"


@pytest.mark.parametrize("command", ["similar", "analogy", "query"])
def test_filters_reach_the_search(wordgeo, model, tmp_path, command) -> None:
    words = tmp_path / "words.txt"
    words.write_text("dog\n\n  throne\n", encoding="utf-8")
    operands = {"similar": ["king"], "analogy": ["king", "queen", "cat"], "query": ["king"]}[command]

    def answers(*options):
        out = json.loads(good(wordgeo(command, model, *operands, *options, "--format", "json")))
        return out["results"][0]["words"] if command == "similar" else out["words"]

    assert set(answers("--words", words)) == {"dog", "throne"}
    assert set(answers("--match", "^d")) == {"dog"}
    assert set(answers("--words", words, "--match", "^t")) == {"throne"}
    assert set(answers("--top", "1")) == {"the"}
    assert set(answers("--min-count", "600")) == {"the"}


def test_encode_stats_and_train_on_what_was_encoded(wordgeo, text, tmp_path) -> None:
    corpus, first, second = tmp_path / "corpus", tmp_path / "first", tmp_path / "second"
    encoded = good(wordgeo("corpus", "encode", text, "-o", corpus))
    assert encoded == good(wordgeo("corpus", "stats", corpus))
    assert "3600" in encoded  # 600 sentences of six words
    options = ["--dim", "8", "--epochs", "1", "--threads", "1", "--seed", "3"]
    good(wordgeo("train", corpus, "-o", first, *options))
    good(wordgeo("train", text, "-o", second, *options))
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


def test_the_command_line_wins_over_the_file(wordgeo, text, tmp_path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("dim = 6\nseed = 9\nepochs = 1\n", encoding="utf-8")
    good(wordgeo("train", text, "-o", tmp_path / "model", "--config", settings, "--seed", "4"))
    found = json.loads(good(wordgeo("info", tmp_path / "model", "--format", "json")))
    assert found["dimensions"] == 6
    assert found["provenance"]["seed"] == 4
    assert found["provenance"]["parameters"]["epochs"] == 1


def test_runs_make_an_ensemble(wordgeo, text, tmp_path) -> None:
    args = ["train", text, "-o", tmp_path / "runs", "--runs", "2", "--dim", "4", "--epochs", "1", "--format", "json"]
    found = json.loads(good(wordgeo(*args)))["results"]
    assert [Path(one["path"]).name for one in found] == ["run-001", "run-002"]
    assert [one["provenance"]["seed"] for one in found] == [1, 2]
    assert len(wg.load(tmp_path / "runs")) == 2
    assert json.loads(good(wordgeo("info", tmp_path / "runs", "--format", "json")))["results"] == found
    shown = good(wordgeo("info", tmp_path / "runs"))
    assert shown.count("skipgram") == 1 and "all 2 models" in shown
    ends = [line.split()[1:] for line in shown.splitlines() if "run-00" in line]
    assert [end[0] for end in ends] == ["1", "2"]  # their seeds
    scored = json.loads(good(wordgeo("eval", tmp_path / "runs", "--suite", "simlex999", "--format", "json")))
    assert len(scored["results"]) == 2
    done = wordgeo("odd", tmp_path / "runs", "king", "queen", "cat")
    assert done.code == 2
    assert "run-001" in done.err


def test_defaults_are_a_table(wordgeo) -> None:
    out = good(wordgeo("train", "--defaults"))
    for option in ("window", "negative", "min_count", "skipgram", "cbow"):
        assert option in out


@pytest.mark.parametrize("name", ["model.txt", "model.bin", "model.vec.gz", "model.glove", "folder"])
def test_convert_keeps_the_vectors(wordgeo, model, tmp_path, name) -> None:
    good(wordgeo("convert", model, tmp_path / name))
    before, after = wg.load(model), wg.load(tmp_path / name)
    assert before.words == after.words
    assert before.vectors.tobytes() == after.vectors.tobytes()


def test_info(wordgeo, model) -> None:
    found = json.loads(good(wordgeo("info", model, "--format", "json")))
    assert (found["words"], found["dimensions"], found["tokens"]) == (16, 16, 3600)
    assert "instruction" in good(wordgeo("info", "--system")).lower()


@pytest.fixture
def pairs(tmp_path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("king\tqueen\t9\nking\tdog\t2\ncat\tdog\t8\ncat\tthrone\t1\n", encoding="utf-8")
    return path


def test_eval_on_a_file_of_pairs(wordgeo, model, pairs) -> None:
    out = json.loads(good(wordgeo("eval", model, "--suite", pairs, "--format", "json")))
    assert out["results"] == [wg.evaluate(wg.load(model), pairs).to_dict()]
    assert "spearman" in good(wordgeo("eval", model, "--suite", pairs))


def test_eval_of_all_suites_is_one_csv(wordgeo, model) -> None:
    rows = as_csv(good(wordgeo("eval", model, "--format", "csv")))
    assert {"section", "statistic"} <= set(rows[0])
    assert {row["model"] for row in rows} == {str(model)}


@pytest.mark.parametrize(("least", "code"), [("-1", 0), ("1.1", 3)])
def test_a_missed_threshold_is_3_and_the_report_is_printed_all_the_same(wordgeo, model, pairs, least, code) -> None:
    done = wordgeo("eval", model, "--suite", pairs, "--fail-under", least)
    assert done.code == code
    assert "spearman" in done.out
    assert ("--fail-under is 1.1" in done.err) == (code == 3)


def test_verbose_logs_to_standard_error(wordgeo, model) -> None:
    assert good(wordgeo("-v", "similarity", model, "king", "queen")) == good(
        wordgeo("similarity", model, "king", "queen")
    )
