"""Training again from the provenance: the same bytes, the corpus found or given, what differs, what cannot be done."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

import wordgeo as wg
from wordgeo.cli import main
from wordgeo.corpus import encode
from wordgeo.errors import CorpusError, NotFoundError, OutputError, TrainingError
from wordgeo.formats import load, save
from wordgeo.training import TrainingConfig, reproduce, train

TEXT = "The cat sat on the mat.\nThe dog sat on the log.\n\nA cat and a dog met.\n" * 30


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"algorithm": "cbow", "hs": True, "negative": 0}, {"algorithm": "fasttext", "bucket": 300, "max_n": 4}],
    ids=["skipgram", "cbow-hs", "fasttext"],
)
def test_the_same_bytes_from_the_cache(text, tmp_path, options):
    model = train(text, TrainingConfig(dim=8, seed=3, threads=1, **options), output=tmp_path / "m", case="keep")
    result = reproduce(tmp_path / "m", tmp_path / "again")
    assert result.same
    assert result.largest_difference == 0
    assert result.differences == ()
    for name in ("model.safetensors", "vocabulary", "wordgeo.json", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "m" / name).read_bytes()
    assert reproduce(model, tmp_path / "again", overwrite=True).same


def test_a_corpus_that_is_given(text, tmp_path, monkeypatch):
    encode(text, tmp_path / "corpus", tokens="whitespace")
    encode(text, tmp_path / "other")
    model = train(tmp_path / "corpus", TrainingConfig(dim=8, threads=1), output=tmp_path / "m")
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "empty"))
    with pytest.raises(NotFoundError, match="not in the cache"):
        reproduce(model, tmp_path / "again")
    with pytest.raises(CorpusError, match="another corpus"):
        reproduce(model, tmp_path / "again", corpus=tmp_path / "other")
    assert not (tmp_path / "again").exists()
    assert reproduce(model, tmp_path / "a", corpus=tmp_path / "corpus").same
    assert reproduce(model, tmp_path / "b", corpus=text).same  # encoded as the provenance says
    with pytest.raises(OutputError):
        reproduce(model, tmp_path / "a")


def test_what_differs_is_listed(text, tmp_path):
    train(text, TrainingConfig(dim=8, threads=1), output=tmp_path / "m")
    facts = tmp_path / "m" / "wordgeo.json"
    known = json.loads(facts.read_text())
    known["versions"]["gensim"] = "4.3.2"
    facts.write_text(json.dumps(known))
    result = reproduce(tmp_path / "m", tmp_path / "again")
    assert result.same
    assert result.differences == (("version of gensim", "4.3.2", "4.4.0"),)

    model = load(tmp_path / "m")
    known["seed"] = 99
    changed = wg.Embeddings(model.vocabulary, model.vectors, provenance=known)
    result = reproduce(changed, tmp_path / "again", overwrite=True)
    assert not result.same
    assert result.largest_difference > 0

    many = wg.Embeddings(
        model.vocabulary, np.array(model.vectors), provenance=known | {"seed": 1, "threads": 2, "reproducible": False}
    )
    save(many, tmp_path / "many")
    assert "threads" in [what for what, *_ in reproduce(many, tmp_path / "again", overwrite=True).differences]


def test_what_cannot_be_trained_again(text, tmp_path):
    with pytest.raises(TrainingError, match="came from elsewhere"):
        reproduce(wg.from_arrays(["a", "b"], np.eye(2)), tmp_path / "again")
    first = train(text, TrainingConfig(dim=8, threads=1), keep_training_state=True)
    with pytest.raises(TrainingError, match="went on"):
        reproduce(train(text, start_from=first), tmp_path / "again")
    strange = first.provenance | {"parameters": first.provenance["parameters"] | {"dim": -1}}
    with pytest.raises(TrainingError, match="dim is -1"):
        reproduce(wg.Embeddings(first.vocabulary, first.vectors, provenance=strange), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_the_command_line(text, tmp_path, capsys):
    def run(*args):
        with pytest.raises(SystemExit) as leaving:
            main([str(arg) for arg in args])
        return leaving.value.code, capsys.readouterr()

    assert run("train", text, "-o", tmp_path / "m", "--dim", "8", "--threads", "1")[0] == 0
    code, printed = run("reproduce", tmp_path / "m", "-o", tmp_path / "a", "--format", "json")
    assert (code, json.loads(printed.out)["same"]) == (0, True)
    assert run("reproduce", tmp_path / "m", "-o", tmp_path / "b", "--corpus", text)[0] == 0
    shutil.copytree(tmp_path / "m", tmp_path / "wrong")
    facts = json.loads((tmp_path / "wrong" / "wordgeo.json").read_text())
    (tmp_path / "wrong" / "wordgeo.json").write_text(json.dumps(facts | {"seed": 2}))
    code, printed = run("reproduce", tmp_path / "wrong", "-o", tmp_path / "c")
    assert code == 1
    assert "the same bytes" in printed.out
    assert printed.err.strip().splitlines()[-1].startswith("error: ")
    assert run("reproduce", tmp_path / "nothing", "-o", tmp_path / "d")[0] == 1
