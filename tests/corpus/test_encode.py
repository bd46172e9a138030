"""Encoding as a whole: sources, documents, vocabulary, the same bytes for any threads and blocks, and the cache."""

import gzip
import itertools
import json
import logging
import os
import random
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import zstandard

from wordgeo.corpus import Documents, EncodedCorpus, encode, encode_cached, joiner, readers, reference
from wordgeo.errors import CorpusError, OptionError


def texts(corpus):
    """An encoded corpus as documents of sentences of words."""
    words = corpus.vocabulary.words
    sentences = [[words[i] for i in corpus.ids[a:b]] for a, b in itertools.pairwise(corpus.sentences.tolist())]
    return [sentences[a:b] for a, b in itertools.pairwise(corpus.documents.tolist())]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def prose(paragraphs, seed=1):
    """English-looking text with everything that can go wrong at a cut: long lines, CRLF, abbreviations, marks."""
    rng = random.Random(seed)
    words = [
        "the",
        "Cat",
        "sat",
        "Dr.",
        "U.S.",
        "1,234.5",
        "it's",
        "été",
        "e\u0301",
        "中国",
        "J.",
        "end.",
        "end?\u201d",
        "“So",
        "(and",
        "etc.)",
        "Σίσυφος",
        "a_b",
        "—",
        "x's",
        "\u00a0",
        "'s",
        "\ufffd",
    ]
    parts = []
    for _ in range(paragraphs):
        parts.append(" ".join(rng.choices(words, k=rng.randrange(1, 60))))
        parts.append(rng.choice(["\n", "\n", "\r\n", "\n\n", " \n \n", "\r\n\r\n", "\r"]))
    return "".join(parts)


@pytest.fixture(params=["unicode", "whitespace"])
def tokens(request):
    return request.param


def test_words_are_numbered_by_count_and_code_points(tmp_path):
    corpus = encode(Documents(["b a b é a z", "Z 10"]), tmp_path / "c", case="keep")
    assert corpus.vocabulary.words == ["a", "b", "10", "Z", "z", "é"]
    assert corpus.vocabulary.counts.tolist() == [2, 2, 1, 1, 1, 1]
    assert texts(corpus) == [[["b", "a", "b", "é", "a", "z"]], [["Z", "10"]]]
    assert (corpus.ids.dtype, corpus.sentences.dtype, corpus.documents.dtype) == (np.uint32, np.uint64, np.uint64)
    corpus.check()


def test_the_result_is_that_of_the_slow_twin_for_any_threads_and_blocks(tmp_path, tokens, monkeypatch):
    text = prose(400)
    file = tmp_path / "text.txt"
    file.write_bytes(text.encode())
    expected = reference.documents_of(text, tokens=tokens, case="lower", documents="blank")
    first = None
    for size, threads in [(1 << 20, 1), (4096, 1), (4096, 2), (4096, 3), (700, 3), (150, 2)]:
        monkeypatch.setattr(
            readers.Reader.__init__, "__kwdefaults__", readers.Reader.__init__.__kwdefaults__ | {"block_bytes": size}
        )
        corpus = encode(file, tmp_path / "c", tokens=tokens, threads=threads, overwrite=True)
        assert texts(corpus) == expected, (size, threads)
        first = first or contents(tmp_path / "c")
        assert contents(tmp_path / "c") == first, (size, threads)
    flat = [word for document in expected for sentence in document for word in sentence]
    assert dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True)) == Counter(flat)


def test_one_long_line_is_cut_without_trace(tmp_path, tokens, monkeypatch):
    line = prose(300).replace("\n", " ").replace("\r", " ")
    (tmp_path / "line.txt").write_text(line, newline="")
    whole = encode(tmp_path / "line.txt", tmp_path / "a", tokens=tokens)
    monkeypatch.setattr(
        readers.Reader.__init__, "__kwdefaults__", readers.Reader.__init__.__kwdefaults__ | {"block_bytes": 500}
    )
    cut = encode(tmp_path / "line.txt", tmp_path / "b", tokens=tokens)
    assert contents(whole.path) == contents(cut.path)
    jsonl = tmp_path / "line.jsonl"
    jsonl.write_text(json.dumps({"text": line}) + "\n" + json.dumps({"text": "another one"}))
    assert texts(encode(jsonl, tmp_path / "d", tokens=tokens)) == [*texts(whole), [["another", "one"]]]


