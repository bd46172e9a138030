"""Training: bit for bit gensim's vectors, the same bytes again, an exact loss, clear errors."""

import dataclasses
import hashlib
import logging
import os
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from gensim.models import Word2Vec

from wordgeo.corpus import EncodedCorpus
from wordgeo.errors import CorpusError, TrainingError
from wordgeo.training import TrainingConfig, train_embeddings
from wordgeo.training.gensim_engine import GensimWord2Vec
from wordgeo.training.sentences import LONGEST_SENTENCE, RARE, Sentences
from wordgeo.training.word2vec import _check_finite
from wordgeo.vocabulary import Vocabulary

SMALL = TrainingConfig(engine="gensim", dim=8, epochs=2, min_count=2, threads=1)

VARIANTS = {
    "skipgram": {},
    "cbow": {"algorithm": "cbow"},
    "cbow-sum": {"algorithm": "cbow", "cbow_mean": False},
    "skipgram-hs": {"hs": True, "negative": 0},
    "cbow-hs": {"algorithm": "cbow", "hs": True, "negative": 0},
    "skipgram-hs-and-negative": {"hs": True, "negative": 3},
    "fixed-windows": {"shrink_windows": False, "window": 3},
    "no-subsampling": {"sample": 0.0, "ns_exponent": 0.5},
    "rates": {"alpha": 0.05, "min_alpha": 0.0, "seed": 17},
    "rare-words-out": {"min_count": 40},
}


def plain_gensim(config, **more):
    values = {
        "vector_size": config.dim, "window": config.window, "negative": config.negative, "hs": int(config.hs),
        "ns_exponent": config.ns_exponent, "cbow_mean": int(config.cbow_mean),
        "sg": int(config.algorithm == "skipgram"),
        "shrink_windows": config.shrink_windows, "alpha": config.alpha, "min_alpha": config.min_alpha,
        "epochs": config.epochs, "min_count": config.min_count, "sample": config.sample, "seed": config.seed,
        "workers": 1,
    }  # fmt: skip
    return Word2Vec(**values, **more)


def gensim_in_order(config, sentences, found):
    """gensim with the words in the order of `found`, which differs from its own where counts are equal."""
    model = plain_gensim(config, sorted_vocab=0)
    counts = dict(zip(found.words, found.counts.tolist(), strict=True))
    model.build_vocab_from_freq(counts, corpus_count=len(sentences))
    model.train(sentences, total_examples=len(sentences), epochs=config.epochs, compute_loss=True)
    return model


def digest(embeddings):
    return hashlib.sha256(embeddings.vectors.tobytes() + "\n".join(embeddings.words).encode()).hexdigest()


class Recorder:
    """Progress that keeps what it is told, and can raise at the n-th report."""

    def __init__(self, raise_at=None, error=None):
        self.calls, self.raise_at, self.error, self.finished = [], raise_at, error, False

    def start(self, task, total, unit):
        self.task, self.total, self.unit = task, total, unit

    def advance(self, amount, note=""):
        self.calls.append((amount, note))
        if len(self.calls) == self.raise_at:
            raise self.error

    def finish(self):
        self.finished = True


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_bytes_are_those_of_gensim(zipf_corpus, zipf, options):
    config = dataclasses.replace(SMALL, **options)
    ours = train_embeddings(zipf_corpus, config)
    theirs = plain_gensim(config, sentences=zipf)
    assert ours.words == theirs.wv.index_to_key
    assert ours.vectors.tobytes() == theirs.wv.vectors.tobytes()
    assert ours.counts.tolist() == [theirs.wv.get_vecattr(word, "count") for word in ours.words]


def test_equal_counts_come_in_our_order(encoded):
    sentences = [["b", "a", "d", "c", "é", "Z"], ["a", "b", "c", "d", "Z", "é"]] * 30
    config = dataclasses.replace(SMALL, sample=0.0)
    ours = train_embeddings(encoded(sentences), config)
    assert ours.words == ["Z", "a", "b", "c", "d", "é"]
    assert ours.vectors.tobytes() == gensim_in_order(config, sentences, ours).wv.vectors.tobytes()


