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
from wordgeo.training.native import (
    NativeTraining,
    Pace,
    keep_table,
    noise_tables,
    noises_of_block,
    slices,
    streams_of_chunk,
)
from wordgeo.training.sentences import Walk
from wordgeo.training.word2vec import _rows


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
    counts = np.asarray(corpus.vocabulary.counts)[: state.words]
    tables = keep_table(counts, options.sample), noise_tables(counts, options.ns_exponent)[0]
    shape = {"window": options.window, "noises": noises_of_block(options), "shrink": options.shrink_windows}
    streams, losses = state._windows["streams"], []
    total = options.epochs * len(corpus.ids)
    chunks = [*np.flatnonzero(np.diff(places // native.TOKENS_A_CHUNK, prepend=-1)).tolist(), len(sentences)]
    for epoch in range(options.epochs):
        keys = [stream_key(options.seed, "epoch", 0, epoch, *name) for name in ((), ("noise",))]
        loss = 0.0
        for begin, end in pairwise(chunks):
            rate = (
                options.alpha - (options.alpha - options.min_alpha) * (epoch * len(corpus.ids) + places[begin]) / total
            )
            blocks = reference.plan_blocks(
                sentences[begin:end], *tables, *keys, **shape, cbow=cbow, streams=streams, most=_sgns.TARGETS
            )
            loss += reference.train_blocks(
                vectors, outputs, blocks, float(np.float32(rate)), negative=options.negative, cbow=cbow,
                mean=cbow and options.cbow_mean,
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
        {"alpha": 0.005},  # all inputs at once
        {"algorithm": "cbow", "alpha": 0.005, "window": 12, "negative": 12},
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


@pytest.mark.parametrize("mean", [False, True])
def test_windows_of_any_length_slide(tmp_path, mean) -> None:
    """Two windows of 41 words on either side have more than the 64 words that are looked at together."""
    (tmp_path / "text").write_text(" ".join(text(sentences=60).split()) + "\n" + text(sentences=5, seed=4))
    corpus = encode(tmp_path / "text", tmp_path / "corpus", tokens="whitespace", progress=False)
    chosen = config(algorithm="cbow", window=41, shrink_windows=False, cbow_mean=mean, alpha=0.005, epochs=1)
    state = training(corpus, chosen)
    state.epoch(0, wg.progress.resolve_progress(False))
    vectors, outputs, _ = twin_of(corpus, chosen)
    np.testing.assert_allclose(state.vectors(), vectors, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(state.training_state().output, outputs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("isa", _sgns.instruction_sets())
def test_one_block_worked_by_hand(tmp_path, isa, monkeypatch) -> None:
    """Two words in one dimension, each the target of the other. Of four strata of noise each word has two."""
    (tmp_path / "text").write_text("a b\n")
    corpus = encode(tmp_path / "text", tmp_path / "corpus", tokens="whitespace", progress=False)
    monkeypatch.setattr(native, "instruction_set", lambda: isa)
    state = training(
        corpus, config(dim=1, window=1, negative=1, min_count=1, sample=0.0, alpha=0.1, min_alpha=0.1, epochs=1)
    )
    state._put(state._vectors, slice(None), np.array([[0.5], [-0.2]], dtype=np.float32))
    state._put(state._outputs, slice(None), np.array([[0.3], [0.4]], dtype=np.float32))
    record = state.epoch(0, wg.progress.resolve_progress(False))
    # a, b: log(1 + exp(-0.5 * 0.4)) + log(1 + exp(0.2 * 0.3)); noise that is no target has the weight 1 * 2 / 4:
    # log(1 + exp(0.5 * 0.3)) / 2 + log(1 + exp(-0.2 * 0.4)) / 2
    assert record["loss"] == pytest.approx(0.59813887 + 0.72359717 + 0.77095706 / 2 + 0.65394696 / 2, abs=1e-6)
    # steps 0.1 (1 - s(0.2)) = 0.04501660 and 0.1 (1 - s(-0.06)) = 0.05149955; of noise -0.05 s(0.15) = -0.02687149
    # and -0.05 s(-0.08) = -0.02400053
    # targets: b 0.4 + 0.04501660 * 0.5 = 0.42250830, a 0.3 - 0.05149955 * 0.2 = 0.28970009
    # words: a 0.5 + 0.04501660 * 0.4 - 0.02687149 * 0.28970009, b -0.2 + 0.05149955 * 0.3 - 0.02400053 * 0.42250830
    np.testing.assert_allclose(state.vectors(), [[0.51022197], [-0.19469056]], atol=1e-7)
    # noise: a 0.28970009 - 0.02687149 * 0.5, b 0.42250830 + 0.02400053 * 0.2
    np.testing.assert_allclose(state.training_state().output, [[0.27626435], [0.42730841]], atol=1e-7)


@pytest.mark.parametrize("cbow", [False, True])
def test_steps_are_the_gradient_of_the_loss(cbow) -> None:
    random = np.random.default_rng(5)
    vectors, outputs = (random.normal(size=(12, 4)).astype(np.float32) * 0.5 for _ in range(2))
    # no word stands twice on the same side, so that all steps are of the same values
    inputs, targets = ([[1, 2, 3], [4, 5]], [[0], [6]]) if cbow else ([[1], [4]], [[0, 2], [6, 3]])
    places = [{row: row for row in rows} for rows in inputs]
    block, rate = reference.Block(places, targets, [7, 8, 8, 9]), 1e-3

    def loss(vectors: np.ndarray, outputs: np.ndarray) -> float:
        total = 0.0
        for rows, found in zip(inputs, targets, strict=True):
            x = vectors[rows].astype(np.float64).sum(axis=0)
            total += np.log1p(np.exp(-outputs[found] @ x)).sum()
            total += len(found) * 5 / 4 * np.log1p(np.exp(outputs[[7, 8, 8, 9]] @ x)).sum()
        return float(total)

    after = vectors.copy(), outputs.copy()
    found = reference.train_blocks(*after, [block], rate, negative=5, cbow=cbow, mean=False)
    assert found == pytest.approx(loss(vectors, outputs), rel=1e-6)
    for which in (0, 1):
        for row in range(12):
            words = next((len(rows) for rows in inputs if row in rows), 1) if which == 0 else 1
            for k in range(4):
                moved = [vectors.astype(np.float64), outputs.astype(np.float64)]
                moved[which][row, k] += 1e-6
                above = loss(*moved)
                moved[which][row, k] -= 2e-6
                slope = (above - loss(*moved)) / 2e-6
                step = (after[which][row, k] - (vectors, outputs)[which][row, k]) * words  # it is shared out among them
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
    assert noise_tables(counts, 0.75)[0].tolist() == model.cum_table.tolist()
    theirs = np.array([model.wv.get_vecattr(word, "sample_int") for word in corpus.vocabulary.words])
    assert np.abs(keep_table(counts, 0.01).astype(np.int64) - theirs.astype(np.int64)).max() <= 1
    state = training(corpus, config(seed=7, min_count=1))
    assert state.vectors().tobytes() == model.wv.vectors.tobytes()


def test_what_is_looked_up_of_a_token_is_its_row_and_how_often_it_is_kept() -> None:
    rows = np.array([1, native.ABSENT, 0], dtype=np.uint32)
    found = native.token_table(rows, np.array([7, 2**32 - 1], dtype=np.uint32))
    assert (found & 2**32 - 1).tolist() == rows.tolist()
    assert (found >> 32)[[0, 2]].tolist() == [2**32 - 1, 7]


def test_the_guide_begins_where_a_word_is_found() -> None:
    random = np.random.default_rng(2)
    for counts in (random.integers(1, 10_000, 1000), np.array([7]), np.array([10**9] + [1] * 500)):
        sums, guide = noise_tables(np.sort(counts)[::-1], 0.75)
        places = np.append(random.integers(0, 2**32, 5000, dtype=np.uint64), [0, 2**32 - 1]).astype(np.uint64)
        word = np.searchsorted(sums, places * np.uint64(sums[-1]) >> np.uint64(32), side="right")
        first = guide[(places * np.uint64(len(sums)) >> np.uint64(32)).astype(np.int64)]
        assert (first <= word).all()
        assert (word - first).mean() < 2


def planned(state: NativeTraining) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The words, windows, noise and its times of the first chunk."""
    ((spans, chunks, _),) = list(state._blocks())
    model, capacity, noises = state._model("test"), state._kept.shape[1], state._windows["noises"]
    kept, bounds = np.empty(capacity, np.uint32), np.empty((2, capacity), np.int32)
    noise, times = (np.empty(state._noises.shape[1], dtype) for dtype in (np.uint32, np.float32))
    n = _sgns.plan_chunk(model, np.ascontiguousarray(spans[: chunks[1]]), 0, kept, bounds, noise, times)
    sets = -(-n // state._windows["streams"])
    return kept[:n], bounds[:, :n], *(one[: sets * noises].reshape(sets, noises) for one in (noise, times))


def test_noise_is_drawn_by_its_weights_and_evenly(corpus) -> None:
    state = training(corpus, config(negative=5, sample=0.0))
    _, _, noise, times = planned(state)
    weights = np.diff(state._sums.astype(np.int64), prepend=0)
    found = np.bincount(noise.ravel(), minlength=state.words)
    assert stats.chisquare(found, found.sum() * weights / weights.sum()).pvalue > 1e-4
    # of each set as many of the most frequent words as are due, up to those on either side of the border
    due = noise.shape[1] * np.cumsum(weights) / weights.sum()
    for border in (1, 4, 20):
        assert np.abs((noise < border).sum(axis=1) - due[border - 1]).max() < 1
    for row, counted in zip(noise.tolist(), times.tolist(), strict=True):
        firsts = [row.count(word) if row.index(word) == j else 0 for j, word in enumerate(row)]
        assert counted == firsts


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


def test_fewer_words_are_taken_at_once_where_one_is_frequent() -> None:
    def streams(words: int, **options) -> int:
        counts, chosen = 10**7 // np.arange(1, words + 1), config(**options)
        tables = keep_table(counts, chosen.sample), noise_tables(counts, chosen.ns_exponent)[0]
        return streams_of_chunk(counts, *tables, chosen)

    assert streams(50_000, sample=1e-4) == streams(50_000, sample=1e-3, algorithm="cbow") == _sgns.INPUTS
    assert _sgns.INPUTS > streams(500, sample=0.0) > streams(20, sample=0.0) >= streams(20, sample=0.0, alpha=0.5) == 1


def test_slices_depend_on_the_dimensions_alone() -> None:
    assert [slices(dim).tolist() for dim in (1, 16, 17, 100, 200, 368, 400)] == [
        [0, 1], [0, 1], [0, 1, 2], [0, 3, 7], [0, 6, 13], [0, 11, 23], [0, 6, 12, 18, 25],
    ]  # fmt: skip


def tried(pace: Pace, speeds: list[dict[int, float]]) -> list[int]:
    found = []
    for speed in speeds:
        found.append(pace.threads())
        pace.note(found[-1], speed[found[-1]])
    return found


def test_a_busy_machine_is_trained_on_with_one_thread() -> None:
    found = tried(Pace(2, alone=True), [{2: 1.0, 1: 3.0}] * 100)
    assert found[:4] == [2, 2, 1, 1]
    assert found.count(2) == 2 + 100 // native.BLOCKS_UNTIL_ALL
    assert tried(Pace(2, alone=False), [{2: 1.0}] * 9) == [2] * 9


def test_all_threads_train_on_a_quiet_machine_although_the_first_blocks_are_slow() -> None:
    quiet, slow = {2: 5.0, 1: 3.0}, {2: 1.0, 1: 1.0}
    found = tried(Pace(2, alone=True), [slow, quiet, quiet, quiet, slow, *[quiet] * 50])
    assert found == [2, 2, 1, *[2] * 52]
    pace = Pace(2, alone=True)
    found = tried(pace, [quiet] * 10 + [{2: 1.0, 1: 3.0}] * 10 + [quiet] * 20)
    assert 1 in found[12:16]
    assert found[-10:] == [2] * 10
