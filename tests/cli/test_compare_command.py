"""Change at the command line: planted drift against re-splits of the documents, finished models, two languages."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy import stats

import wordgeo as wg
from wordgeo.corpus import Documents, encode
from wordgeo.corpus.planted import generate
from wordgeo.corpus.pooling import pool
from wordgeo.errors import CorpusError, OptionError
from wordgeo.training import TrainingConfig, train_embeddings

OPTIONS = {"algorithm": "cbow", "dim": 16, "epochs": 4, "sample": 0, "threads": 1, "alpha": 0.05, "min_count": 10}


def good(done):
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """Two slices of the planted world, encoded and trained."""
    folder = tmp_path_factory.mktemp("slices")
    patch = pytest.MonkeyPatch()
    patch.setenv("WORDGEO_CACHE", str(folder / "cache"))
    world = generate(160_000, seed=3, drift=0.3, tables=("countries",))
    for part in (1, 2):
        encode(Documents(world.documents(part)), folder / f"{part}.corpus")
        wg.train(folder / f"{part}.corpus", output=folder / f"{part}.model", **OPTIONS)
    yield folder, world
    patch.undo()


def test_a_pooled_corpus_holds_both(slices):
    folder, _ = slices
    parts = [wg.EncodedCorpus.open(folder / f"{part}.corpus") for part in (1, 2)]
    pooled = pool(*parts)
    pooled.check()
    assert pool(*parts).path == pooled.path

    def words(corpus):
        return [corpus.vocabulary.words[i] for i in corpus.ids.tolist()]

    assert words(pooled) == words(parts[0]) + words(parts[1])
    assert np.diff(pooled.sentences).tolist() == [x for part in parts for x in np.diff(part.sentences).tolist()]
    assert np.diff(pooled.documents).tolist() == [x for part in parts for x in np.diff(part.documents).tolist()]
    again = encode(Documents(generate(1000, seed=1).documents()), folder / "other.corpus", case="keep")
    with pytest.raises(CorpusError, match=r"different ways \(case"):
        pool(parts[0], again)


def test_the_parts_as_they_lie_are_the_corpora(slices):
    from wordgeo.training import train_splits

    folder, _ = slices
    parts = [wg.EncodedCorpus.open(folder / f"{part}.corpus") for part in (1, 2)]
    real, null = train_splits(*parts, TrainingConfig(**OPTIONS), resplits=1)
    for model, corpus in zip(real, parts, strict=True):
        alone = train_embeddings(corpus, TrainingConfig(**OPTIONS))
        assert model.words == alone.words
        assert model.vectors.tobytes() == alone.vectors.tobytes()
    assert len(null) == 1
    assert null[0][0].provenance["resample"]["first"] == len(parts[0].documents) - 1


def test_planted_drift_stands_out_from_the_null(wordgeo, slices, tmp_path):
    """Words that drifted have far smaller p than those that did not, whose p are those of no change."""
    folder, world = slices
    report = json.loads(
        good(
            wordgeo(
                "compare", folder / "1.model", folder / "2.model", "--corpora", folder / "1.corpus",
                folder / "2.corpus", "--resplits", 3, "--neighbors", 50, "--format", "json",
                "--html", tmp_path / "c.html", "--csv", tmp_path / "c.csv",
            )
        )
    )  # fmt: skip
    assert report["null_pairs"] == 3
    assert "3 re-splits are few" in report["verdict"]
    planted = {drift.word for drift in world.truth.drifted}
    drifted = np.array([word in planted for word in report["words"]["words"]])
    assert drifted.sum() >= 20
    for name in ("cosine_p", "overlap_p"):
        p = np.array(report["words"][name])
        assert stats.mannwhitneyu(p[drifted], p[~drifted], alternative="less").pvalue < 1e-4
        assert 0.4 < np.median(p[~drifted]) < 0.65
    assert set(report["changed"]) <= planted
    assert report["measure"] == "cosine"
    by_overlap = wordgeo(
        "compare", folder / "1.model", folder / "2.model", "--corpora", folder / "1.corpus", folder / "2.corpus",
        "--resplits", 3, "--measure", "overlap", "--format", "json",
    )  # fmt: skip
    assert (json.loads(good(by_overlap))["measure"], by_overlap.err) == ("overlap", "")
    page = (tmp_path / "c.html").read_text()
    assert "<svg" in page
    assert not re.search(r"(src|href)=|https?://|<script", page)
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 1 + report["shared"]


def test_finished_models_have_no_null(wordgeo, slices):
    folder, _ = slices
    ask = ("compare", folder / "1.model", folder / "2.model", "--neighbors", 20)
    assert "No word can be called changed" in good(wordgeo(*ask))
    found = json.loads(good(wordgeo(*ask, "--format", "json")))
    assert found["changed"] == []
    assert found == json.loads(json.dumps(
        wg.compare(folder / "1.model", folder / "2.model", neighbors=20).to_dict()))  # fmt: skip


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["1.model", "2.model", "--corpora", "2.corpus", "1.corpus"], 1, "is not the corpus of"),
        (["1.model", "2.model", "--corpora", "1.corpus", "2.corpus", "--resplits", "0"], 2, "resplits is 0"),
        (["1.model", "2.model", "--neighbors", "100000"], 2, "share"),
        (["1.model", "2.model", "--alpha", "2"], 2, "alpha is 2"),
        (["1.model", "2.model", "--csv", "."], 1, "is a folder; name a file"),
        (["1.model", "nowhere"], 1, "does not exist"),
        (["1.model", "2.model", "--test", "nowhere"], 2, "give --dictionary too"),
        (["1.model", "2.model", "--dictionary", "nowhere"], 1, "does not exist"),
        (["1.model", "2.model", "--dictionary", "nowhere", "--neighbors", "3"], 2, "two languages"),
    ],
)
def test_bad_usage_is_one_line(wordgeo, slices, monkeypatch, args, code, message):
    monkeypatch.chdir(slices[0])
    done = wordgeo("compare", *args)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_models_trained_with_other_options_are_refused(slices, tmp_path):
    folder, _ = slices
    other = wg.train(folder / "2.corpus", output=tmp_path / "other", **{**OPTIONS, "window": 2})
    corpora = (folder / "1.corpus", folder / "2.corpus")
    with pytest.raises(OptionError, match="with other options"):
        wg.compare(wg.load(folder / "1.model"), other, corpora=corpora)
    runs = wg.Ensemble.of([folder / "1.model", folder / "2.model"])
    with pytest.raises(OptionError, match="a null is for one model a side"):
        wg.compare(runs, folder / "2.model", corpora=corpora)


def test_two_languages(wordgeo, tmp_path):
    draw = np.random.default_rng(1)
    meanings = draw.normal(size=(200, 10))
    turn, _ = np.linalg.qr(draw.normal(size=(10, 10)))
    noisy = (meanings + 0.2 * draw.normal(size=meanings.shape)) @ turn
    for name, vectors in (("en", meanings), ("fr", noisy)):
        wg.save(wg.from_arrays([f"{name}{i}" for i in range(200)], vectors), tmp_path / name)
    (tmp_path / "train.txt").write_text("".join(f"en{i} fr{i}\n" for i in range(50)))
    (tmp_path / "test.txt").write_text("".join(f"en{i} fr{i}\n" for i in range(50, 200)) + "en1 unknown\n")
    ask = ("compare", tmp_path / "en", tmp_path / "fr", "--dictionary", tmp_path / "train.txt",
           "--test", tmp_path / "test.txt", "--refine", 1)  # fmt: skip
    found = json.loads(good(wordgeo(*ask, "--format", "json")))
    assert found["precision"]["asked"] == 150
    assert found["precision"]["precision"][0] > 0.9
    assert set(found) == {"alignment", "precision", "isometry"}
    printed = good(wordgeo(*ask, "--html", tmp_path / "l.html"))
    assert "relational similarity" in printed
    page = (tmp_path / "l.html").read_text()
    assert "relational similarity" in page
    assert "Share of 150 words whose translation is found by csls" in page
