"""Going on with a training: the bytes of gensim's own model going on, new words, what is kept, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from gensim.models import Word2Vec

import wordgeo as wg
from wordgeo.cli import main
from wordgeo.errors import FormatError, OptionError, TrainingError
from wordgeo.formats import load, safetensors, save
from wordgeo.training import TrainingConfig, next_config, train, train_embeddings

SMALL = TrainingConfig(engine="gensim", dim=8, epochs=2, min_count=2, threads=1)
CBOW = dataclasses.replace(SMALL, algorithm="cbow", cbow_mean=False, window=3, seed=9)


def gensims_own(config, sentences, like):
    """gensim's model after the same training, with the words in the order of `like`."""
    model = Word2Vec(
        sg=int(config.algorithm == "skipgram"), vector_size=8, epochs=2, min_count=2, workers=1, seed=config.seed,
        window=config.window, cbow_mean=int(config.cbow_mean), sorted_vocab=0,
    )  # fmt: skip
    counts = dict(zip(like.words, like.counts.tolist(), strict=True))
    model.build_vocab_from_freq(counts, corpus_count=len(sentences))
    model.train(sentences, total_examples=len(sentences), epochs=2)
    return model


@pytest.mark.parametrize("config", [SMALL, CBOW], ids=["skipgram", "cbow"])
def test_gensim_goes_on_with_the_bytes_of_its_own_model(zipf, zipf_corpus, tmp_path, config):
    save(train_embeddings(zipf_corpus, config, keep_training_state=True), tmp_path / "model")
    opened = load(tmp_path / "model")
    own, ours = gensims_own(config, zipf, opened), opened.to_gensim(trainable=True)
    assert ours.wv.vectors.tobytes() == own.wv.vectors.tobytes()
    for model in (own, ours):
        model.train(zipf, total_examples=len(zipf), epochs=1)
    assert ours.wv.vectors.tobytes() == own.wv.vectors.tobytes()
    assert ours.syn1neg.tobytes() == own.syn1neg.tobytes()
    assert opened.vectors.tobytes() != own.wv.vectors.tobytes()  # the arrays are copies
    # and our own going on, with the same text, is the same again
    went_on = train_embeddings(zipf_corpus, dataclasses.replace(config, epochs=1), start_from=opened)
    assert went_on.words == opened.words
    assert went_on.vectors.tobytes() == own.wv.vectors.tobytes()
    np.testing.assert_array_equal(went_on.counts, 2 * opened.counts)


def test_new_words_come_in_by_count_and_old_ones_stay(encoded, tmp_path):
    first = encoded([["a", "b", "c"], ["c", "a", "b"], ["b", "rare", "a"]] * 20)
    config = dataclasses.replace(SMALL, min_count=41, sample=0)
    start = train_embeddings(first, config, keep_training_state=True)
    assert set(start.words) == {"a", "b"}
    second = encoded([["new", "a", "new"], ["c", "new", "seldom"]] * 15)
    grown = train_embeddings(second, dataclasses.replace(config, min_count=20), start_from=start)
    # a: 60 + 15; b stays with 60; new: 45; c (15) and seldom (15) are too rare here
    assert list(zip(grown.words, grown.counts.tolist(), strict=True)) == [("a", 75), ("b", 60), ("new", 45)]
    assert grown.training_state is None
    # b does not occur in the second text, so nothing moved it; its output was noise for others
    assert grown["b"].tobytes() == start["b"].tobytes()
    assert grown["a"].tobytes() != start["a"].tobytes()
    assert grown.provenance["started_from"] == [start.provenance]
    again = train_embeddings(second, dataclasses.replace(config, min_count=20), start_from=start)
    assert again.vectors.tobytes() == grown.vectors.tobytes()
    third = train_embeddings(
        second, config, start_from=train_embeddings(second, config, start_from=start, keep_training_state=True)
    )
    assert len(third.provenance["started_from"]) == 2
    assert "started_from" not in third.provenance["started_from"][1]