def test_every_kind_of_source_gives_the_same_tokens(tmp_path, monkeypatch):
    documents = ["It was. He went.\nThen", "Une phrase.\n\nEncore", "   \n", "drei"]
    expected = [[["it", "was"], ["he", "went"], ["then"]], [["une", "phrase"], ["encore"]], [["drei"]]]
    lines = "".join(json.dumps({"text": d, "body": d[::-1]}) + "\n" for d in documents)
    (tmp_path / "a.jsonl").write_text("\ufeff" + lines)
    (tmp_path / "no-suffix").write_text(lines.rstrip("\n"))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines[:40].encode()) + gzip.compress(lines[40:].encode()))
    packer = zstandard.ZstdCompressor()
    (tmp_path / "a.json.zst").write_bytes(packer.compress(lines[:9].encode()) + packer.compress(lines[9:].encode()))
    prints = set()
    for i, source in enumerate(
        [Documents(documents), *(str(tmp_path / name) for name in ("a.jsonl", "no-suffix", "a.jsonl.gz", "a.json.zst"))]
    ):
        corpus = encode(source, tmp_path / f"out{i}")
        assert texts(corpus) == expected, source
        prints.add(corpus.fingerprint)
    assert len(prints) == 1
    backwards = encode(tmp_path / "a.jsonl", tmp_path / "back", field="body")
    assert texts(backwards)[-1] == [["ierd"]]
    as_text = encode(tmp_path / "a.jsonl", tmp_path / "text", input_format="text")
    assert texts(as_text)[0][0][:2] == ["text", "it"]


