"""Single runs and ensembles on disk: whole or not at all, refused before training begins, run i = seed + i - 1."""

import dataclasses
import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from wordgeo.corpus import Documents, EncodedCorpus
from wordgeo.errors import NotFoundError, OptionError, OutputError, TrainingError, WordgeoError
from wordgeo.formats import is_model, load
from wordgeo.stability import Ensemble
from wordgeo.training import TrainingConfig, train, train_embeddings

SMALL = TrainingConfig(dim=8, epochs=1, min_count=2, threads=1)
TEXT = "The cat sat on the mat.\nThe dog sat on the log.\n\nA cat and a dog met.\n" * 30


class Unused:
    """Progress of a training that must not begin."""

    def start(self, task, total, unit):
        raise AssertionError(f"{task} began")


def test_saved_is_what_was_trained(zipf_corpus, tmp_path):
    saved = train(zipf_corpus, SMALL, output=tmp_path / "model")
    trained = train(zipf_corpus, SMALL)
    assert saved.vectors.tobytes() == trained.vectors.tobytes()
    assert saved.words == trained.words
    assert saved.path == tmp_path / "model"
    assert saved.provenance == trained.provenance
    run = json.loads((tmp_path / "model" / "run.json").read_text())
    assert len(run["epochs"]) == 1
    assert run["words_per_second"] > 0
    assert run["machine"]["cores"] >= 1


