"""Resampled runs: which documents are walked, what is trained on them and recorded, and that it can be repeated."""

import dataclasses
import json
from collections import Counter

import numpy as np
import pytest

from wordgeo.corpus import Documents, encode
from wordgeo.errors import OptionError, TrainingError
from wordgeo.formats import load
from wordgeo.training import Resample, TrainingConfig, document_order, reproduce, train, train_embeddings
from wordgeo.training.resample import count_words, unit_offsets
from wordgeo.training.sentences import RARE, Sentences

SMALL = TrainingConfig(dim=8, epochs=1, min_count=2, sample=0, threads=1)
DOCUMENTS = [f"d{i} the cat sat\non the mat {'x ' * (i % 4)}\nword{i % 7}" for i in range(40)]


@pytest.fixture
def corpus(tmp_path):
    return encode(Documents(DOCUMENTS), tmp_path / "corpus", tokens="whitespace")


def document(corpus, i):
    """The sentences of document i."""
    offsets = corpus.documents[i : i + 2].tolist()
    words = corpus.vocabulary.words
    return [
        [words[j] for j in corpus.ids[corpus.sentences[s] : corpus.sentences[s + 1]].tolist()] for s in range(*offsets)
    ]


def test_orders(corpus):
    assert document_order(corpus, "none", 1).tolist() == list(range(40))
    shuffled = document_order(corpus, "shuffle", 1)
    assert sorted(shuffled.tolist()) == list(range(40)) != shuffled.tolist()
    drawn = document_order(corpus, "bootstrap", 1)
    assert drawn.dtype == np.int64
    assert len(drawn) == 40 > len(set(drawn.tolist()))
    assert (document_order(corpus, "bootstrap", 1) == drawn).all()
    assert (document_order(corpus, "bootstrap", 2) != drawn).any()
    with pytest.raises(OptionError, match="resample is 'some'"):
        document_order(corpus, "some", 1)


def test_each_document_is_drawn_as_often_as_chance_says(corpus):
    """Counts are multinomial: over 400 draws of 40 documents, χ² of the totals is within its bounds (p > 1e-6)."""
    from scipy import stats

    total = sum(np.bincount(document_order(corpus, "bootstrap", seed), minlength=40) for seed in range(400))
    assert stats.chisquare(total).pvalue > 1e-6


@pytest.mark.parametrize("blocks", [None, 3])
def test_sentences_walk_the_order(corpus, monkeypatch, blocks):
    if blocks:
        for name in ("SENTENCES_A_BLOCK", "UNITS_A_BLOCK"):
            monkeypatch.setattr(f"wordgeo.training.sentences.{name}", blocks)
        monkeypatch.setattr("wordgeo.training.sentences.LONGEST_SENTENCE", 4)
        monkeypatch.setattr("wordgeo.training.sentences.TOKENS_A_BLOCK", 6)
    order = document_order(corpus, "bootstrap", 3)
    found = Sentences(corpus, corpus.vocabulary, order)
    whole = [sentence for i in order for sentence in document(corpus, i)]
    longest = 4 if blocks else 10_000
    expected = [s[at : at + longest] for s in whole for at in range(0, len(s), longest)]
    assert list(found) == list(found) == expected
    assert (found.walk.pieces, found.walk.tokens) == (len(expected), sum(map(len, whole)))
    assert found.walk.cut == sum(len(s) > longest for s in whole)


def test_a_single_document_gives_its_sentences_with_a_warning(tmp_path, caplog):
    one = encode(Documents(["a b\nc d\na d\nb b c"]), tmp_path / "one")
    order = document_order(one, "bootstrap", 1)
    assert len(order) == 4 == len(unit_offsets(one)) - 1
    assert "too narrow" in caplog.text
    sentences = document(one, 0)
    assert list(Sentences(one, one.vocabulary, order)) == [sentences[i] for i in order]


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        TrainingConfig(algorithm="glove", dim=4, min_count=2, epochs=2, threads=2),
        TrainingConfig(algorithm="ppmi", dim=4, min_count=2, sample=0.01, bounds="document", threads=2),
    ],
    ids=lambda config: config.algorithm,
)
def test_a_resampled_run_is_that_of_the_text_written_out(corpus, tmp_path, config):
    """The bytes are those of a training on a corpus that holds the drawn documents, one after another."""
    sample = Resample("bootstrap", 5, vocabulary=True)
    texts = ["\n".join(map(" ".join, document(corpus, i))) for i in sample.order(corpus)]
    written = encode(Documents(texts), tmp_path / "written", tokens="whitespace")
    model = train_embeddings(corpus, config, resample=sample)
    other = train_embeddings(written, config)
    assert model.words == other.words
    assert model.counts.tolist() == other.counts.tolist()
    assert model.vectors.tobytes() == other.vectors.tobytes()
    assert model.provenance["resample"] == {
        "how": "bootstrap", "seed": 5, "vocabulary": True, "part": None, "first": None, "unit": "document", "absent": 0,
    }  # fmt: skip


