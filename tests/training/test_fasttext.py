"""FastText: gensim's vectors bit for bit, n-grams kept, words that were never seen, folders and files."""

from __future__ import annotations

import json
import pickle
import random

import numpy as np
import pytest
from gensim.models import FastText
from gensim.models.fasttext import ft_ngram_hashes, load_facebook_vectors
from gensim.test.utils import datapath

import wordgeo as wg
from wordgeo.cli import main
from wordgeo.errors import FormatError, OptionError, UnknownWordError
from wordgeo.formats import export, from_gensim, load, safetensors, save
from wordgeo.subwords import Subwords, ngram_buckets
from wordgeo.training import TrainingConfig, train_embeddings

SMALL = TrainingConfig(
    algorithm="fasttext", dim=8, epochs=2, min_count=2, threads=1, min_n=1, max_n=3, bucket=20_000, negative=3
)


@pytest.fixture(scope="module")
def pair(zipf, zipf_corpus):
    """A model of ours and gensim's own, on the same sentences."""
    ours = train_embeddings(zipf_corpus, SMALL)
    theirs = FastText(
        sg=1, vector_size=8, epochs=2, min_count=2, workers=1, min_n=1, max_n=3, bucket=20_000, negative=3, seed=1,
        sorted_vocab=0,
    )  # fmt: skip
    counts = dict(zip(ours.words, ours.counts.tolist(), strict=True))
    theirs.build_vocab_from_freq(counts, corpus_count=len(zipf))
    theirs.train(zipf, total_examples=len(zipf), epochs=2)
    return ours, theirs


def test_ngrams_are_hashed_as_in_gensim():
    draw = random.Random(5)
    for _ in range(2000):
        word = "".join(draw.choice("abcdéñ日本🎉ß'") for _ in range(draw.randint(1, 9)))
        low = draw.randint(1, 4)
        sizes = low, low + draw.randint(0, 3), draw.choice([7, 1000, 2_000_000, 2**31 - 1])
        assert ngram_buckets(word, *sizes) == ft_ngram_hashes(word, *sizes)


def test_vectors_are_gensims(pair):
    ours, theirs = pair
    assert ours.words == theirs.wv.index_to_key
    assert ours.vectors.tobytes() == theirs.wv.vectors.tobytes()
    assert ours.provenance["parameters"]["max_n"] == 3
    assert ours.run["epochs"][0]["loss"] is None


def test_words_never_seen_have_gensims_vectors_where_all_their_buckets_are_kept(pair):
    ours, theirs = pair
    kept = set(ours.subwords.buckets.tolist())
    assert 50 < len(kept) < 20_000
    np.testing.assert_array_equal(ours.subwords.vectors, theirs.wv.vectors_ngrams[ours.subwords.buckets])
    words = [f"w{i}" for i in range(2000)]
    whole = [word for word in words if kept.issuperset(ngram_buckets(word, 1, 3, 20_000)) and word not in ours]
    assert len(whole) > 20
    for word in whole:
        assert ours[word].tobytes() == theirs.wv[word].tobytes()


def test_buckets_that_no_word_uses_are_left_out_of_the_mean():
    vectors = np.array([[1, 0], [0, 3]], dtype=np.float32)
    first, second = ngram_buckets("ab", 3, 3, 1000)  # <ab and ab>
    some = Subwords(np.array([first], dtype=np.uint32), vectors[:1], min_n=3, max_n=3, bucket=1000)
    assert some.compose("ab").tolist() == [1, 0]
    assert some.compose("zz") is None
    assert some.compose("\ud800") is None
    order = np.argsort([first, second])
    both = Subwords(np.sort([first, second]).astype(np.uint32), vectors[order], min_n=3, max_n=3, bucket=1000)
    assert both.compose("ab").tolist() == [0.5, 1.5]
    none = Subwords(np.zeros(0, dtype=np.uint32), vectors[:0], min_n=3, max_n=3, bucket=1000)
    assert none.compose("ab") is None


