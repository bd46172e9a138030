"""The native engine of skip-gram and CBOW: what it computes, and that it computes the same however it is run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import wordgeo as wg
from wordgeo.corpus import EncodedCorpus, encode
from wordgeo.errors import CorpusError, FormatError, OptionError, TrainingError
from wordgeo.training import TrainingConfig, _sgns, native, reference, train_embeddings
from wordgeo.training.native import NativeTraining, Pace, alias_table, keep_table, noise_weights, slices
from wordgeo.training.sentences import Walk
from wordgeo.training.word2vec import _rows

GROUP = _sgns.VECTORS_OF_OWN // 2


def text(words: int = 60, sentences: int = 400, seed: int = 3) -> str:
    """Documents of five sentences of words whose frequencies fall as 1 / rank."""
    random = np.random.default_rng(seed)
    shares = 1 / np.arange(1, words + 1)
    drawn = [
        " ".join(f"w{i:03}" for i in random.choice(words, size=random.integers(1, 25), p=shares / shares.sum()))
        for _ in range(sentences)
    ]
    return "\n\n".join("\n".join(drawn[i : i + 5]) for i in range(0, sentences, 5)) + "\n"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> EncodedCorpus:
    folder = tmp_path_factory.mktemp("native")
    (folder / "text").write_text(text())
    return encode(folder / "text", folder / "corpus", tokens="whitespace", progress=False)


def config(**options) -> TrainingConfig:
    defaults = {"engine": "native", "dim": 40, "min_count": 2, "epochs": 2, "sample": 0.01, "threads": 1}
    return TrainingConfig(**(defaults | options))


def training(corpus: EncodedCorpus, options: TrainingConfig) -> NativeTraining:
    kept = int((np.asarray(corpus.vocabulary.counts) >= options.min_count).sum())
    vocabulary = corpus.vocabulary.head(kept)
    return NativeTraining(Walk(corpus), _rows(corpus, vocabulary), vocabulary, options, options.threads)


def twin_of(corpus: EncodedCorpus, options: TrainingConfig) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Vectors, outputs and losses of all epochs by the slow twin."""
    from wordgeo.training.draws import stream_key

    state = training(corpus, options)
    cbow = options.algorithm == "cbow"
    vectors, outputs = state.vectors(), np.zeros((state.words, options.dim), dtype=np.float32)
    rows = [int(row) if row < state.words else -1 for row in _rows(corpus, corpus.vocabulary.head(state.words))]
    ((spans, _, _),) = list(state._blocks())
    places = np.cumsum(spans[:, 1] - spans[:, 0]) - (spans[:, 1] - spans[:, 0])
    sentences = [
        (int(place), [rows[i] for i in corpus.ids[begin:end]])
        for place, (begin, end) in zip(places, spans, strict=True)
    ]
    tables = (
        keep_table(np.asarray(corpus.vocabulary.counts)[: state.words], options.sample),
        alias_table(noise_weights(np.asarray(corpus.vocabulary.counts)[: state.words], options.ns_exponent)),
    )
    shape = {name: value for name, value in native._windows(options).items() if name != "mean"}
    losses = []
    total = options.epochs * len(corpus.ids)
    chunks = [*np.flatnonzero(np.diff(places // native.TOKENS_A_CHUNK, prepend=-1)).tolist(), len(sentences)]
    for epoch in range(options.epochs):
        key, loss = stream_key(options.seed, "epoch", 0, epoch), 0.0
        for begin, end in pairwise(chunks):
            rate = (
                options.alpha - (options.alpha - options.min_alpha) * (epoch * len(corpus.ids) + places[begin]) / total
            )
            windows = reference.plan_windows(sentences[begin:end], *tables, key, **shape, streams=_sgns.STREAMS)
            loss += reference.train_windows(
                vectors, outputs, windows, float(np.float32(rate)), cbow=cbow, mean=options.cbow_mean, group=GROUP,
                targets=6,
            )  # fmt: skip
        losses.append(loss)
    return vectors, outputs, losses


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dim": 200, "window": 3, "negative": 2},
        {"window": 20, "shrink_windows": False},
        {"algorithm": "cbow"},
        {"algorithm": "cbow", "cbow_mean": False, "alpha": 0.01, "dim": 70},
        {"algorithm": "cbow", "dim": 260},  # a slice of eight lines, one of nine
        {"sample": 0.0, "ns_exponent": 0.0, "dim": 16},
    ],
)
@pytest.mark.parametrize("isa", _sgns.instruction_sets())
def test_the_slow_twin_gives_the_same_vectors(corpus, options, isa, monkeypatch) -> None:
    chosen = config(**options)
    monkeypatch.setattr(native, "instruction_set", lambda: isa)
    state = training(corpus, chosen)
    history = [state.epoch(epoch, wg.progress.resolve_progress(False)) for epoch in range(chosen.epochs)]
    vectors, outputs, losses = twin_of(corpus, chosen)
    np.testing.assert_allclose(state.vectors(), vectors, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(state.training_state().output, outputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose([record["loss"] for record in history], losses, rtol=1e-6)


@pytest.mark.parametrize("cbow", [False, True])
def test_steps_are_the_gradient_of_the_loss(cbow) -> None:
    random = np.random.default_rng(5)
    vectors, outputs = (random.normal(size=(9, 4)).astype(np.float32) * 0.5 for _ in range(2))
    window, rate = reference.Window(0, [1, 2, 3], [[4, 5, 6]]), 1e-3

    def loss(vectors: np.ndarray, outputs: np.ndarray) -> float:
        x = vectors[[1, 2, 3]].astype(np.float64)
        x = x.sum(axis=0, keepdims=True) if cbow else x
        f = outputs[[0, 4, 5, 6]].astype(np.float64) @ x.T
        return float(np.log1p(np.exp(np.where(np.arange(4)[:, None] == 0, -f, f))).sum())

    after = vectors.copy(), outputs.copy()
    options = {"cbow": cbow, "mean": False, "group": 1, "targets": 6}
    assert reference.train_windows(*after, [window], rate, **options) == pytest.approx(loss(vectors, outputs), rel=1e-6)
    for which, scale in ((0, 3.0 if cbow else 1.0), (1, 1.0)):  # the sum over a window is shared out among its words
        for row in range(9):
            for k in range(4):
                moved = [vectors.astype(np.float64), outputs.astype(np.float64)]
                moved[which][row, k] += 1e-6
                above = loss(*moved)
                moved[which][row, k] -= 2e-6
                slope = (above - loss(*moved)) / 2e-6
                step = (after[which][row, k] - (vectors, outputs)[which][row, k]) * scale
                assert step == pytest.approx(-rate * slope, abs=3e-6)


@pytest.mark.parametrize("algorithm", ["skipgram", "cbow"])
def test_any_number_of_threads_gives_the_same_bytes(corpus, algorithm) -> None:
    options = {"algorithm": algorithm, "dim": 400, "sample": 0.0}
    alone = train_embeddings(corpus, config(**options), keep_training_state=True)
    assert alone.provenance["reproducible"]
    for threads in (2, 3, 4, 7):
        again = train_embeddings(corpus, config(**options, threads=threads), keep_training_state=True)
        assert again.vectors.tobytes() == alone.vectors.tobytes()
        assert again.training_state.output.tobytes() == alone.training_state.output.tobytes()
        assert [e["loss"] for e in again.run["epochs"]] == [e["loss"] for e in alone.run["epochs"]]


def test_racing_threads_learn_as_much_and_say_that_they_race(corpus) -> None:
    alone = train_embeddings(corpus, config(epochs=4))
    racing = train_embeddings(corpus, config(epochs=4, threads=3, racy=True))
    assert not racing.provenance["reproducible"]
    assert racing.run["epochs"][-1]["loss"] == pytest.approx(alone.run["epochs"][-1]["loss"], rel=0.03)
    assert racing.run["epochs"][-1]["trained_words"] == alone.run["epochs"][-1]["trained_words"]


def test_instruction_sets_agree(corpus, monkeypatch) -> None:
    found = {}
    for isa in _sgns.instruction_sets():
        monkeypatch.setattr(native, "instruction_set", lambda isa=isa: isa)
        found[isa] = train_embeddings(corpus, config(epochs=1)).vectors
    for isa, vectors in found.items():
        np.testing.assert_allclose(vectors, found["baseline"], atol=1e-5, err_msg=isa)


def test_vocabulary_tables_and_first_vectors_are_gensims(corpus) -> None:
    from gensim.models import Word2Vec

    counts = np.asarray(corpus.vocabulary.counts)
    model = Word2Vec(vector_size=40, sample=0.01, seed=7, negative=5, min_count=1, sorted_vocab=0)
    model.build_vocab_from_freq(dict(zip(corpus.vocabulary.words, counts.tolist(), strict=True)))
    assert np.cumsum(noise_weights(counts, 0.75)).tolist() == model.cum_table.tolist()
    theirs = np.array([model.wv.get_vecattr(word, "sample_int") for word in corpus.vocabulary.words])
    assert np.abs(keep_table(counts, 0.01).astype(np.int64) - theirs.astype(np.int64)).max() <= 1
    state = training(corpus, config(seed=7, min_count=1))
    assert state.vectors().tobytes() == model.wv.vectors.tobytes()


def test_the_alias_table_holds_the_weights_exactly() -> None:
    weights = np.array([1, 5, 0, 1000, 7, 300_000, 2], dtype=np.int64)
    table = alias_table(weights)
    stay, other = (table & np.uint64(2**32 - 1)).astype(np.int64), (table >> np.uint64(32)).astype(np.int64)
    shares = np.zeros(len(weights))
    for i in range(len(weights)):
        shares[i] += stay[i] / 2**32 if other[i] != i else 1
        shares[other[i]] += 1 - stay[i] / 2**32 if other[i] != i else 0
    np.testing.assert_allclose(shares / len(weights), weights / weights.sum(), atol=1e-9)


def test_noise_is_drawn_by_its_weights(corpus) -> None:
    state = training(corpus, config(negative=5, sample=0.0))
    ((spans, chunks, _),) = list(state._blocks())
    model, capacity = state._model(17), state._kept.shape[1]
    kept, bounds = np.empty(capacity, np.uint32), np.empty((2, capacity), np.int32)
    noise = np.empty(capacity * 5, np.uint32)
    n = _sgns.plan_chunk(model, np.ascontiguousarray(spans[: chunks[1]]), 0, kept, bounds, noise)
    drawn = noise[: 5 * n].reshape(n, 5)[(bounds[1] - bounds[0])[:n] > 0]
    weights = noise_weights(np.asarray(corpus.vocabulary.counts)[: state.words], 0.75)
    found = np.bincount(drawn[drawn != 2**32 - 1], minlength=state.words)
    own = np.bincount(kept[:n][(bounds[1] - bounds[0])[:n] > 0], minlength=state.words)
    share = weights / weights.sum()
    expected = 5 * share * (own.sum() - own)  # a word is no noise of its own
    assert stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue > 1e-4


def test_loss_falls_as_gensims_does(tmp_path) -> None:
    (tmp_path / "text").write_text(text(words=900, sentences=1500))  # so many that noise is seldom drawn twice
    corpus = encode(tmp_path / "text", tmp_path / "corpus", tokens="whitespace", progress=False)
    ours = train_embeddings(corpus, config(epochs=6, sample=0.0)).run["epochs"]
    theirs = train_embeddings(corpus, config(epochs=6, sample=0.0, engine="gensim")).run["epochs"]
    for mine, gensims in zip(ours, theirs, strict=True):
        assert mine["loss_per_word"] == pytest.approx(gensims["loss_per_word"], rel=0.03)
        assert mine["words"] == gensims["words"]


def test_training_goes_on_in_gensim_and_back(corpus) -> None:
    first = train_embeddings(corpus, config(), keep_training_state=True)
    model = wg.from_arrays(first.words, first.vectors, counts=first.counts)  # copies are theirs
    theirs = first.to_gensim(trainable=True)
    assert theirs.wv.vectors.tobytes() == first.vectors.tobytes()
    theirs.train([["w001", "w002", "w003"]] * 50, total_examples=50, epochs=1)
    assert theirs.wv.vectors.tobytes() != first.vectors.tobytes() == model.vectors.tobytes()
    again = train_embeddings(corpus, config(), start_from=first)
    assert again.run["epochs"][0]["loss_per_word"] < first.run["epochs"][0]["loss_per_word"]
    by_gensim = train_embeddings(corpus, config(engine="gensim"), keep_training_state=True)
    onwards = train_embeddings(corpus, config(), start_from=by_gensim)
    assert onwards.run["epochs"][0]["loss_per_word"] < first.run["epochs"][0]["loss_per_word"]
    assert onwards.provenance["started_from"][0]["engine"] == "gensim"


def test_held_out_sentences_are_not_trained_and_end_a_training_that_learns_no_more(corpus) -> None:
    whole = train_embeddings(corpus, config()).run["epochs"][0]
    run = train_embeddings(corpus, config(holdout=0.3, epochs=4)).run["epochs"]
    assert 0.6 < run[0]["trained_words"] / whole["trained_words"] < 0.8
    assert all(0 < record["held_out_loss_per_word"] < 15 for record in run)
    # nothing can be learned of words that are drawn one by one: a long training only grows worse on the others
    long = train_embeddings(corpus, config(holdout=0.3, epochs=200, alpha=0.2, patience=2)).run["epochs"]
    losses = [record["held_out_loss_per_word"] for record in long]
    assert len(long) < 200
    assert len(losses) - 1 - int(np.argmin(losses)) == 2


def test_what_was_killed_goes_on_with_the_same_bytes(corpus, tmp_path) -> None:
    options = {"engine": "native", "dim": 20, "epochs": 30, "threads": 1, "progress": False}
    whole = wg.train(corpus, output=tmp_path / "whole", **options)
    script = textwrap.dedent(f"""
        import wordgeo as wg
        wg.train({str(corpus.path)!r}, output={str(tmp_path / "killed")!r}, checkpoint_every=1, resume=True,
                 on_epoch=lambda epoch, record: print(epoch, flush=True), **{options!r})
    """)
    random, reached = np.random.default_rng(1), 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(int(random.integers(1, 6))):
            line = process.stdout.readline()
            reached = max(reached, int(line or 0))
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()
    assert 0 < reached < 30
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert (tmp_path / "killed" / "model.safetensors").read_bytes() == (
        tmp_path / "whole" / "model.safetensors"
    ).read_bytes()
    assert not (tmp_path / "killed.training").exists()
    assert len(wg.load(tmp_path / "killed").run["epochs"]) == len(whole.run["epochs"]) == 30


def test_a_damaged_checkpoint_and_one_of_another_training_are_refused(corpus, tmp_path) -> None:
    def stop(epoch: int, record: dict) -> None:
        raise KeyboardInterrupt

    options = {"engine": "native", "dim": 20, "epochs": 3, "threads": 1, "progress": False}
    with pytest.raises(KeyboardInterrupt):
        wg.train(corpus, output=tmp_path / "m", checkpoint_every=1, on_epoch=stop, **options)
    with pytest.raises(OptionError, match="another training"):
        wg.train(corpus, output=tmp_path / "m", resume=True, **(options | {"seed": 2}))
    array = tmp_path / "m.training" / "vectors.npy"
    data = bytearray(array.read_bytes())
    data[-5] ^= 4
    array.write_bytes(data)
    with pytest.raises(FormatError, match="damaged"):
        wg.train(corpus, output=tmp_path / "m", resume=True, **options)
    assert not (tmp_path / "m").exists()


def test_what_cannot_be_trained_says_so(corpus, tmp_path) -> None:
    with pytest.raises(TrainingError, match="diverged"):
        state = training(corpus, config())
        state._vectors[3] = np.nan
        state.epoch(0, wg.progress.resolve_progress(False))
    with pytest.raises(OptionError, match="gensim"):
        config(engine="gensim", racy=True)
    with pytest.raises(OptionError, match="hs"):
        config(hs=True, negative=0)
    (tmp_path / "text").write_text("a b\n" * 5)
    bad = encode(tmp_path / "text", tmp_path / "bad", tokens="whitespace", progress=False)
    ids = np.load(tmp_path / "bad" / "ids.npy")
    ids[7] = 99
    np.save(tmp_path / "bad" / "ids.npy", ids)
    with pytest.raises(CorpusError, match="token 7 has the id 99"):
        train_embeddings(EncodedCorpus.open(bad.path), config(min_count=1))
    (tmp_path / "lonely").write_text("a\nb\na\nb\n")
    lonely = encode(tmp_path / "lonely", tmp_path / "alone", tokens="whitespace", progress=False)
    with pytest.raises(TrainingError, match="ever stood together"):
        train_embeddings(lonely, config(min_count=1))


def test_slices_depend_on_the_dimensions_alone() -> None:
    assert [slices(dim).tolist() for dim in (1, 16, 17, 100, 200, 400)] == [
        [0, 1], [0, 1], [0, 1, 2], [0, 3, 7], [0, 6, 13], [0, 6, 12, 18, 25],
    ]  # fmt: skip


def test_a_busy_machine_is_trained_on_with_one_thread() -> None:
    pace = Pace(2, alone=True)
    tried = []
    for _ in range(100):
        threads = pace.threads()
        tried.append(threads)
        pace.note(threads, 1.0 if threads == 2 else 3.0)
    assert tried[:2] == [2, 1]
    assert tried.count(2) == 1 + 100 // native.BLOCKS_UNTIL_TRIED
    assert Pace(2, alone=False).threads() == 2
