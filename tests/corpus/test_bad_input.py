"""Hostile and broken input: one clear error or an exact result, bounded memory, and nothing left behind."""

import gzip
import json
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import zstandard

from wordgeo.corpus import Documents, EncodedCorpus, encode
from wordgeo.corpus.encoded import npy_header
from wordgeo.errors import CorpusError, FormatError, NotFoundError, OutputError


def words(corpus):
    return [corpus.vocabulary[i] for i in corpus.ids]


def fails(source, tmp_path, error=CorpusError, **options):
    """The message of the error; checks that nothing but the input is there afterwards."""
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(error) as problem:
        encode(source, tmp_path / "output", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert "\n" not in str(problem.value)
    return str(problem.value)


TEXT = "".join(random.Random(5).choices("abcdefgh \n", k=5000)).encode()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress])
def test_truncated_and_damaged_archives(tmp_path, pack):
    packed = pack(TEXT)
    file = tmp_path / "x"
    for size in {5, 11, 40, len(packed) // 2, len(packed) - 4, len(packed) - 1}:
        file.write_bytes(packed[:size])
        assert str(file) in fails(file, tmp_path)
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xFF
    file.write_bytes(damaged)
    assert str(file) in fails(file, tmp_path)
    file.write_bytes(packed + b"trailing bytes")
    assert str(file) in fails(file, tmp_path)


def run_limited(code, **limits):
    """Runs Python with limits on its resources; returns (exit code, output, errors)."""
    lines = [
        f"import resource; resource.setrlimit(resource.{name}, ({value}, {value}))" for name, value in limits.items()
    ]
    script = "\n".join([*lines, textwrap.dedent(code)])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_an_archive_bomb_takes_bounded_memory(tmp_path, kind):
    bomb = tmp_path / "bomb"
    line = b"to be or not to be\n" * 50_000  # 1 MB
    if kind == "gzip":
        with gzip.open(bomb, "wb") as file:
            for _ in range(300):
                file.write(line)
    else:
        bomb.write_bytes(zstandard.ZstdCompressor().compress(line * 300))
    assert bomb.stat().st_size < 2_000_000
    code, out, err = run_limited(f"""
        from resource import RUSAGE_SELF, getrusage
        from wordgeo.corpus.readers import Reader
        from wordgeo.corpus.sources import resolve_sources
        before = getrusage(RUSAGE_SELF).ru_maxrss
        reader = Reader(resolve_sources({str(bomb)!r}), report=print)
        print(sum(len(block.text) for block in reader.blocks()), getrusage(RUSAGE_SELF).ru_maxrss - before)
    """)
    assert code == 0, err
    size, kilobytes = map(int, out.split())
    assert size == 300 * len(line)
    assert kilobytes < 80_000


def test_a_line_of_fifty_megabytes(tmp_path):
    word = "word " * 10_000_000
    (tmp_path / "line").write_text(word)
    corpus = encode(tmp_path / "line", tmp_path / "c")
    assert len(corpus) == 10_000_000 and corpus.vocabulary.words == ["word"] and len(corpus.sentences) == 2


def test_what_is_no_text_ends_early(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * (70 << 20))
    assert "without a space" in fails(tmp_path / "x", tmp_path)
    (tmp_path / "x").write_bytes(b'{"text": "' + b"y" * (70 << 20))
    assert "line 1" in fails(tmp_path / "x", tmp_path, input_format="jsonl")


def test_a_word_of_megabytes_is_a_word(tmp_path):
    text = "short " + "long" * 1_000_000 + " short"
    corpus = encode(Documents([text]), tmp_path / "c")
    assert corpus.vocabulary.words[0] == "short" and len(corpus.vocabulary[1]) == 4_000_000


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfone\r\ntwo\rthree", ["one", "two", "three"]),
        (b"one\0two\0\0", ["one", "two"]),
        ("one\ufefftwo".encode(), ["onetwo"]),
        (b"one \xed\xa0\x80 two \xf5\x80", ["one", "two"]),
        (b"one\xc3", ["one"]),
        (b"{not json\n{nor this", ["not", "json", "nor", "this"]),
        (b"{}\n", None),
        (b"", None),
        (b"\n \r\n\t\n", None),
        (b"\xef\xbb\xbf", None),
        (b"... !?\n", None),
        (b"\xff" * 100, None),
        (b"\0" * 100, None),
    ],
)
def test_odd_bytes(tmp_path, content, expected):
    (tmp_path / "x").write_bytes(content)
    if expected is None:
        fails(tmp_path / "x", tmp_path)
    else:
        assert words(encode(tmp_path / "x", tmp_path / "c", case="keep")) == sorted(
            expected, key=lambda w: expected.index(w)
        )