def test_a_folder_keeps_them(pair, tmp_path):
    ours, _ = pair
    save(ours, tmp_path / "model")
    opened = wg.load(tmp_path / "model")
    assert opened["w1w2"].tobytes() == ours["w1w2"].tobytes()
    assert not opened["w1w2"].flags.writeable
    found = opened.similar("w1w2", k=5)
    assert len(found) == 5
    assert found.query == "w1w2"
    by_vector = opened.similar(ours["w1w2"], k=5)
    assert (found.words, found.scores.tolist()) == (by_vector.words, by_vector.scores.tolist())
    both = opened.similar_batch(["w3", "w1w2"], k=5)
    assert both[0].words == opened.similar("w3", k=5).words
    assert "w3" not in both[0].words
    assert both[1].words == found.words
    kept = set(ours.subwords.buckets.tolist())
    strange = next(w for w in "日本語文字" if kept.isdisjoint(ngram_buckets(w, 1, 3, 20_000)))
    with pytest.raises(UnknownWordError):
        opened[strange]
    with pytest.raises(UnknownWordError):
        opened.similar(strange)
    assert "w1w2" not in opened
    for model in (opened, wg.query.WordVectors.of(ours)):
        assert pickle.loads(pickle.dumps(model))["w1w2"].tobytes() == ours["w1w2"].tobytes()
    assert "mean\n  of its n-grams" in (tmp_path / "model" / "README.md").read_text()
    facts = json.loads((tmp_path / "model" / "wordgeo.json").read_text())
    assert facts["subwords"] == {"min_n": 1, "max_n": 3, "bucket": 20_000}
    assert set(safetensors.read_header(tmp_path / "model" / "subwords.safetensors")) == {"embeddings", "buckets"}
    again = tmp_path / "again"
    save(load(tmp_path / "model"), again)
    for name in ("subwords.safetensors", "wordgeo.json", "model.safetensors"):
        assert (again / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_a_damaged_folder_is_told(pair, tmp_path):
    ours, _ = pair
    save(ours, tmp_path / "model")
    path = tmp_path / "model" / "subwords.safetensors"
    safetensors.write(path, {"embeddings": [ours.subwords.vectors], "buckets": [ours.subwords.buckets[::-1]]})
    with pytest.raises(FormatError, match="ascend"):
        load(tmp_path / "model")
    safetensors.write(path, {"embeddings": [ours.subwords.vectors[:, :4]], "buckets": [ours.subwords.buckets]})
    with pytest.raises(FormatError, match="dimensions"):
        load(tmp_path / "model")
    marker = tmp_path / "model" / "wordgeo.json"
    facts = json.loads(marker.read_text())
    for wrong in (7, {"min_n": 1}, {"min_n": 0, "max_n": 3, "bucket": 20_000}, {"min_n": 1, "max_n": 3, "bucket": 2}):
        marker.write_text(json.dumps(facts | {"subwords": wrong}))
        with pytest.raises(FormatError):
            load(tmp_path / "model")
    marker.write_text(json.dumps(facts))
    path.unlink()
    with pytest.raises(wg.WordgeoError, match=r"subwords\.safetensors"):
        load(tmp_path / "model")


def test_gensims_models_bring_theirs(pair):
    ours, theirs = pair
    model = from_gensim(theirs)
    assert model["w1w2"].tobytes() == ours["w1w2"].tobytes()

    vectors = load_facebook_vectors(datapath("toy-model.bin"))
    read = from_gensim(vectors)
    kept = set(read.subwords.buckets.tolist())
    sizes = vectors.min_n, vectors.max_n, vectors.bucket
    pieces = {word[i:j] for word in read.words for i in range(len(word)) for j in range(i + 1, len(word) + 1)}
    unseen = [piece for piece in pieces if piece not in read and kept.issuperset(ngram_buckets(piece, *sizes))]
    for word in [*read.words, *unseen]:
        assert read[word].tobytes() == vectors[word].tobytes()


def test_vec_files_go_out_and_in(pair, tmp_path):
    ours, _ = pair
    export(ours, tmp_path / "model.vec")
    read = load(tmp_path / "model.vec")
    assert read.vectors.tobytes() == ours.vectors.tobytes()
    assert read.subwords is None


def test_the_command_line(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat .\nthe dog sat on the log .\n" * 40)
    options = ["--algorithm", "fasttext", "--dim", "8", "--bucket", "1000", "--min-n", "2", "--threads", "1"]
    for args, code in (
        (["train", text, "-o", tmp_path / "m", *options, "--epochs", "1"], 0),
        (["similar", tmp_path / "m", "cats"], 0),
        (["train", text, "-o", tmp_path / "n", *options, "--max-n", "1"], 2),
        (["train", text, "-o", tmp_path / "n", *options, "--keep-training-state"], 2),
        (["train", text, "-o", tmp_path / "n", "--bucket", "5"], 2),
    ):
        with pytest.raises(SystemExit) as leaving:
            main([str(arg) for arg in args])
        assert leaving.value.code == code, capsys.readouterr().err
    with pytest.raises(OptionError, match="fasttext"):
        wg.train(text, algorithm="fasttext", keep_training_state=True)
