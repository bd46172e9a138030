"""Ensembles: opened lazily, every broken folder named, agreement equal to a brute-force count."""

import itertools
import json
import shutil

import numpy as np
import pytest

from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, NotFoundError, OptionError, UnknownWordError, WordgeoError
from wordgeo.formats import save
from wordgeo.formats.ensemble import write_manifest
from wordgeo.query import WordVectors
from wordgeo.stability import Agreement, Ensemble
from wordgeo.vocabulary import Vocabulary


def model(words, seed, dim=6, near=None):
    """Random vectors; with `near`, those of another model with some noise."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(len(words), dim)).astype(np.float32)
    if near is not None:
        own = [near.vectors[near.vocabulary.index(word)] for word in words]
        matrix = (np.array(own) + 0.4 * matrix).astype(np.float32)
    return WordVectors(Vocabulary.from_words(words, range(len(words), 0, -1)), matrix, provenance={"seed": seed})


WORDS = [f"w{i}" for i in range(60)]


@pytest.fixture
def models():
    first = model(WORDS, 1)
    return [first, model(WORDS, 2, near=first), model(WORDS, 3, near=first)]


@pytest.fixture
def folder(models, tmp_path):
    """The models on disk."""
    path = tmp_path / "ensemble"
    path.mkdir()
    for i, each in enumerate(models, start=1):
        save(each, path / f"run-{i:03}")
    write_manifest(path, [each.provenance for each in models])
    return path


def brute_force(models, words, k):
    """Neighbour lists by sorting all cosines in float64, over the words that all models have."""
    shared = [word for word in models[0].words if all(word in each for each in models)]
    lists = []
    for each in models:
        unit = {word: each[word].astype(float) / np.linalg.norm(each[word].astype(float)) for word in shared}
        lists.append(
            [sorted((w for w in shared if w != word), key=lambda w: -(unit[word] @ unit[w]))[:k] for word in words]
        )
    overlap = [
        np.mean([len(set(a[i]) & set(b[i])) / k for a, b in itertools.combinations(lists, 2)])
        for i in range(len(words))
    ]
    agreed = [tuple(w for w in lists[0][i] if all(w in other[i] for other in lists)) for i in range(len(words))]
    return overlap, agreed


@pytest.mark.parametrize("k", [1, 5, 10, 59])
def test_agreement_is_the_brute_force_count(models, k):
    found = Ensemble(models).agreement(WORDS, k)
    overlap, agreed = brute_force(models, WORDS, k)
    np.testing.assert_allclose(found.overlap, overlap, rtol=1e-12)
    assert found.agreed == tuple(agreed)
    assert found.joint.tolist() == [len(words) for words in agreed]
    assert (found.k, found.runs, found.words) == (k, 3, tuple(WORDS))
    if k == 59:
        assert (found.overlap == 1).all()
    if k == 5:
        assert 0 < found.overlap.min() < found.overlap.max() <= 1


def test_agreement_by_hand():
    """Three neighbours of `a`, of which two runs share 1 of 2."""
    angles = {"a": 0, "b": 10, "c": 20, "d": 40, "e": 90}, {"a": 0, "b": 10, "c": 50, "d": 20, "e": 90}
    models = [
        Embeddings(
            Vocabulary.from_words(list(run)),
            np.array([(np.cos(np.radians(x)), np.sin(np.radians(x))) for x in run.values()], dtype=np.float32),
        )
        for run in angles
    ]
    found = Ensemble(models).agreement(["a"], k=2)
    assert found.overlap.tolist() == [0.5]
    assert found.joint.tolist() == [1]
    assert found.agreed == (("b",),)
    (table,) = found.tables()
    assert table.rows == [("a", 1, 0.5, "b")]
    assert "0.5000" in table.notes[0]
    assert found.to_dict()["overlap"] == [0.5]


def test_models_with_other_words_are_compared_on_the_shared_ones(models):
    draw = np.random.default_rng(0)
    other = [WORDS[i] for i in draw.permutation(60) if i % 7] + ["only", "here"]
    extended = model([*other], 4)
    ensemble = Ensemble([models[0], extended, models[2]])
    assert ensemble.shared.words == [word for i, word in enumerate(WORDS) if i % 7]
    words = ensemble.shared.words[::5]
    found = ensemble.agreement(words, 8)
    overlap, agreed = brute_force(list(ensemble), words, 8)
    np.testing.assert_allclose(found.overlap, overlap, rtol=1e-12)
    assert found.agreed == tuple(agreed)
    with pytest.raises(UnknownWordError, match="'w0'"):
        ensemble.agreement(["w0"])


def test_many_words_come_in_blocks(models, monkeypatch):
    whole = Ensemble(models).agreement(WORDS)
    monkeypatch.setattr("wordgeo.stability.ensemble.WORDS_A_BLOCK", 7)
    parts = Ensemble(models).agreement(WORDS)
    assert parts.to_dict() == whole.to_dict()


def test_bad_questions(models):
    ensemble = Ensemble(models)
    for k, message in ((0, "k is 0"), (60, "the models share 60 words"), (2**63, "share 60"), (1.5, "k is 1.5")):
        with pytest.raises(OptionError, match=message):
            ensemble.agreement(["w1"], k)
    with pytest.raises(UnknownWordError):
        ensemble.agreement(["w1", "nothing"])
    with pytest.raises(OptionError, match="runs=2 or more"):
        Ensemble(models[:1]).agreement(["w1"])
    with pytest.raises(OptionError, match="at least one"):
        Ensemble([])
    assert ensemble.agreement([]).words == ()
    assert isinstance(ensemble.agreement([]), Agreement)


def test_a_folder_is_a_sequence_of_models_opened_when_used(folder, models):
    ensemble = Ensemble.open(folder)
    assert Ensemble.is_one(folder)
    assert not Ensemble.is_one(folder / "run-001")
    assert len(ensemble) == 3
    (folder / "run-003" / "model.safetensors").unlink()  # not missed until it is used
    assert ensemble[0].vectors.tobytes() == models[0].vectors.tobytes()
    assert ensemble[0] is ensemble[0]
    assert [each.path.name for each in ensemble[:2]] == ["run-001", "run-002"]
    with pytest.raises(FormatError, match="run-003"):
        ensemble[-1]
    with pytest.raises(IndexError):
        ensemble[3]
    assert [run["seed"] for run in ensemble.manifest["runs"]] == [1, 2, 3]
    assert str(folder) in repr(ensemble)


def test_what_is_on_disk_agrees_as_in_memory(folder, models):
    assert Ensemble.open(folder).agreement(WORDS).to_dict() == Ensemble(models).agreement(WORDS).to_dict()


def change(**changes):
    def damage(folder):
        manifest = json.loads((folder / "ensemble.json").read_text())
        (folder / "ensemble.json").write_text(json.dumps({**manifest, **changes}))

    return damage


DAMAGES = {
    "missing-run": (lambda f: shutil.rmtree(f / "run-002"), "run-002"),
    "run-is-a-file": (lambda f: (shutil.rmtree(f / "run-002"), (f / "run-002").write_text("")), "run-002"),
    "no-manifest": (lambda f: (f / "ensemble.json").unlink(), "not an ensemble"),
    "empty": (lambda f: (f / "ensemble.json").write_text(""), "not valid JSON"),
    "list": (lambda f: (f / "ensemble.json").write_text("[]"), "not an object"),
    "deep": (lambda f: (f / "ensemble.json").write_text("[" * 100_000), "not valid JSON"),
    "later": (change(format_version=2), "install a newer"),
    "version": (change(format_version="1"), "format_version is '1'"),
    "true": (change(format_version=True), "format_version is True"),
    "no-runs": (change(runs=[]), "names no runs"),
    "runs-number": (change(runs=3), "names no runs"),
    "runs-names": (change(runs=["run-001"]), "None is not the folder of a run"),
    "twice": (change(runs=[{"folder": "run-001"}] * 2), "names run-001 twice"),
    "outside": (change(runs=[{"folder": "../run-001"}]), "not the folder of a run"),
    "absolute": (change(runs=[{"folder": "/etc"}]), "not the folder of a run"),
    "newline": (change(runs=[{"folder": "run-001\n"}]), "not the folder of a run"),
    "number": (change(runs=[{"folder": 1}]), "not the folder of a run"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_folder_is_named(folder, name):
    damage, message = DAMAGES[name]
    damage(folder)
    with pytest.raises(FormatError, match=message) as caught:
        Ensemble.open(folder)
    assert "ensemble" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["model.safetensors", "vocabulary", "wordgeo.json"])
def test_a_damaged_run_is_named_when_it_is_used(folder, file):
    ensemble = Ensemble.open(folder)
    path = folder / "run-002" / file
    path.write_bytes(path.read_bytes()[:-1] if file != "wordgeo.json" else b"{")
    with pytest.raises(FormatError, match="run-002"):
        ensemble.agreement(["w1"])


def test_what_is_no_ensemble(folder, tmp_path):
    with pytest.raises(NotFoundError):
        Ensemble.open(tmp_path / "none")
    partial = folder.rename(tmp_path / ".ensemble.0123abcd.partial")
    with pytest.raises(WordgeoError, match="never finished"):
        Ensemble.open(partial)