def test_words_are_those_of_the_corpus_unless_asked(corpus):
    sample = Resample("bootstrap", 5)
    model = train_embeddings(corpus, dataclasses.replace(SMALL, min_count=1), resample=sample)
    assert model.words == corpus.vocabulary.words
    assert model.counts.tolist() == corpus.vocabulary.counts.tolist()
    drawn = Counter(word for i in sample.order(corpus) for s in document(corpus, i) for word in s)
    assert model.provenance["resample"]["absent"] == sum(word not in drawn for word in model.words) > 0
    counted = count_words(corpus, sample.order(corpus))
    assert {w: c for w, c in zip(corpus.vocabulary.words, counted.tolist(), strict=True) if c} == drawn


def test_parts_of_a_split(corpus):
    for seed in (0, 3):
        parts = [Resample("split", seed, vocabulary=True, part=part, first=15).order(corpus) for part in (0, 1)]
        assert [len(part) for part in parts] == [15, 25]
        assert sorted(np.concatenate(parts).tolist()) == list(range(40))
    assert Resample("split", 0, part=0, first=15).order(corpus).tolist() == list(range(15))
    for wrong in ({"how": "split"}, {"how": "split", "part": 2, "first": 3}, {"how": "shuffle", "part": 1, "first": 2}):
        with pytest.raises(OptionError, match="a split has a part"):
            Resample(seed=1, **wrong)
    with pytest.raises(OptionError, match="from 1 to 39"):
        Resample("split", 1, part=0, first=40).order(corpus)


def test_ensembles_of_each_kind(corpus, tmp_path):
    made = {
        name: train(corpus, SMALL, output=tmp_path / name, runs=2, **options)
        for name, options in {
            "bootstrap": {"resample": "bootstrap"},
            "fixed": {"resample": "bootstrap", "fix_seed": True},
            "shuffle": {"resample": "shuffle", "fix_seed": True},
        }.items()
    }
    for name, models in made.items():
        assert models[0].words == models[1].words
        assert models[0].vectors.tobytes() != models[1].vectors.tobytes()
        seeds = [model.provenance["seed"] for model in models]
        assert seeds == ([1, 2] if name == "bootstrap" else [1, 1])
        assert [model.provenance["resample"]["seed"] for model in models] == [1, 2]
    manifest = json.loads((tmp_path / "fixed" / "ensemble.json").read_text())
    assert manifest["resample"] == {"how": "bootstrap", "unit": "document", "vocabulary": False}
    assert [run["resample"]["seed"] for run in manifest["runs"]] == [1, 2]
    alone = train(corpus, SMALL, resample=Resample("bootstrap", 2))
    assert alone.vectors.tobytes() == made["fixed"][1].vectors.tobytes()


def test_a_resampled_run_is_reproduced(corpus, tmp_path):
    train(corpus, SMALL, output=tmp_path / "runs", runs=2, resample="bootstrap", resample_vocabulary=True)
    found = reproduce(tmp_path / "runs" / "run-002", tmp_path / "again", corpus=corpus)
    assert found.same
    again, first = load(tmp_path / "again"), load(tmp_path / "runs" / "run-002")
    assert again.provenance == first.provenance


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resample": "half", "runs": 2}, "resample is 'half'"),
        ({"fix_seed": True, "runs": 2}, "fix_seed has a meaning for resampled runs"),
        ({"fix_seed": True, "resample": "bootstrap"}, "fix_seed holds the seed of several runs"),
        ({"resample_vocabulary": True, "runs": 2}, "resample_vocabulary has a meaning"),
        ({"workers": 0}, "workers is 0"),
        ({"workers": 2, "runs": 2}, "for several runs with an output"),
        ({"backend": "cluster"}, "backend is 'cluster'"),
        ({"resample": Resample("shuffle", 1), "runs": 2}, "a Resample is one sample"),
    ],
)
def test_options_that_do_not_go_together(corpus, options, message):
    with pytest.raises(OptionError, match=message):
        train(corpus, SMALL, **options)


@pytest.mark.parametrize("how", ["none", "shuffle"])
def test_ppmi_has_runs_only_of_samples_that_differ(corpus, how):
    config = TrainingConfig(algorithm="ppmi", dim=4, min_count=2, threads=1)
    with pytest.raises(OptionError, match="ppmi draws nothing, so its runs would be equal"):
        train(corpus, config, runs=2, resample=how)
    first, second = train(corpus, config, runs=2, resample="bootstrap")
    assert first.words == second.words
    assert first.vectors.tobytes() != second.vectors.tobytes()


def test_going_on_takes_the_whole_corpus(corpus):
    start = train_embeddings(corpus, SMALL, keep_training_state=True)
    with pytest.raises(OptionError, match="takes no resample"):
        train_embeddings(corpus, SMALL, start_from=start, resample=Resample("shuffle", 1))


def test_a_sample_in_which_nothing_is_frequent(tmp_path):
    texts = [f"a{i} b{i}" for i in range(30)]
    corpus = encode(Documents(texts), tmp_path / "rare")
    with pytest.raises(TrainingError, match="no word occurs 100 times"):
        train_embeddings(
            corpus, dataclasses.replace(SMALL, min_count=100), resample=Resample("shuffle", 1, vocabulary=True)
        )
    assert RARE == ""