def test_rare_words_count_as_words_of_the_corpus(zipf_corpus, encoded, zipf):
    """They take room in gensim's batches of 10,000 words, so leaving them out beforehand would give other bytes."""
    config = dataclasses.replace(SMALL, min_count=40)
    frequent = train_embeddings(zipf_corpus, config)
    kept = set(frequent.words)
    without = [[word for word in sentence if word in kept] for sentence in zipf]
    assert digest(train_embeddings(encoded(without), config)) != digest(frequent)


def test_same_bytes_again_and_another_seed_gives_others(zipf_corpus):
    first, again = train_embeddings(zipf_corpus, SMALL), train_embeddings(zipf_corpus, SMALL)
    assert digest(first) == digest(again)
    assert first.provenance == again.provenance
    assert digest(first) != digest(train_embeddings(zipf_corpus, dataclasses.replace(SMALL, seed=2)))


FRESH = """
import hashlib
from wordgeo.corpus import EncodedCorpus
from wordgeo.training import TrainingConfig, train_embeddings
config = TrainingConfig(engine="gensim", dim=8, epochs=2, min_count=2, threads=1)
found = train_embeddings(EncodedCorpus.open({path!r}), config)
print(hashlib.sha256(found.vectors.tobytes() + "\\n".join(found.words).encode()).hexdigest())
"""


def test_same_bytes_in_a_fresh_process_with_another_hash_seed(zipf_corpus):
    code = FRESH.format(path=str(zipf_corpus.path))
    expected = digest(train_embeddings(zipf_corpus, SMALL))
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == expected


def test_provenance_says_how_to_make_it_again(zipf_corpus, caplog):
    config = dataclasses.replace(SMALL, algorithm="cbow", seed=5)
    with caplog.at_level(logging.WARNING, "wordgeo"):
        found = train_embeddings(zipf_corpus, config)
    assert not caplog.records
    told = found.provenance
    assert (told["algorithm"], told["engine"], told["seed"], told["threads"]) == ("cbow", "gensim", 5, 1)
    assert told["reproducible"] is True
    rebuilt = TrainingConfig(
        **{name: told[name] for name in ("algorithm", "engine", "seed", "threads")}, **told["parameters"]
    )
    assert rebuilt == config
    assert told["corpus"]["fingerprint"] == zipf_corpus.fingerprint
    assert told["corpus"]["token_count"] == len(zipf_corpus.ids)
    assert set(told["versions"]) == {"wordgeo", "gensim", "numpy", "scipy", "python"}
    assert "seconds" not in str(told)


def test_several_threads_are_said_not_to_be_reproducible(zipf_corpus, caplog):
    with caplog.at_level(logging.WARNING, "wordgeo"):
        found = train_embeddings(zipf_corpus, dataclasses.replace(SMALL, threads=2))
    assert found.provenance["reproducible"] is False
    assert found.provenance["threads"] == 2
    assert any("threads=1" in record.message for record in caplog.records)


# Loss


@pytest.mark.parametrize("name", ["skipgram", "cbow", "skipgram-hs", "cbow-hs"])
def test_loss_is_gensims_own_sum(zipf_corpus, encoded, zipf, name):
    config = dataclasses.replace(SMALL, **VARIANTS[name], epochs=1)
    one_batch = zipf[:500]
    assert 5_000 < sum(map(len, one_batch)) < 10_000
    found = train_embeddings(encoded(one_batch), config)
    theirs = gensim_in_order(config, one_batch, found)
    assert found.run["epochs"][0]["loss"] == theirs.get_latest_training_loss() > 0
    found = train_embeddings(zipf_corpus, config)
    theirs = gensim_in_order(config, zipf, found)  # by now its float32 sum has rounded off some 0.03 %
    assert found.run["epochs"][0]["loss"] == pytest.approx(theirs.get_latest_training_loss(), rel=1e-3)