def test_bytes_that_are_not_utf8_can_be_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"one\n" * 400_000 + b"two \xff\n" + b"three\n" * 400_000)
    for threads in (1, 3):
        message = fails(tmp_path / "x", tmp_path, encoding_errors="strict", threads=threads)
        assert f"{tmp_path / 'x'}, line 400001: not UTF-8" in message
    (tmp_path / "x").write_text('{"text": "fine"}\n{"text": "lone \\ud800 surrogate"}\n')
    assert f"{tmp_path / 'x'}, line 2: a lone surrogate" in fails(tmp_path / "x", tmp_path, encoding_errors="strict")
    corpus = encode(tmp_path / "x", tmp_path / "c")
    assert words(corpus) == ["fine", "lone", "surrogate"] and corpus.info["replaced"]["count"] == 1
    (tmp_path / "y").write_bytes(b'{"text": "one \xff\xfe two"}\n')
    corpus = encode(tmp_path / "y", tmp_path / "d", input_format="jsonl")
    assert words(corpus) == ["one", "two"]
    assert corpus.info["replaced"] == {"count": 2, "places": [{"source": str(tmp_path / "y"), "line": 1}]}


@pytest.mark.parametrize(
    "line", ['{"text": 5}', '{"body": "x"}', "[1]", '"text"', "{", "nonsense", '{"text": ' + "[" * 100_000, "null"]
)
def test_json_lines_that_are_none(tmp_path, line):
    (tmp_path / "x.jsonl").write_text('{"text": "fine"}\n\n' + line + "\n")
    assert f"{tmp_path / 'x.jsonl'}, line 3: " in fails(tmp_path / "x.jsonl", tmp_path)


def test_sources_that_are_not_there_or_no_text(tmp_path):
    assert "does not exist" in fails(tmp_path / "absent", tmp_path, NotFoundError)
    assert "no file matches" in fails(str(tmp_path / "*.txt"), tmp_path, NotFoundError)
    (tmp_path / "folder").mkdir()
    assert "without files" in fails(tmp_path / "folder", tmp_path)
    assert "device" in fails("/dev/zero", tmp_path)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.bind(str(tmp_path / "s"))
        assert "socket" in fails(tmp_path / "s", tmp_path)
    finally:
        server.close()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert str(tmp_path / "loop") in fails(tmp_path / "loop", tmp_path)
    for magic, name in ((b"BZh9", "bzip2"), (b"PK\x03\x04", "zip"), ("a b".encode("utf-16"), "UTF-16")):
        (tmp_path / "x").write_bytes(magic + b"....")
        assert name in fails(tmp_path / "x", tmp_path)
    encode(Documents(["a"]), tmp_path / "encoded")
    assert "encoded corpus already" in fails(tmp_path / "encoded", tmp_path)
    assert "type int" in fails(Documents(["a", 5]), tmp_path)


def test_an_error_of_the_caller_s_own_passes_through(tmp_path):
    def texts():
        yield "one"
        raise KeyError("mine")

    fails(Documents(texts()), tmp_path, KeyError)


def test_targets_that_exist(tmp_path):
    encode(Documents(["one"]), tmp_path / "c")
    before = (tmp_path / "c" / "ids.npy").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        encode(Documents(["two three"]), tmp_path / "c")
    with pytest.raises(CorpusError):
        encode(Documents([""]), tmp_path / "c", overwrite=True)
    assert (tmp_path / "c" / "ids.npy").read_bytes() == before
    assert words(encode(Documents(["two three"]), tmp_path / "c", overwrite=True)) == ["two", "three"]
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(OutputError, match="another kind"):
        encode(Documents(["a"]), tmp_path / "thesis", overwrite=True)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]


def test_a_full_disk_leaves_nothing(tmp_path):
    code, out, err = run_limited(
        f"""
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        from wordgeo.corpus import Documents, encode
        from wordgeo.errors import OutputError
        try:
            encode(Documents(["a b c d e"] * 200_000), {str(tmp_path / "c")!r})
        except OutputError as problem:
            print(problem)
        """,
        RLIMIT_FSIZE=1_000_000,
    )
    assert code == 0, err
    assert "cannot be written" in out and not list(tmp_path.iterdir())


def test_interruption_leaves_nothing(tmp_path):
    def texts():
        for i in range(100_000):
            if i == 50_000:
                os.kill(os.getpid(), signal.SIGINT)
            yield "some words of text " * 20

    for threads in (1, 2):
        fails(Documents(texts()), tmp_path, KeyboardInterrupt, threads=threads)