def test_folders_globs_lists_and_standard_input(tmp_path, monkeypatch):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, text in {"b.txt": "bee", "a.txt": "ay", "deep/c.txt": "sea", ".hidden": "no"}.items():
        (tmp_path / "in" / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    by_folder = encode("in", tmp_path / "1")
    assert texts(by_folder) == [[["ay"]], [["bee"]], [["sea"]]]
    assert [s["name"] for s in by_folder.info["sources"]] == ["in/a.txt", "in/b.txt", "in/deep/c.txt"]
    assert texts(encode("in/*.txt", tmp_path / "2")) == [[["ay"]], [["bee"]]]
    assert texts(encode("in/**/*.txt", tmp_path / "3")) == texts(by_folder)
    assert texts(encode(["in/b.txt", Path("in/a.txt"), Documents(["dee"])], tmp_path / "4")) == [
        [["bee"]],
        [["ay"]],
        [["dee"]],
    ]
    read, write = os.pipe()
    os.write(write, b"from a pipe")
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert texts(encode("-", tmp_path / "5")) == [[["from", "a", "pipe"]]]


def test_a_named_pipe_streams(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_text("through a pipe"))
    writer.start()
    assert texts(encode(fifo, tmp_path / "c")) == [[["through", "a", "pipe"]]]
    writer.join()


def test_max_vocab_drops_the_rarest_words_and_says_so(tmp_path, caplog):
    documents = ["a a b\nc d", "d", "e e\nc\nb a"]
    with caplog.at_level(logging.WARNING):
        corpus = encode(Documents(documents), tmp_path / "c", max_vocab=2, tokens="whitespace")
    assert corpus.vocabulary.words == ["a", "b"]
    assert texts(corpus) == [[["a", "a", "b"]], [["b", "a"]]]
    assert corpus.info["pruned"] == {"types": 3, "tokens": 6}
    assert "3 rarest words" in caplog.text
    corpus.check()
    EncodedCorpus.open(tmp_path / "c")
    everything = encode(Documents(documents), tmp_path / "d", max_vocab=5, tokens="whitespace")
    assert everything.info["pruned"] == {"types": 0, "tokens": 0} and len(everything) == 11


def test_max_vocab_over_many_chunks_equals_filtering(tmp_path, monkeypatch):
    monkeypatch.setattr(joiner, "REMAP_TOKENS", 7)
    text = prose(100)
    full = encode(Documents([text, text[::2]]), tmp_path / "full")
    cut = encode(Documents([text, text[::2]]), tmp_path / "cut", max_vocab=9)
    kept = set(full.vocabulary.words[:9])
    expected = [[[w for w in s if w in kept] for s in d] for d in texts(full)]
    expected = [[s for s in d if s] for d in expected]
    assert texts(cut) == [d for d in expected if d]


def test_what_is_recorded(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"\xef\xbb\xbfone two\r\n\r\nthree\0four \xff\xfe five\n\xc3\x28 six\n")
    corpus = encode(tmp_path / "x.txt", tmp_path / "c")
    assert texts(corpus) == [[["one", "two"]], [["three", "four", "five"], ["six"]]]
    info = json.loads((tmp_path / "c" / "corpus.json").read_text())
    assert info == corpus.info
    assert info["counts"] == {"tokens": 6, "types": 6, "sentences": 3, "documents": 2}
    assert (info["tokens"], info["case"], info["documents"], info["normalization"]) == (
        "unicode",
        "lower",
        "blank",
        "NFC",
    )
    name = str(tmp_path / "x.txt")
    assert info["replaced"] == {"count": 3, "places": [{"source": name, "line": 3}, {"source": name, "line": 4}]}
    assert info["nul_characters"] == 1
    assert info["sources"][0]["bytes"] == (tmp_path / "x.txt").stat().st_size
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == [
        "corpus.json",
        "documents.npy",
        "ids.npy",
        "sentences.npy",
        "vocabulary",
    ]


def test_the_fingerprint_is_of_content_and_settings_alone(tmp_path):
    def of(source, name, **options):
        return encode(source, tmp_path / name, **options).fingerprint

    (tmp_path / "x").write_text("one two. Three")
    base = of(tmp_path / "x", "a")
    assert of(Documents(["one two. Three"]), "b", threads=3) == base
    assert of(Documents(["one two. three"]), "c") != base
    assert of(Documents(["one two.", "Three"]), "d") != base
    assert of(tmp_path / "x", "e", tokens="whitespace") != base
    (tmp_path / "y").write_text("one two\nthree")
    assert of(tmp_path / "y", "f") == base
    assert of(tmp_path / "y", "g", case="keep") != base  # the same tokens, made in another way


def test_the_cache_encodes_once_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("WORDGEO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "x").write_text("one two. Three")
    first = encode_cached(tmp_path / "x")
    stamp = (first.path / "ids.npy").stat().st_ino
    os.utime(first.path, (1, 1))
    (tmp_path / "renamed").write_text("one two. Three")
    again = encode_cached(str(tmp_path / "renamed"), threads=2)
    assert again.path == first.path and (again.path / "ids.npy").stat().st_ino == stamp
    assert first.path.stat().st_mtime > 1
    assert encode_cached(tmp_path / "x", case="keep").path != first.path
    (tmp_path / "x").write_text("one two. Four")
    assert texts(encode_cached(tmp_path / "x")) == [[["one", "two"], ["four"]]]
    memory = encode_cached(Documents(["in memory"]))
    assert encode_cached(Documents(iter(["in memory"]))).path == memory.path
    assert len(list(memory.path.parent.iterdir())) == 4
    monkeypatch.setenv("WORDGEO_CACHE_LIMIT", "0")
    last = encode_cached(Documents(["the last one"]))
    assert list(last.path.parent.iterdir()) == [last.path]


@pytest.mark.parametrize(
    "options",
    [
        {"tokens": "words"},
        {"case": "upper"},
        {"documents": "page"},
        {"input_format": "pdf"},
        {"max_vocab": 0},
        {"encoding_errors": "ignore"},
        {"threads": 0},
    ],
)
def test_wrong_options(tmp_path, options):
    with pytest.raises(OptionError, match=next(iter(options))):
        encode(Documents(["a"]), tmp_path / "c", **options)
    assert not (tmp_path / "c").exists()


def test_real_text_encodes_to_the_published_counts(shared_data, tmp_path):
    corpus = encode(shared_data / "corpora" / "wiki-dev.txt.zst", tmp_path / "w", tokens="whitespace")
    assert corpus.info["counts"] == {"tokens": 17_000_078, "types": 402_710, "sentences": 824_384, "documents": 68_788}
    assert int((corpus.vocabulary.counts >= 5).sum()) == 91_545
    corpus.check()


def test_progress_adds_up_to_the_size_of_the_files(tmp_path):
    class Seen:
        def start(self, task, total, unit):
            self.total, self.done, self.unit = total, 0, unit

        def advance(self, amount, note=""):
            self.done += amount

        def finish(self):
            self.finished = True

    (tmp_path / "x.gz").write_bytes(gzip.compress(prose(50).encode()))
    seen = Seen()
    encode([tmp_path / "x.gz", tmp_path / "x.gz"], tmp_path / "c", progress=seen)
    assert seen.finished and seen.done == seen.total == 2 * (tmp_path / "x.gz").stat().st_size
    with pytest.raises(CorpusError):
        encode(Documents([]), tmp_path / "d", progress=seen)