def test_loss_is_by_epoch_and_by_trained_word_and_falls(encoded):
    """Two topics that never mix: there is something to learn."""
    sentences = [[f"{topic}{(i * k) % 7}" for k in range(1, 9)] for i in range(800) for topic in "ab"]
    config = dataclasses.replace(SMALL, epochs=4, sample=0.0, alpha=0.05)
    epochs = train_embeddings(encoded(sentences), config).run["epochs"]
    assert len(epochs) == 4
    assert all(epoch["trained_words"] == epoch["words"] == 1600 * 8 for epoch in epochs)
    assert [epoch["loss_per_word"] for epoch in epochs] == [epoch["loss"] / 12_800 for epoch in epochs]
    losses = [epoch["loss"] for epoch in epochs]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("threads", [1, 3])
def test_loss_is_the_float64_sum_over_batches_that_begin_at_zero(zipf, threads):
    """gensim carries its float32 sum from batch to batch, where from 2^24 on the terms are lost."""
    assert np.float32(2**27) + np.float32(0.7) == np.float32(2**27)
    batches = []

    class Watched(GensimWord2Vec):
        def _do_train_job(self, *job):
            before = self.running_training_loss
            result = super()._do_train_job(*job)
            batches.append((before, self.running_training_loss))
            return result

    model = Watched(progress=Recorder(), vector_size=8, min_count=2, workers=threads)
    model.build_vocab(zipf)
    model.train(zipf, total_examples=len(zipf), epochs=2, compute_loss=True)
    assert len(batches) == 2 * -(-sum(map(len, zipf)) // 10_000)
    assert all(before == 0 < after for before, after in batches)
    assert sum(epoch["loss"] for epoch in model.history) == pytest.approx(sum(after for _, after in batches), rel=1e-12)


def test_loss_is_not_shown_where_a_batch_is_too_coarse(encoded, zipf):
    wide = dataclasses.replace(SMALL, window=200, negative=20, epochs=1, dim=2)
    epoch = train_embeddings(encoded(zipf[:100]), wide).run["epochs"][0]
    assert epoch["loss"] is None
    assert epoch["loss_per_word"] is None
    assert epoch["words"] > 0


def test_progress_counts_every_word_and_shows_the_loss(zipf_corpus):
    progress = Recorder()
    found = train_embeddings(zipf_corpus, SMALL, progress=progress)
    assert progress.total == 2 * len(zipf_corpus.ids) == sum(amount for amount, _ in progress.calls)
    assert progress.unit == "words"
    assert progress.finished
    last = found.run["epochs"][-1]
    assert progress.calls[-1][1] == f"epoch 2 of 2, loss {last['loss_per_word']:.3f}"


# Errors and interruption: nothing hangs, nothing works on


def trained_by(engine_threads, sentences, error_after):
    class Failing:
        def __iter__(self):
            for i, sentence in enumerate(sentences * 40):
                if i == error_after:
                    raise OSError(5, "disk on fire")
                yield sentence

    model = GensimWord2Vec(progress=Recorder(), vector_size=8, min_count=2, workers=engine_threads)
    model.build_vocab(sentences)
    model.train(Failing(), total_examples=len(sentences) * 40, epochs=2)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error_after", [0, 5, 30_000])
def test_an_iterator_that_raises_ends_training(zipf, threads, error_after):
    before = threading.active_count()
    with pytest.raises(TrainingError, match="disk on fire") as caught:
        trained_by(threads, zipf, error_after)
    assert isinstance(caught.value.__cause__, OSError)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("bad", [["w1", ["w2"]], 7], ids=["worker", "producer"])
def test_a_thread_that_raises_ends_training(zipf, threads, bad):
    """A token that cannot be hashed raises in a worker's batch, a sentence without a length in the producer."""
    model = GensimWord2Vec(progress=Recorder(), vector_size=8, min_count=2, workers=threads)
    model.build_vocab(zipf)
    before = threading.active_count()
    with pytest.raises(TrainingError, match="TypeError"):
        model.train([*zipf, bad, *zipf], total_examples=2 * len(zipf) + 1, epochs=2)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_an_interruption_leaves_no_thread_at_work(zipf_corpus, threads, error):
    before = threading.active_count()
    progress = Recorder(raise_at=2, error=error)
    config = dataclasses.replace(SMALL, epochs=1000, threads=threads)
    with pytest.raises(type(error)):
        train_embeddings(zipf_corpus, config, progress=progress)
    assert threading.active_count() == before
    assert progress.finished
    assert len(progress.calls) == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interruption_while_every_worker_waits_to_report(zipf, threads):
    """gensim's queue of reports holds three for each worker; nobody reads them once training is interrupted."""
    done = threading.Semaphore(0)

    class Counted(GensimWord2Vec):
        def _do_train_job(self, *job):
            result = super()._do_train_job(*job)
            done.release()
            return result

    class Interrupting(Recorder):
        def advance(self, amount, note=""):
            for _ in range(1 + 4 * threads):
                assert done.acquire(timeout=60)
            raise KeyboardInterrupt

    model = Counted(progress=Interrupting(), vector_size=8, min_count=2, workers=threads)
    model.build_vocab(zipf)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        model.train(zipf * 10, total_examples=10 * len(zipf), epochs=2)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("sentences", "options", "message"),
    [
        ([["the", "cat"], ["the"]], {"min_count": 3}, "no word occurs 3 times or more.*'the', occurs 2 times"),
        ([["the", "cat"], ["the"]], {"min_count": 2}, "only 'the' occurs 2 times"),
        ([["a"], ["b"]] * 20, {}, "nothing was learned"),
        ([["a"], ["b"]] * 20, {"algorithm": "cbow"}, "nothing was learned"),
        ([["a"], ["b"]] * 20, {"hs": True, "negative": 0}, "nothing was learned"),
    ],
)
def test_nothing_to_learn(encoded, sentences, options, message):
    with pytest.raises(TrainingError, match=message):
        train_embeddings(encoded(sentences), dataclasses.replace(SMALL, **options))


