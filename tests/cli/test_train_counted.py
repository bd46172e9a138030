"""GloVe and PPMI on the command line, and the counts that they are made of."""

import json

import pytest

import wordgeo as wg


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))


def run(wordgeo, *args):
    done = wordgeo(*args)
    assert done.code == 0, done.err
    return done.out


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        ("glove", ["--x-max", "20", "--alpha", "0.5", "--learning-rate", "0.1", "--combine", "word", "--epochs", "3"]),
        ("ppmi", ["--context-smoothing", "1", "--shift", "1", "--eigenvalue-power", "0", "--weighting", "flat"]),
    ],
)
def test_train_and_reproduce(wordgeo, text, tmp_path, algorithm, options):
    out = run(
        wordgeo, "train", text, "-o", tmp_path / "model", "--algorithm", algorithm, "--dim", "8", "--memory", "100M",
        "--sides", "left", "--bounds", "document", "--subsampling", "clean", *options, "--format", "json",
    )  # fmt: skip
    told = json.loads(out)["provenance"]
    assert (told["algorithm"], told["engine"], told["reproducible"]) == (algorithm, "native", True)
    given = {options[i][2:].replace("-", "_"): options[i + 1] for i in range(0, len(options), 2)}
    shown = {name: str(told["parameters"][name]) for name in given}
    assert {name: value.removesuffix(".0") for name, value in shown.items()} == given
    model = wg.load(tmp_path / "model")
    assert (model.dimensions, len(model.similar("king", k=3).words)) == (8, 3)
    again = run(wordgeo, "reproduce", tmp_path / "model", "-o", tmp_path / "again", "--format", "json")
    assert json.loads(again)["same"]


def test_checkpoints(wordgeo, text, tmp_path):
    train = ["train", text, "--algorithm", "glove", "--dim", "4", "--epochs", "2"]
    run(wordgeo, *train, "-o", tmp_path / "plain", "--checkpoint-every", "never")
    run(wordgeo, *train, "-o", tmp_path / "kept", "--checkpoint-every", "1")
    run(wordgeo, *train, "-o", tmp_path / "resumed", "--resume")
    assert len({(tmp_path / name / "model.safetensors").read_bytes() for name in ("plain", "kept", "resumed")}) == 1
    assert not (tmp_path / "kept.training").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--algorithm", "glove", "--engine", "gensim"], "does not train glove; choose native"),
        (["--algorithm", "fasttext", "--engine", "native"], "does not train fasttext; choose gensim"),
        (["--algorithm", "glove", "--negative", "5"], "negative is 5, which has no meaning for glove"),
        (["--algorithm", "ppmi", "--checkpoint-every", "1"], "ppmi has no epochs"),
        (["--checkpoint-every", "soon"], "give a number of epochs, or never"),
        (["--memory", "much", "--algorithm", "glove"], "give a size such as 500M or 4G"),
    ],
)
def test_what_cannot_be_is_bad_usage(wordgeo, text, tmp_path, options, says):
    done = wordgeo("train", text, "-o", tmp_path / "model", *options)
    assert done.code == 2
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "model").exists()


def test_corpus_count(wordgeo, text, tmp_path):
    run(wordgeo, "corpus", "encode", text, "-o", tmp_path / "corpus")
    words = tmp_path / "words.txt"
    words.write_text("queen\nking\n")
    out = run(
        wordgeo, "corpus", "count", tmp_path / "corpus", "-o", tmp_path / "counts", "--words", words, "--window", "2",
        "--memory", "50M", "--threads", "2", "--format", "json",
    )  # fmt: skip
    told = json.loads(out)
    assert (told["words"], told["options"]["window"], told["options"]["vocabulary"]) == (2, 2, "given")
    from wordgeo.training.counting_file import Counts

    counts = Counts.open(tmp_path / "counts")
    assert counts.vocabulary.words == ["queen", "king"]
    assert counts["king", "queen"] == counts["queen", "king"] > 0
    assert "unit" in run(wordgeo, "corpus", "count", tmp_path / "corpus", "-o", tmp_path / "counts", "--overwrite")
    done = wordgeo("corpus", "count", tmp_path / "corpus", "-o", tmp_path / "counts")
    assert done.code == 1 and "exists already" in done.err
    done = wordgeo("corpus", "count", tmp_path / "corpus", "-o", tmp_path / "other", "--memory", "2k")
    assert done.code == 2 and "at least" in done.err
