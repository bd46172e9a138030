"""Counts of neighbouring words: those of ten lines of Python, for every option, thread count and memory."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wordgeo.corpus import Documents, EncodedCorpus, encode
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OptionError, OutputError, TrainingError
from wordgeo.training import counting
from wordgeo.training.counting import CountingOptions, count, count_cached, memory_bytes
from wordgeo.training.counting_file import Counts

MASK = 2**64 - 1


def mixed(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def kept_words(documents, rows, sample):
    """The documents with None for every word that is left out: because it has no row, or by the draw of its place."""
    counts = Counter(word for document in documents for sentence in document for word in sentence if word in rows)
    limit, place, kept = sample * sum(counts.values()), iter(range(10**9)), []
    for document in documents:
        kept.append([])
        for sentence in document:
            kept[-1].append([])
            for word in sentence:
                number = next(place)
                share = (limit / counts[word]) ** 0.5 + limit / counts[word] if sample and word in rows else 1
                drawn = share >= 1 or mixed(number) >> 32 < round(share * 2**32)
                kept[-1][-1].append(word if word in rows and drawn else None)
    return kept


def counted(documents, rows, options):
    """The ten lines that everything is held against."""
    found = Counter()
    weight = {
        "flat": lambda d: 1, "harmonic": lambda d: Fraction(1, d),
        "dynamic": lambda d: Fraction(options.window - d + 1, options.window),
    }[options.weighting]  # fmt: skip
    for document in kept_words(documents, rows, options.sample):
        for unit in [list(chain(*document))] if options.bounds == "document" else document:
            words = [word for word in unit if word is not None or options.subsampling == "clean"]
            for i, word in enumerate(words):
                for j in range(max(0, i - options.window), min(len(words), i + options.window + 1)):
                    counts = j != i and options.sides in ("both", "left" if j < i else "right")
                    if counts and word is not None and words[j] is not None:
                        found[rows[word], rows[words[j]]] += weight(abs(i - j))
    return found


def made(documents, folder):
    text = ["\n".join(map(" ".join, document)) for document in documents]
    return encode(Documents(text), folder, tokens="whitespace", case="keep")


def whole(counts):
    """All counts as exact fractions, by row and column."""
    found = {}
    for row in range(len(counts)):
        for i in range(int(counts.rows[row]), int(counts.rows[row + 1])):
            column, value = int(counts.columns[i]), Fraction(int(counts.sums[i]), counts.unit)
            found[row, column] = value
            if counts.symmetric:
                found[column, row] = value
    return found


def least_memory(corpus, options, threads):
    with pytest.raises(OptionError) as caught:
        count(corpus, corpus.path.parent / "never", options, memory=1, threads=threads)
    return 1000 * int(re.search(r"needs (\d+)k at least", str(caught.value))[1])


sentence = st.lists(st.sampled_from("aaaabbbcdefgh"), min_size=1, max_size=25)
corpora = st.lists(st.lists(sentence, min_size=1, max_size=5), min_size=1, max_size=6)
choices = st.builds(
    CountingOptions,
    window=st.integers(1, 25),
    sides=st.sampled_from(["both", "both", "left", "right"]),
    weighting=st.sampled_from(["harmonic", "flat", "dynamic"]),
    bounds=st.sampled_from(["sentence", "document"]),
    subsampling=st.sampled_from(["dirty", "clean"]),
    sample=st.sampled_from([0.0, 0.0, 0.05, 0.2]),
    min_count=st.integers(1, 3),
)


@given(corpora, choices, st.sampled_from([1, 2, 3]), st.sampled_from([None, 1, 30]))
@settings(max_examples=80, deadline=None)
def test_the_ten_line_counter(documents, options, threads, tokens):
    """`tokens` is how small the pieces are, so that several have to be added up."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        corpus = made(documents, Path(folder, "corpus"))
        memory = "4G"
        if tokens is not None:
            patch.setattr(counting, "FEWEST_TOKENS", tokens)
            patch.setattr(counting, "SHARE_OF_OUTPUT", 10**9)
            memory = 10**6
            patch.setattr(counting, "BYTES_A_TOKEN", memory // (4 * options.window + tokens))
        kept = int((np.asarray(corpus.vocabulary.counts) >= options.min_count).sum())
        rows = {word: i for i, word in enumerate(corpus.vocabulary.words[:kept])}
        if kept < 2:
            with pytest.raises(TrainingError, match="lower min_count"):
                count(corpus, Path(folder, "counts"), options, threads=threads, memory=memory)
            return
        counts = count(corpus, Path(folder, "counts"), options, threads=threads, memory=memory)
        expected = counted(documents, rows, options)
        if counts.info["exact"]:
            assert whole(counts) == expected
        else:
            found = whole(counts)
            assert set(found) == set(expected)
            assert all(abs(found[pair] - expected[pair]) < Fraction(1, 2**24) for pair in found)
        assert counts.entries == len(expected)


@pytest.fixture(scope="module")
def text():
    """Three documents, 12,000 words."""
    rng = np.random.default_rng(3)
    words = np.minimum(rng.zipf(1.4, 12_000), 300)
    cuts = np.sort(rng.choice(12_000, 900, replace=False))
    sentences = [[f"w{word}" for word in part] for part in np.split(words, cuts) if len(part)]
    return [sentences[:100], sentences[100:101], sentences[101:]]


@pytest.fixture(scope="module")
def corpus(text, tmp_path_factory):
    return made(text, tmp_path_factory.mktemp("counting") / "corpus")


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("sides", ["both", "left"])
def test_the_same_bytes_for_any_threads_and_memory_with_spilling(corpus, text, tmp_path, sides, caplog):
    caplog.set_level("INFO")
    options = CountingOptions(min_count=1, sides=sides)
    first = count(corpus, tmp_path / "first", options, threads=1)
    assert not caplog.messages
    for threads in (1, 2, 5):
        memory = least_memory(corpus, options, threads)
        again = count(corpus, tmp_path / f"again-{threads}", options, threads=threads, memory=memory)
        assert "adding up" in caplog.messages[-1]
        assert int(re.search(r"\d+", caplog.messages[-1])[0]) > 5
        assert files_of(again.path) == files_of(first.path)
    rows = {word: i for i, word in enumerate(corpus.vocabulary.words)}
    assert whole(first) == counted(text, rows, options)


def test_a_matrix_and_its_elements(corpus, tmp_path):
    for sides in ("both", "right"):
        counts = count(corpus, tmp_path / sides, CountingOptions(sides=sides, min_count=2), threads=2)
        matrix = counts.to_scipy().toarray()
        assert counts.entries == np.count_nonzero(matrix) == counts.to_scipy().nnz
        assert (matrix == matrix.T).all() == (sides == "both")
        words = counts.vocabulary.words
        for i, j in [(0, 1), (1, 0), (3, 3), (50, 2), (2, 50), (len(words) - 1, len(words) - 2)]:
            assert counts[words[i], words[j]] == matrix[i, j]
        assert counts.to_dict()["options"]["sides"] == sides
        assert "unit" in counts.tables()[0].to_text()


def test_weights():
    weights, unit, exact = CountingOptions(window=4).weights(100)
    assert (weights.tolist(), unit, exact) == ([0, 12, 6, 4, 3], 12, True)
    assert CountingOptions(window=3, weighting="dynamic").weights(9)[0].tolist() == [0, 3, 2, 1]
    assert CountingOptions(window=3, weighting="flat").weights(9)[0].tolist() == [0, 1, 1, 1]
    assert CountingOptions(window=22).weights(10**6)[2]
    weights, unit, exact = CountingOptions(window=23).weights(10**6)
    assert (unit, exact) == (2**32, False)
    assert weights.tolist()[3] == round(2**32 / 3)
    for tokens in (10**6, 10**9, 10**12):  # no sum can pass 64 bits
        weights = CountingOptions(window=1000).weights(tokens)[0]
        assert 2 * tokens * sum(weights.tolist()) < 2**64


def test_words_from_outside(corpus, text, tmp_path):
    words = ["w7", "elsewhere", "w1", "w2"]
    options = CountingOptions(words=words, window=3)
    counts = count(corpus, tmp_path / "counts", options, threads=2)
    assert counts.vocabulary.words == words
    assert counts.vocabulary.counts[1] == 0
    assert whole(counts) == counted(text, {word: i for i, word in enumerate(words)}, options)
    with pytest.raises(OptionError, match="leave one of them out"):
        CountingOptions(words=words, min_count=5)
    with pytest.raises(TrainingError, match="none of the words"):
        count(corpus, tmp_path / "none", CountingOptions(words=["elsewhere"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window is 0"),
        ({"sides": "up"}, "choose one of both, left, right"),
        ({"weighting": "linear"}, "choose one of harmonic, flat, dynamic"),
        ({"bounds": "page"}, "choose one of sentence, document"),
        ({"subsampling": "none"}, "choose one of dirty, clean"),
        ({"sample": -1}, "sample is -1"),
        ({"min_count": 0}, "min_count is 0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(OptionError, match=re.escape(message)):
        CountingOptions(**options)


@pytest.mark.parametrize("memory", ["", "4 apples", "-1G", 0, True, "0", None, 1.5])
def test_bad_memory(memory):
    with pytest.raises(OptionError, match="memory is"):
        memory_bytes(memory)


def test_memory():
    assert [memory_bytes(text) for text in ("500M", "4G", "4gb", "1.5k", "12", 7)] == [
        500_000_000, 4_000_000_000, 4_000_000_000, 1500, 12, 7,
    ]  # fmt: skip


def test_the_cache(corpus, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    caplog.set_level("INFO")
    options = CountingOptions(window=2)
    first = count_cached(corpus, options, threads=2)
    inode = (first.path / "sums.npy").stat().st_ino
    again = count_cached(corpus, CountingOptions(window=2, min_count=5), memory="1G")
    assert (again.path / "sums.npy").stat().st_ino == inode
    assert "counted before" in caplog.messages[-1]
    assert count_cached(corpus, CountingOptions(window=3)).path != first.path
    (first.path / "sums.npy").write_bytes(b"")
    assert whole(count_cached(corpus, options)) == whole(count(corpus, tmp_path / "plain", options))


def test_damaged_counts(corpus, tmp_path):
    counts = count(corpus, tmp_path / "counts", CountingOptions(window=2))
    for name in ("rows.npy", "columns.npy", "sums.npy", "vocabulary", "counts.json"):
        for change in ("missing", "cut"):
            folder = tmp_path / f"{change}-{name}"
            shutil.copytree(counts.path, folder)
            if change == "missing":
                (folder / name).unlink()
            else:
                (folder / name).write_bytes((folder / name).read_bytes()[:-5])
            with pytest.raises(FormatError):
                Counts.open(folder)
    with pytest.raises(NotFoundError):
        Counts.open(tmp_path / "nothing")


def test_a_damaged_corpus(corpus, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(corpus.path, copy)
    ids = np.load(copy / "ids.npy", mmap_mode="r+")
    ids[700] = 2**31
    ids.flush()
    with pytest.raises(CorpusError, match="beyond the vocabulary"):
        count(EncodedCorpus.open(copy), tmp_path / "counts")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


FULL = """
import resource, signal, sys
from wordgeo.corpus import EncodedCorpus
from wordgeo.training.counting import CountingOptions, count
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    corpus, options = EncodedCorpus.open(sys.argv[1]), CountingOptions(min_count=1)
    count(corpus, sys.argv[2], options, memory=int(sys.argv[3]), threads=2)
except Exception as problem:
    print(type(problem).__name__, problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of resources are POSIX")
@pytest.mark.parametrize("spill", [True, False])
def test_a_full_disk_leaves_nothing(corpus, tmp_path, spill):
    memory = least_memory(corpus, CountingOptions(min_count=1), 2) if spill else 10**9
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(corpus.path), str(tmp_path / "counts"), str(memory)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("OutputError")
    assert "cannot be written: file too large; nothing was changed" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


class Vandal:
    """Removes the folder that is being filled after some pieces."""

    def __init__(self, folder, after):
        self.folder, self.after = folder, after

    def start(self, task, total, unit):
        pass

    def advance(self, amount, note=""):
        self.after -= 1
        if self.after == 0:
            for place in self.folder.glob(".counts.*"):
                shutil.rmtree(place)

    def finish(self):
        pass


@pytest.mark.parametrize("after", [1, 3])
def test_a_spill_folder_that_vanishes(corpus, tmp_path, after):
    options = CountingOptions(min_count=1)
    memory = least_memory(corpus, options, 2)
    with pytest.raises(OutputError, match="cannot be written: no such file"):
        count(corpus, tmp_path / "counts", options, memory=memory, threads=2, progress=Vandal(tmp_path, after))
    assert list(tmp_path.iterdir()) == []