def test_options_of_the_model_hold_where_none_are_given(encoded, tmp_path):
    corpus = encoded([["a", "b", "c"], ["c", "b", "a"]] * 30)
    options = {"dim": 7, "window": 2, "min_count": 3, "threads": 1, "seed": 5, "epochs": 3, "sample": 0}
    model = wg.train(corpus, **options, output=tmp_path / "first", keep_training_state=True)
    assert next_config(model, epochs=1).window == 2
    went_on = wg.train(corpus, start_from=tmp_path / "first", epochs=1, output=tmp_path / "second")
    assert went_on.provenance["parameters"] == model.provenance["parameters"] | {"epochs": 1}
    assert went_on.provenance["seed"] == 5
    assert train(corpus, start_from=model).provenance["parameters"] == model.provenance["parameters"]
    assert wg.load(tmp_path / "second").training_state is None


def test_state_survives_the_folder_and_damage_is_told(encoded, tmp_path):
    corpus = encoded([["a", "b", "c"], ["c", "b", "a"]] * 30)
    model = train_embeddings(corpus, SMALL, keep_training_state=True)
    assert train_embeddings(corpus, SMALL).vectors.tobytes() == model.vectors.tobytes()
    save(model, tmp_path / "m")
    state = load(tmp_path / "m").training_state
    assert state.output.tobytes() == model.training_state.output.tobytes()
    assert state.random.tobytes() == model.training_state.random.tobytes()
    (tmp_path / "m" / "training.safetensors").unlink()  # it is mapped: writing into it would change what is open
    safetensors.write(tmp_path / "m" / "training.safetensors", {"output": [state.output[:2]], "random": [state.random]})
    with pytest.raises(FormatError, match="training state"):
        load(tmp_path / "m")


def test_what_cannot_go_on_is_refused(encoded, tmp_path):
    corpus = encoded([["a", "b", "c"], ["c", "b", "a"]] * 30)
    without = train_embeddings(corpus, SMALL)
    model = train_embeddings(corpus, SMALL, keep_training_state=True)
    for call in (lambda: train(corpus, SMALL, start_from=without), lambda: without.to_gensim(trainable=True)):
        with pytest.raises(TrainingError, match="training state"):
            call()
    for options in ({"dim": 9}, {"algorithm": "cbow"}, {"hs": True}):
        with pytest.raises(OptionError, match=f"{next(iter(options))} is .* leave it out"):
            wg.train(corpus, start_from=model, **options)
    with pytest.raises(OptionError, match="runs is 2"):
        wg.train(corpus, start_from=model, runs=2)
    with pytest.raises(OptionError, match="hs"):
        wg.train(corpus, hs=True, keep_training_state=True)
    with pytest.raises(TrainingError, match="no word of the model"):
        train(encoded([["x", "y"]] * 3), dataclasses.replace(SMALL, min_count=50), start_from=model)


def test_the_command_line(tmp_path, capsys):
    text, more = tmp_path / "text.txt", tmp_path / "more.txt"
    text.write_text("the cat sat on the mat .\nthe dog sat on the log .\n" * 40)
    more.write_text("the bird sat on the tree .\n" * 40)
    for args, code in (
        (["train", text, "-o", tmp_path / "a", "--dim", "8", "--threads", "1", "--keep-training-state"], 0),
        (["train", more, "-o", tmp_path / "b", "--start-from", tmp_path / "a"], 0),
        (["train", more, "-o", tmp_path / "c", "--start-from", tmp_path / "b"], 1),
        (["train", more, "-o", tmp_path / "c", "--start-from", tmp_path / "a", "--dim", "9"], 2),
    ):
        with pytest.raises(SystemExit) as leaving:
            main([str(arg) for arg in args])
        assert leaving.value.code == code, capsys.readouterr().err
    assert {"bird", "cat"} <= set(wg.load(tmp_path / "b").words)
    assert not (tmp_path / "c").exists()