def test_counts_beyond_32_bits(zipf):
    counts = {"w1": 3 * 2**33, "w2": 2**33, "w3": 2**32, "w4": 2}
    model = GensimWord2Vec(progress=Recorder(), vector_size=8, min_count=1, sorted_vocab=0, workers=1, sample=0)
    model.build_vocab_from_freq(dict(counts), corpus_count=len(zipf))
    assert [model.wv.get_vecattr(word, "count") for word in counts] == list(counts.values())
    shares = np.diff(model.cum_table, prepend=np.uint32(0)) / model.cum_table[-1]
    powers = np.array(list(counts.values()), dtype=float) ** 0.75
    np.testing.assert_allclose(shares, powers / powers.sum(), atol=1e-9)
    model.train(zipf, total_examples=len(zipf), epochs=1)
    assert np.isfinite(model.wv.vectors).all()


NO_MEMORY = """
import resource
from wordgeo.corpus import EncodedCorpus
from wordgeo.errors import TrainingError
from wordgeo.training import TrainingConfig, train_embeddings
import wordgeo.training.gensim_engine
corpus = EncodedCorpus.open({path!r})
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 64_000_000, -1))
try:
    train_embeddings(corpus, TrainingConfig(engine={engine!r}, dim=10_000, min_count=1, threads=2))
except TrainingError as problem:
    print(problem)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the memory of a process so")
@pytest.mark.parametrize("engine", ["gensim", "native"])
def test_too_little_memory_is_an_error(encoded, engine):
    corpus = encoded([[f"w{i}" for i in range(5_000)]] * 2)
    run = subprocess.run(
        [sys.executable, "-c", NO_MEMORY.format(path=str(corpus.path), engine=engine)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == (
        "not enough memory: 5000 words in 10000 dimensions need 0.4 GB; raise min_count or lower dim\n"
    )


def test_numbers_that_are_not_finite_are_refused():
    matrix = np.ones((3, 4), dtype=np.float32)
    words = Vocabulary.from_words(["a", "b", "c"])
    _check_finite(matrix, words)
    for value in (np.nan, np.inf):
        matrix[1, 2] = value
        with pytest.raises(TrainingError, match=r"'b' \(row 1\) is not finite; lower alpha"):
            _check_finite(matrix, words)


def test_large_rates_stay_finite(encoded, zipf):
    """gensim reads beyond its tables for NaN: the largest rate that is allowed must not lead there."""
    for options in ({}, {"algorithm": "cbow", "cbow_mean": False}, {"hs": True, "negative": 0}):
        config = dataclasses.replace(SMALL, alpha=1.0, min_alpha=1.0, epochs=5, **options)
        assert np.isfinite(train_embeddings(encoded(zipf[:500]), config).vectors).all()


# Sentences


def test_sentences_are_decoded_and_can_be_read_again(zipf_corpus, zipf):
    sentences = Sentences(zipf_corpus, zipf_corpus.vocabulary)
    assert list(sentences) == zipf == list(sentences)
    assert (sentences.walk.pieces, sentences.walk.cut) == (len(zipf), 0)


def test_rare_words_are_one_placeholder(encoded):
    corpus = encoded([["a", "a", "b"], ["c", "a", "b"]])
    assert list(Sentences(corpus, corpus.vocabulary.head(1))) == [["a", "a", RARE], [RARE, "a", RARE]]


def test_long_sentences_come_in_pieces_and_lose_nothing(encoded, caplog):
    lengths = [3, LONGEST_SENTENCE, LONGEST_SENTENCE + 1, 300_007, 1]
    words = [[f"w{i % 50}" for i in range(length)] for length in lengths]
    corpus = encoded(words)
    sentences = Sentences(corpus, corpus.vocabulary)
    pieces = list(sentences)
    assert [len(piece) for piece in pieces] == [3, 10_000, 10_000, 1, *[10_000] * 30, 7, 1]
    assert [word for piece in pieces for word in piece] == [word for sentence in words for word in sentence]
    assert (sentences.walk.pieces, sentences.walk.cut) == (len(pieces), 2)
    config = dataclasses.replace(SMALL, epochs=1, sample=0.0)
    with caplog.at_level(logging.INFO, "wordgeo"):
        found = train_embeddings(corpus, config)
    assert any("2 sentences of over 10000 words" in record.message for record in caplog.records)
    assert found.provenance["corpus"]["sentences_cut"] == 2
    assert found.run["epochs"][0]["trained_words"] == sum(lengths)  # gensim alone trains 20,005 of them
    assert found.vectors.tobytes() == gensim_in_order(config, pieces, found).wv.vectors.tobytes()


def test_mapped_ids_are_neither_modified_nor_copied_whole(zipf_corpus):
    files = {file: file.read_bytes() for file in zipf_corpus.path.iterdir()}
    assert isinstance(zipf_corpus.ids, np.memmap)
    assert Sentences(zipf_corpus, zipf_corpus.vocabulary).walk.ids is zipf_corpus.ids
    train_embeddings(zipf_corpus, SMALL)
    assert {file: file.read_bytes() for file in zipf_corpus.path.iterdir()} == files


def test_iterating_keeps_one_block_in_memory(encoded):
    """Two million tokens as lists of words would be 16 MB; a block of 2^18 is 2 MB."""
    corpus = encoded([["a", "b"] * 10] * 100_000)
    sentences = Sentences(corpus, corpus.vocabulary)
    tracemalloc.start()
    try:
        words = sum(len(sentence) for sentence in sentences)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert words == 2_000_000
    assert peak < 10e6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("beyond", [0, 2**31])
def test_a_damaged_corpus_is_an_error(encoded, zipf, beyond, threads):
    corpus = encoded(zipf)
    ids = np.load(corpus.path / "ids.npy", mmap_mode="r+")
    ids[1234] = len(corpus.vocabulary) + beyond
    ids.flush()
    with pytest.raises(CorpusError, match=f"token 1234 has the id {len(corpus.vocabulary) + beyond}"):
        train_embeddings(EncodedCorpus.open(corpus.path), dataclasses.replace(SMALL, threads=threads))