@pytest.mark.parametrize("text", ["我们去北京看书。", "わたしはねこがすき", "แมวกินปลา", "ខ្មែរ", "Python 是一种语言"])
def test_languages_without_spaces_are_refused_with_advice(tmp_path, text):
    assert "--tokens whitespace" in fails(Documents([text]), tmp_path)
    assert len(encode(Documents([text]), tmp_path / "c", tokens="whitespace")) >= 1


def test_some_signs_in_other_text_are_no_reason(tmp_path):
    assert len(encode(Documents(["The word 北京 means northern capital."]), tmp_path / "c")) == 7


# ---- folders that claim to be encoded corpora ----


@pytest.fixture
def corpus(tmp_path):
    return encode(Documents(["a b c. D a\nb", "a"]), tmp_path / "c")


def rewrite(corpus, name, array):
    (corpus.path / name).write_bytes(npy_header(array.dtype.str, len(array)) + array.tobytes())


def damage_json(**changes):
    def change(corpus):
        info = json.loads((corpus.path / "corpus.json").read_text())
        (corpus.path / "corpus.json").write_text(json.dumps({**info, **changes}))

    return change


def truncate(name, size):
    def change(corpus):
        with (corpus.path / name).open("r+b") as file:
            file.truncate(size if size >= 0 else (corpus.path / name).stat().st_size + size)

    return change


def counts(**changes):
    return damage_json(counts={"tokens": 7, "types": 4, "sentences": 4, "documents": 2, **changes})


DAMAGES = [
    damage_json(format_version=2),
    damage_json(format="something else"),
    damage_json(fingerprint=None),
    counts(tokens=2**62),
    counts(tokens=8),
    counts(types=-1),
    counts(types=5),
    counts(sentences=True),
    counts(documents="2"),
    damage_json(counts=None),
    lambda c: (c.path / "corpus.json").write_text("[]"),
    lambda c: (c.path / "corpus.json").write_text("{" * 1000),
    lambda c: (c.path / "ids.npy").unlink(),
    lambda c: (c.path / "vocabulary").unlink(),
    lambda c: (c.path / "vocabulary").write_bytes(b""),
    lambda c: (c.path / "sentences.npy").write_bytes(b""),
    lambda c: (c.path / "ids.npy").write_bytes((c.path / "ids.npy").read_bytes() + b"more"),
    lambda c: np.save(c.path / "ids.npy", np.array([{}] * 7), allow_pickle=True),
    lambda c: np.save(c.path / "ids.npy", np.zeros(7, dtype=">u4")),
    lambda c: np.save(c.path / "ids.npy", np.zeros((7, 1), dtype="<u4")),
    truncate("ids.npy", -1),
    truncate("documents.npy", 5),
    truncate("vocabulary", -8),
    lambda c: rewrite(c, "sentences.npy", np.array([0, 3, 3, 6, 7], dtype="<u8")),
    lambda c: rewrite(c, "sentences.npy", np.array([0, 3, 5, 6, 8], dtype="<u8")),
    lambda c: rewrite(c, "sentences.npy", np.array([1, 3, 5, 6, 7], dtype="<u8")),
    lambda c: rewrite(c, "sentences.npy", np.array([0, 2**63, 5, 6, 7], dtype="<u8")),
    lambda c: rewrite(c, "documents.npy", np.array([0, 4, 4], dtype="<u8")),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_corpora_are_not_opened(corpus, damage):
    EncodedCorpus.open(corpus.path).check()
    damage(corpus)
    with pytest.raises(FormatError) as problem:
        EncodedCorpus.open(corpus.path)
    assert str(corpus.path) in str(problem.value)


@pytest.mark.parametrize("ids", [[0, 1, 2, 3, 0, 1, 4], [0, 1, 2, 3, 0, 1, 2**32 - 1], [0, 1, 2, 3, 0, 1, 1]])
def test_word_numbers_are_checked_on_demand(corpus, ids):
    rewrite(corpus, "ids.npy", np.array(ids, dtype="<u4"))
    with pytest.raises(FormatError, match=r"ids\.npy"):
        EncodedCorpus.open(corpus.path).check()


def test_a_later_format_says_what_to_do(corpus):
    damage_json(format_version=2)(corpus)
    with pytest.raises(FormatError, match="use the wordgeo that wrote it"):
        EncodedCorpus.open(corpus.path)


def test_other_paths_are_no_corpora(tmp_path):
    with pytest.raises(NotFoundError):
        EncodedCorpus.open(tmp_path / "absent")
    with pytest.raises(FormatError):
        EncodedCorpus.open(tmp_path)
    assert not EncodedCorpus.is_one(tmp_path)


def test_a_corpus_is_read_only(corpus):
    for array in (corpus.ids, corpus.sentences, corpus.documents):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