def test_every_kind_of_source_gives_the_same(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    first = train(text, SMALL)
    corpus = EncodedCorpus.open(next((tmp_path / "cache" / "corpora").iterdir()))
    for source in (
        str(text),
        [text],
        Documents(TEXT.split("\n\n")),
        corpus,
        corpus.path,
        str(corpus.path),
        [corpus.path],
    ):
        again = train(source, SMALL)
        assert again.vectors.tobytes() == first.vectors.tobytes()
        assert again.words == first.words


def test_encoding_options_reach_the_text(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    assert "The" not in train(text, SMALL)
    kept = train(text, SMALL, case="keep", tokens="whitespace", documents="line")
    assert "The" in kept
    assert "mat." in kept
    assert kept.provenance["corpus"]["documents"] == "line"


def test_run_i_has_the_bytes_of_a_single_run_with_its_seed(zipf_corpus, tmp_path):
    config = dataclasses.replace(SMALL, seed=5)
    models = train(zipf_corpus, config, output=tmp_path / "ensemble", runs=3)
    assert sorted(path.name for path in (tmp_path / "ensemble").iterdir()) == [
        "ensemble.json", "run-001", "run-002", "run-003",
    ]  # fmt: skip
    in_memory = train(zipf_corpus, config, runs=3)
    for i, (model, other) in enumerate(zip(models, in_memory, strict=True)):
        alone = train_embeddings(zipf_corpus, dataclasses.replace(SMALL, seed=5 + i))
        assert model.vectors.tobytes() == alone.vectors.tobytes() == other.vectors.tobytes()
        assert model.provenance == alone.provenance
        assert model.path == tmp_path / "ensemble" / f"run-00{i + 1}"
    manifest = json.loads((tmp_path / "ensemble" / "ensemble.json").read_text())
    assert [(run["folder"], run["seed"]) for run in manifest["runs"]] == [
        ("run-001", 5),
        ("run-002", 6),
        ("run-003", 7),
    ]
    assert manifest["corpus"]["fingerprint"] == zipf_corpus.fingerprint
    assert manifest["parameters"]["dim"] == 8
    assert "seed" not in manifest


def tree(folder):
    return {path.relative_to(folder): path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("options", "error", "exit_code", "message"),
    [
        ({"runs": 0}, OptionError, 2, "runs is 0"),
        ({"runs": 1.5}, OptionError, 2, "runs is 1.5"),
        ({"runs": 10**6}, OptionError, 2, "from 1 to 999"),
        ({"runs": 2, "config": TrainingConfig(seed=2**32 - 1)}, OptionError, 2, "from 0 to 4294967294"),
        ({"case": "upper"}, OptionError, 2, "case is 'upper'"),
        ({"colour": "red"}, OptionError, 2, "there is no option 'colour'"),
        ({"widow": 5}, OptionError, 2, "there is no option 'widow'; did you mean window?"),
        ({"window": 5}, OptionError, 2, "put it into the TrainingConfig"),
        ({"source": "corpus", "case": "lower"}, OptionError, 2, "case is 'lower', but .* was encoded with case 'keep'"),
        ({"source": "corpus", "tokens": "unicode"}, OptionError, 2, "encoded with tokens 'whitespace'"),
        ({"source": "corpus", "documents": "line"}, OptionError, 2, "encoded with documents 'blank'"),
        ({"source": "corpus", "max_vocab": 10}, OptionError, 2, "is encoded already; leave max_vocab out"),
        ({"source": "two"}, OptionError, 2, "has to stand alone"),
        ({"output": "full"}, OutputError, 1, "exists already"),
        ({"output": "full", "runs": 2}, OutputError, 1, "exists already"),
        ({"output": "full", "overwrite": True}, OutputError, 1, "another kind"),
        ({"output": "full", "overwrite": True, "runs": 2}, OutputError, 1, "another kind"),
        ({"output": "full/file"}, OutputError, 1, "is a file"),
        ({"output": "full/file/model"}, OutputError, 1, "cannot be written"),
        ({"output": "full/file/models", "runs": 2}, OutputError, 1, "cannot be written"),
        ({"source": "missing.txt"}, NotFoundError, 1, "missing.txt"),
    ],
    ids=str,
)
def test_bad_input_is_refused_before_anything_happens(zipf_corpus, tmp_path, options, error, exit_code, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    sources = {"corpus": zipf_corpus.path, "two": [zipf_corpus.path, tmp_path / "full" / "file"]}
    options = {"config": SMALL, "output": "new", "source": zipf_corpus, **options}
    source = options.pop("source")
    source = sources.get(source, tmp_path / source) if isinstance(source, str) else source
    before = tree(tmp_path)
    with pytest.raises(error, match=message) as caught:
        train(source, options.pop("config"), output=tmp_path / options.pop("output"), progress=Unused(), **options)
    assert isinstance(caught.value, WordgeoError)
    assert caught.value.exit_code == exit_code
    assert {path: content for path, content in tree(tmp_path).items() if path.parts[0] != "cache"} == before


def test_overwriting_replaces_a_model_and_an_ensemble(zipf_corpus, tmp_path):
    for runs in (1, 2):
        output = tmp_path / f"runs-{runs}"
        train(zipf_corpus, SMALL, output=output, runs=runs)
        train(zipf_corpus, dataclasses.replace(SMALL, dim=4), output=output, runs=runs, overwrite=True)
        model = load(output) if runs == 1 else Ensemble.open(output)[1]
        assert model.dimensions == 4


def test_a_training_that_fails_leaves_nothing(encoded, tmp_path):
    corpus = encoded([["a", "b"]])
    for runs in (1, 2):
        with pytest.raises(TrainingError, match="no word occurs 2 times"):
            train(corpus, SMALL, output=tmp_path / "model", runs=runs)
    assert [path.name for path in tmp_path.iterdir()] == [corpus.path.name]


CUT_OFF = """
import sys
from wordgeo.training import TrainingConfig, train

class Said:
    tasks = 0
    def start(self, task, total, unit):
        self.tasks += 1
    def advance(self, amount, note=""):
        if self.tasks == {task}:
            print("training", flush=True)
    def finish(self):
        pass

config = TrainingConfig(dim=8, epochs={epochs}, min_count=2, threads=1)
try:
    train({corpus!r}, config, output={output!r}, runs={runs}, progress=Said())
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(("runs", "task", "epochs"), [(1, 1, 10**6), (2, 2, 15)], ids=["model", "second-run"])
def test_a_training_that_is_cut_off_leaves_no_model(zipf_corpus, tmp_path, how, runs, task, epochs):
    code = CUT_OFF.format(
        corpus=str(zipf_corpus.path), output=str(tmp_path / "out" / "model"), runs=runs, task=task, epochs=epochs
    )
    (tmp_path / "out").mkdir()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"training\n"
        process.send_signal(how)
        process.stdout.read()
        assert process.wait(timeout=60) == (130 if how == signal.SIGINT else -signal.SIGKILL)
    left = list((tmp_path / "out").rglob("*"))
    if how == signal.SIGINT and runs == 1:
        assert left == []
    finished = [tmp_path / "out" / "model.training" / "run-001"] if runs > 1 else []
    assert all(is_model(folder) for folder in finished)
    assert not (tmp_path / "out" / "model").exists()
    for folder in [path for path in left if path.is_dir() and path not in finished]:
        assert not is_model(folder)
        with pytest.raises(WordgeoError):
            load(folder)
        with pytest.raises(WordgeoError):
            Ensemble.open(folder)
    found = train(zipf_corpus, SMALL, output=tmp_path / "out" / "model", runs=runs)
    assert len(found if runs > 1 else [found]) == runs
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model"]


def test_real_text_gives_vectors_that_know_something(shared_data, tmp_path):
    """Half a million words of Wikipedia are few, but numbers and months find each other."""
    import zstandard

    with (shared_data / "corpora" / "wiki-dev.txt.zst").open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file).read(3_000_000)
    (tmp_path / "wiki.txt").write_bytes(raw[: raw.rindex(b"\n")])
    config = TrainingConfig(algorithm="cbow", dim=30, epochs=3, threads=1, alpha=0.05)
    model = train(tmp_path / "wiki.txt", config, tokens="whitespace")
    rows = model.vocabulary.rows(["june", "july", "one", "two", "music"])
    unit = model.vectors[rows] / np.linalg.norm(model.vectors[rows], axis=1, keepdims=True)
    cosine = unit @ unit.T
    assert cosine[0, 1] > cosine[0, 4]
    assert cosine[2, 3] > cosine[2, 4]
