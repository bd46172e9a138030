"""GloVe: the loop against NumPy and finite differences; the same bytes on any threads, and after a kill."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import wordgeo as wg
from wordgeo import _fast
from wordgeo.errors import FormatError, NotFoundError, OptionError, OutputError, TrainingError
from wordgeo.formats import load, save
from wordgeo.progress import SilentProgress
from wordgeo.training import TrainingConfig, _glove, glove, reference, reproduce, train
from wordgeo.training.counting import CountingOptions, count

LOOPS = [name for name in _glove.instruction_sets() if name in _fast.instruction_sets()]
SMALL = TrainingConfig(algorithm="glove", dim=20, epochs=4, min_count=1, seed=3, threads=1)


def records(rng, n, dim, stride):
    made = np.zeros((n, 2 * stride), dtype=np.float32)
    made[:, : dim + 1] = rng.normal(0, 0.3, (n, dim + 1))
    made[:, stride:] = rng.uniform(1, 3, (n, stride))
    return made


def examples_of(rng, rows, columns, n):
    made = np.zeros(n, dtype=glove.EXAMPLE)
    made["row"], made["column"] = rng.integers(rows, size=n), rng.integers(columns, size=n)
    made["log_count"], made["weight"] = rng.normal(0, 2, n), rng.uniform(0, 1, n)
    return made


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("dim", "stride"), [(1, 16), (15, 16), (16, 32), (47, 48), (100, 112), (200, 208)])
@pytest.mark.parametrize("clip", [100.0, 0.05])
def test_the_loop_is_its_twin(loop, dim, stride, clip):
    rng = np.random.default_rng(dim)
    words, contexts = records(rng, 7, dim, stride), records(rng, 5, dim, stride)
    examples = examples_of(rng, 7, 5, 60)
    slow = words.copy(), contexts.copy()
    loss = _glove.train_block(_glove.instruction_sets().index(loop), words, contexts, dim, examples, 0.05, 0.7, clip)
    expected = reference.train_block(*slow, dim, examples, 0.05, 0.7, clip)
    assert math.isclose(loss, expected, rel_tol=1e-5)
    for fast, twin in zip((words, contexts), slow, strict=True):
        np.testing.assert_allclose(fast, twin, rtol=2e-5, atol=2e-6)
        assert not fast[:, dim + 1 : stride].any()  # nothing comes into the padding


@pytest.mark.parametrize("loop", LOOPS)
def test_the_step_is_the_gradient_by_finite_differences(loop):
    """With squared steps of 1 and a rate of 1, one step is the gradient itself."""
    dim, stride, rng = 10, 16, np.random.default_rng(1)
    words, contexts = records(rng, 1, dim, stride), records(rng, 1, dim, stride)
    words[:, stride:] = contexts[:, stride:] = 1
    examples = examples_of(rng, 1, 1, 1)
    log_count, weight = (float(examples[name][0]) for name in ("log_count", "weight"))

    def loss(flat):
        w, c = flat[: dim + 1], flat[dim + 1 :]
        return weight * (w[:dim] @ c[:dim] + w[dim] + c[dim] - log_count) ** 2 / 2

    before = np.concatenate([words[0, : dim + 1], contexts[0, : dim + 1]]).astype(np.float64)
    step = 1e-5 * np.eye(len(before))
    gradient = [(loss(before + h) - loss(before - h)) / 2e-5 for h in step]
    found = _glove.train_block(_glove.instruction_sets().index(loop), words, contexts, dim, examples, 1.0, 1.0, 100.0)
    after = np.concatenate([words[0, : dim + 1], contexts[0, : dim + 1]])
    np.testing.assert_allclose(before - after, gradient, rtol=1e-4, atol=1e-6)
    assert math.isclose(found, loss(before), rel_tol=1e-5)


def test_blocks_of_a_stratum_share_nothing_and_all_blocks_come_once():
    for n in (1, 2, 5, 16):
        orders = [glove.strata(n, seed, epoch) for seed in (1, 2) for epoch in (0, 1)]
        for order in orders:
            assert sorted(block for stratum in order for block in stratum) == [
                (p, q) for p in range(n) for q in range(n)
            ]
            for stratum in order:
                assert len({p for p, _ in stratum}) == len({q for _, q in stratum}) == n
        assert orders[0] == glove.strata(n, 1, 0)
        assert n < 5 or len({str(order) for order in orders}) == 4


def test_panels():
    assert glove.panels(3, 16) == 1
    assert glove.panels(200, 16) == 13
    assert glove.panels(91_545, 208) == 37
    for words, stride in [(2, 16), (50, 16), (400_000, 16), (10**6, 1008)]:
        n = glove.panels(words, stride)
        assert -(-words // n) <= 2**16
        assert -(-words // n) * 8 * stride <= glove.PANEL_BYTES + 8 * stride


@pytest.mark.parametrize("sides", ["both", "left"])
def test_examples_are_the_counts_in_an_order_that_threads_do_not_change(zipf_corpus, tmp_path, sides):
    counts = count(zipf_corpus, tmp_path / "counts", CountingOptions(sides=sides, window=3))
    config = TrainingConfig(algorithm="glove", x_max=5, alpha=0.5, sides=sides)
    first, again, other = (
        glove.arrange(counts, each, 7, threads)
        for each, threads in ((config, 1), (config, 3), (TrainingConfig(algorithm="glove", seed=2, sides=sides), 1))
    )
    assert first.examples.tobytes() == again.examples.tobytes()
    assert first.examples.tobytes() != other.examples.tobytes()
    matrix, found = counts.to_scipy().toarray(), np.zeros((len(counts), len(counts)))
    for p in range(7):
        for q in range(7):
            block = first.block(p, q)
            rows, columns = 7 * block["row"].astype(int) + p, 7 * block["column"].astype(int) + q
            assert len(block) < 20 or (np.diff(rows) < 0).any()
            x = matrix[rows, columns]
            np.testing.assert_allclose(block["log_count"], np.log(x), rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(block["weight"], np.minimum(1, (x / 5) ** 0.5), rtol=1e-6)
            np.add.at(found, (rows, columns), 1)
    assert (found == (matrix > 0)).all()


def test_vectors_begin_uniform():
    records = np.empty((500, 64), dtype=np.float32)
    order = np.arange(500, dtype=np.uint32)
    _glove.begin_records(5, order, 20, records)
    begun = records[:, :21] * 20
    assert (np.abs(begun) <= 0.5).all()
    assert abs(begun.mean()) < 0.01
    assert abs(begun.std() - 12**-0.5) < 0.01
    assert (records[:, 21:32] == 0).all()
    assert (records[:, 32:] == 1).all()
    assert len(np.unique(begun)) > 10_000
    part = np.empty((3, 64), dtype=np.float32)
    _glove.begin_records(5, order[[7, 2, 499]], 20, part)
    assert (part == records[[7, 2, 499]]).all()


def test_the_loss_falls_and_is_the_objective(zipf_corpus, tmp_path):
    """One pair of words, one after another: J as it is written, from the vectors that the epoch begins with."""
    counts = count(zipf_corpus, tmp_path / "counts", CountingOptions())
    config = TrainingConfig(algorithm="glove", dim=10, learning_rate=1e-9, bias_learning_rate=1e-9)
    training = glove.GloveTraining(counts, config, 1)
    w, c = np.empty((2, len(counts), 11))
    for part, records in ((w, training._records[0]), (c, training._records[1])):
        part[training._order] = records[:, :11]
    x = counts.to_scipy().toarray()
    with np.errstate(divide="ignore"):
        diff = w[:, :10] @ c[:, :10].T + w[:, 10:] + c[:, 10] - np.log(x)
    expected = (np.minimum(1, (x / 100) ** 0.75) * np.where(x > 0, diff, 0) ** 2 / 2).sum()
    assert math.isclose(training.epoch(0, SilentProgress()), expected, rel_tol=1e-5)
    model = glove.train_glove(zipf_corpus, SMALL)
    losses = [epoch["loss"] for epoch in model.run["epochs"]]
    assert losses == sorted(losses, reverse=True)
    assert all(epoch["loss_per_pair"] == epoch["loss"] / epoch["pairs"] for epoch in model.run["epochs"])


def test_the_same_bytes_with_any_number_of_threads(zipf_corpus):
    models = [train(zipf_corpus, TrainingConfig(**{**CHANGES, "threads": threads})) for threads in (1, 2, 5)]
    assert len({model.vectors.tobytes() for model in models}) == 1
    assert len({str(model.run["epochs"][-1]["loss"]) for model in models}) == 1
    other = train(zipf_corpus, TrainingConfig(**{**CHANGES, "seed": 4}))
    assert other.vectors.tobytes() != models[0].vectors.tobytes()
    told = models[1].provenance
    assert (told["engine"], told["threads"], told["reproducible"]) == ("native", 2, True)
    assert told["parameters"]["x_max"] == 100


CHANGES = {"algorithm": "glove", "dim": 20, "epochs": 2, "min_count": 1, "seed": 3}


def test_combine(zipf_corpus):
    parts = {
        name: train(zipf_corpus, TrainingConfig(**CHANGES, combine=name)).vectors for name in ("word", "context", "sum")
    }
    np.testing.assert_array_equal(parts["word"] + parts["context"], parts["sum"])
    assert not np.array_equal(parts["word"], parts["context"])


def test_words_that_stand_alike_come_close(encoded):
    """All pairs occur, those of a theme more often: pairs that never do are not in the objective."""
    rng = np.random.default_rng(5)
    themes = [["king", "queen", "crown", "throne"], ["cat", "dog", "kitten", "paw"]]
    words = [*themes[0], *themes[1]]
    three = (rng.permutation(themes[i % 2])[:3].tolist() for i in range(1200))
    corpus = encoded([["the", *theme, words[rng.integers(8)], f"n{i % 5}"] for i, theme in enumerate(three)])
    model = wg.train(corpus, algorithm="glove", dim=16, epochs=30, seed=1)
    for theme in themes:
        assert set(model.similar(theme[0], k=3, words=words).words) == set(theme[1:])


def test_beginning_from_a_model(zipf_corpus, tmp_path):
    words = zipf_corpus.vocabulary.words[:50]
    vectors = np.random.default_rng(1).normal(size=(50, 20)).astype(np.float32)
    save(wg.from_arrays(words, vectors), tmp_path / "start")
    still = {**CHANGES, "learning_rate": 1e-9, "epochs": 1}
    plain = train(zipf_corpus, TrainingConfig(**still))
    model = train(zipf_corpus, TrainingConfig(**still, init=str(tmp_path / "start")))
    rows = model.vocabulary.find(words)
    np.testing.assert_allclose(model.vectors[rows], vectors, atol=1e-5)
    rest = np.setdiff1d(np.arange(len(model)), rows)
    np.testing.assert_allclose(model.vectors[rest], plain.vectors[rest], atol=1e-5)
    assert len(model.provenance["begun_from"]) == 32
    with pytest.raises(OptionError, match="has 20 dimensions, and dim is 9"):
        train(zipf_corpus, TrainingConfig(algorithm="glove", dim=9, init=str(tmp_path / "start")))
    save(wg.from_arrays(["elsewhere"], vectors[:1]), tmp_path / "other")
    with pytest.raises(OptionError, match="none of the words"):
        train(zipf_corpus, TrainingConfig(algorithm="glove", dim=20, init=str(tmp_path / "other")))
    with pytest.raises(NotFoundError):
        train(zipf_corpus, TrainingConfig(algorithm="glove", init=str(tmp_path / "nothing")))


def test_a_loss_that_is_no_number_is_told(zipf_corpus, tmp_path):
    words = zipf_corpus.vocabulary.words[:50]
    save(wg.from_arrays(words, np.full((50, 20), 1e30)), tmp_path / "start")
    with pytest.raises(TrainingError, match="diverged in epoch 1: the loss is not a number; lower learning_rate"):
        train(zipf_corpus, TrainingConfig(**CHANGES, init=str(tmp_path / "start")), output=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_to_learn(encoded):
    with pytest.raises(TrainingError, match="no two words ever stand together"):
        train(encoded([["a"], ["b"]]), TrainingConfig(algorithm="glove", min_count=1))
    with pytest.raises(TrainingError, match="lower min_count"):
        train(encoded([["a", "b"]]), TrainingConfig(algorithm="glove"))


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from wordgeo.training import TrainingConfig, train

class Killer:
    after = int(sys.argv[3])
    def start(self, task, total, unit): self.training = task.startswith("training")
    def finish(self): pass
    def advance(self, amount, note=""):
        if self.training:
            Killer.after -= 1
            if Killer.after == 0:
                os.kill(os.getpid(), signal.SIGKILL)

def kill_while_saving():
    while not list(Path(sys.argv[2]).parent.glob(".model.training.*.partial/words.npy")):
        pass
    os.kill(os.getpid(), signal.SIGKILL)

if Killer.after == 0:
    threading.Thread(target=kill_while_saving, daemon=True).start()
config = TrainingConfig(algorithm="glove", dim=20, epochs=6, min_count=1, seed=3, threads=2)
train(sys.argv[1], config, output=sys.argv[2], checkpoint_every=1, resume=len(sys.argv) > 4, progress=Killer())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("after", [3, 41, 60, 0])
def test_killed_at_any_moment_and_resumed(zipf_corpus, tmp_path, after):
    """Within the first epoch, later on, once more after it was resumed; and while the first checkpoint is written."""
    config = TrainingConfig(algorithm="glove", dim=20, epochs=6, min_count=1, seed=3, threads=1)
    whole = train(zipf_corpus, config, output=tmp_path / "whole")
    for more in ([], ["resume"]) if after == 41 else ([],):
        args = [sys.executable, "-c", KILLED, str(zipf_corpus.path), str(tmp_path / "model"), str(after), *more]
        assert subprocess.run(args, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    assert any(tmp_path.glob(".model.training.*")) == (after == 0)
    assert (tmp_path / "model.training").exists() == (after > 17)
    if after > 17:
        with pytest.raises(OutputError, match="go on with it"):
            train(zipf_corpus, config, output=tmp_path / "model", checkpoint_every=2)
        with pytest.raises(FormatError, match="checkpoints, not a model"):
            load(tmp_path / "model.training")
    model = train(zipf_corpus, config, output=tmp_path / "model", resume=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "model", "whole"]
    assert model.vectors.tobytes() == whole.vectors.tobytes()
    assert (tmp_path / "model" / "wordgeo.json").read_bytes() == (tmp_path / "whole" / "wordgeo.json").read_bytes()
    assert [epoch["loss"] for epoch in model.run["epochs"]] == [epoch["loss"] for epoch in whole.run["epochs"]]


@pytest.fixture
def stopped(zipf_corpus, tmp_path):
    """The folder of a training that was stopped after two epochs."""

    class Stop(SilentProgress):
        left = 3

        def advance(self, amount, note=""):
            Stop.left -= note.startswith("epoch 3")
            if not Stop.left:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(zipf_corpus, SMALL, output=tmp_path / "model", checkpoint_every="1", progress=Stop())
    return tmp_path / "model.training"


def test_a_flipped_bit_in_a_checkpoint(zipf_corpus, stopped):
    assert json.loads((stopped / "training.json").read_text())["epoch"] == 2
    for path in sorted(stopped.iterdir()):
        whole = path.read_bytes()
        for at in (len(whole) - 9, len(whole) // 2):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(FormatError, match=r"damaged|not valid JSON"):
                train(zipf_corpus, SMALL, output=stopped.with_suffix(""), resume=True)
        path.write_bytes(whole[:100])
        with pytest.raises(FormatError):
            train(zipf_corpus, SMALL, output=stopped.with_suffix(""), resume=True)
        path.write_bytes(whole)
    train(zipf_corpus, SMALL, output=stopped.with_suffix(""), resume=True)


def test_a_checkpoint_of_another_training(zipf_corpus, stopped):
    for change in ({"dim": 21}, {"seed": 4}, {"x_max": 50}, {"window": 3}):
        other = TrainingConfig(**{**CHANGES, **change})
        with pytest.raises(OptionError, match="is of another training"):
            train(zipf_corpus, other, output=stopped.with_suffix(""), resume=True)
    longer = TrainingConfig(**{**CHANGES, "epochs": 5})
    model = train(zipf_corpus, longer, output=stopped.with_suffix(""), resume=True)
    assert model.vectors.tobytes() == train(zipf_corpus, longer).vectors.tobytes()


def test_where_checkpoints_have_no_meaning(zipf_corpus, tmp_path):
    for options, config in [
        ({"checkpoint_every": 1}, SMALL),  # no output
        ({"resume": True, "output": tmp_path / "m", "runs": 2}, SMALL),
        ({"checkpoint_every": 1, "output": tmp_path / "m"}, TrainingConfig(engine="gensim")),
        ({"checkpoint_every": 1, "output": tmp_path / "m"}, TrainingConfig(algorithm="ppmi")),
        ({"checkpoint_every": 0, "output": tmp_path / "m"}, SMALL),
        ({"checkpoint_every": "often", "output": tmp_path / "m"}, SMALL),
        ({"memory": "1G"}, TrainingConfig(engine="gensim")),
        ({"start_from": wg.from_arrays(["a"], [[1.0]])}, SMALL),
        ({"keep_training_state": True}, SMALL),
    ]:
        with pytest.raises((OptionError, TrainingError)):
            train(zipf_corpus, config, **options)
    assert not (tmp_path / "m").exists()


def test_reproduced_on_other_threads(zipf_corpus, tmp_path):
    train(zipf_corpus, SMALL, output=tmp_path / "model")
    facts = tmp_path / "model" / "wordgeo.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"threads": 3}))
    found = reproduce(tmp_path / "model", tmp_path / "again", corpus=zipf_corpus)
    assert found.same
    assert found.differences == ()


@pytest.mark.parametrize("loop", LOOPS)
def test_every_instruction_set_trains(zipf_corpus, tmp_path, loop):
    code = (
        "import sys; from wordgeo.training import TrainingConfig, train\n"
        "config = TrainingConfig(algorithm='glove', dim=20, epochs=4, min_count=1, seed=3)\n"
        "train(sys.argv[1], config, output=sys.argv[2])"
    )
    env = {**os.environ, "WORDGEO_ISA": loop, "WORDGEO_CACHE": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", code, zipf_corpus.path, tmp_path / "model"], env=env, check=True)
    model = load(tmp_path / "model")
    assert model.run["machine"]["instruction_set"] == loop
    np.testing.assert_allclose(model.vectors, train(zipf_corpus, SMALL).vectors, atol=1e-3)
    shutil.rmtree(tmp_path / "cache")
