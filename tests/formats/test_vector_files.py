"""Reading vector files: the formats told apart, what is accepted, and every damage refused with its place."""

import gzip
import pickle
import resource
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from wordgeo import formats
from wordgeo.errors import FormatError, OptionError

TEXT = b"3 2\nthe 0.5 -1\nof 0.25 2e-3\nand 1 0\n"
MATRIX = np.array([[0.5, -1], [0.25, 2e-3], [1, 0]], dtype=np.float32)
WORDS = ["the", "of", "and"]


def binary(rows, header=None, newline=b"\n"):
    dimensions = len(rows[0][1])
    head = header if header is not None else f"{len(rows)} {dimensions}\n".encode()
    return head + b"".join(w + b" " + struct.pack(f"<{len(v)}f", *v) + newline for w, v in rows)


ROWS = list(zip([w.encode() for w in WORDS], MATRIX.tolist(), strict=True))


def put(tmp_path, content, name="vectors"):
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (TEXT, "word2vec"),
        (TEXT.partition(b"\n")[2], "glove"),
        (binary(ROWS), "word2vec-binary"),
        (binary(ROWS, newline=b""), "word2vec-binary"),
        (TEXT.rstrip(b"\n"), "word2vec"),
        (TEXT + b"\n \r\n\n", "word2vec"),
        (TEXT.replace(b"\n", b"\r\n"), "word2vec"),
        (TEXT.replace(b"\n", b" \n"), "word2vec"),
        (TEXT.replace(b" ", b"\t"), "word2vec"),
        (TEXT.replace(b" ", b"  "), "word2vec"),
        (b"\xef\xbb\xbf" + TEXT, "word2vec"),
        (b"\xef\xbb\xbf" + TEXT.partition(b"\n")[2], "glove"),
        (gzip.compress(TEXT), "word2vec"),
        (gzip.compress(binary(ROWS)), "word2vec-binary"),
        (gzip.compress(TEXT[:20]) + gzip.compress(TEXT[20:]), "word2vec"),
    ],
)
@pytest.mark.parametrize("name", ["vectors", "vectors.bin", "vectors.txt", "vectors.gz"])
def test_formats_are_told_by_content_not_by_name(tmp_path, content, kind, name):
    read = formats.load(put(tmp_path, content, name))
    assert read.provenance["imported"] == {
        "file": name,
        "format": kind,
        "words_with_replaced_bytes": 0,
        "duplicates_left_out": 0,
    }
    assert read.words == WORDS and read.counts is None
    assert read.vectors.tobytes() == MATRIX.tobytes()


LINES = [
    (b"a 1\xc2\xa0000 2\n", "'a' has '1\xa0000' where a number should be", 2),
    (b"a 1\n", "'a' has 1 numbers; every word needs 2", 2),
    (b"a\n", "'a' has 0 numbers; every word needs 2", 2),
    (b"a 1 2 3\n", "'a 1' has more than 2 numbers|'a' has more than 2 numbers", 2),
    (b"a b nan 1 2\n", "has more than 2 numbers", 2),
    (b"a 1 x\n", "'a' has 'x' where a number should be", 2),
    (b" 1 2\n", "the word is empty", 2),
    (b"\nb 1 2\n", "the line is empty", 2),
    (b"   \nb 1 2\n", "the line is empty", 2),
    (b"\x00 1 2\nb nan 2\n", "'b' has the number nan", 3),
    (b"caf\xe9 1 2\n", "not UTF-8", 2),
    (b"a\xc3 1 2\n\xa9b 1 2\n", "not UTF-8", 2),
    (b"a 1 2\nb 1 2\na 1 2\n", "'a' stands in line 2 already \\(1 of 4 rows repeat", 4),
]


@pytest.mark.parametrize(("lines", "message", "line"), LINES)
@pytest.mark.parametrize("compress", [False, True])
def test_damaged_lines(tmp_path, lines, message, line, compress):
    content = f"{lines.count(10) + 1} 2\n".encode() + lines + b"last 1 2\n"
    path = put(tmp_path, gzip.compress(content) if compress else content)
    with pytest.raises(FormatError, match=message) as caught:
        formats.load(path, format="word2vec")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}, line {line}: ")
    assert "\n" not in str(caught.value)


BAD = [
    (b"", "is empty"),
    (b"2 2\na 1 2\n", "says 2 words of 2 dimensions, which take|says 2 words and 1 follow"),
    (b"2 2\na 1.25 2.25\n", "says 2 words and 1 follow"),
    (b"1 2\na 1 2\nb 3 4\n", "says 1 words and more follow"),
    (b"0 300\n", "says 0 words of 300 dimensions"),
    (b"3 0\na\nb\nc\n", "says 3 words of 0 dimensions"),
    (b"-1 3\na 1 2 3\n", "says -1 words"),
    (b"3 -1\na 1 2 3\n", "of -1 dimensions"),
    (b"3 18446744073709551615\na 1 2 3\n", "of 18446744073709551615 dimensions"),
    (b"1 1048577\n" + b"a 1 2\n", "dimensions are read"),
    (b"9999999999 300\n" + b"a 1 2\nb 1 2\nc 1 2\n", "9999999999 words of 300 dimensions, which take"),
    (binary(ROWS, header=b"9999999999 300\n"), "9999999999 words of 300 dimensions, which take"),
    (binary(ROWS, header=b"4 2\n"), "header announces 4 rows|which take"),
    (binary(ROWS, header=b"2 2\n"), "more follows the 2 rows"),
    (binary(ROWS) + b"x", "more follows the 3 rows"),
    (binary(ROWS) + bytes(100), "more follows the 3 rows"),
    (binary([(b"a", [float("nan"), 1])]), "row 1: 'a' has a number that is NaN or infinite"),
    (binary([(b"a", [0, 1]), (b"b", [0, float("inf")])]), "row 2: 'b' has a number that is NaN or infinite"),
    (binary([(b"a", [0, 1]), (b"", [0, 1])]), "row 2: the word is empty"),
    (binary([(b"a", [0, 1]), (b"\xff", [0, 1])]), "row 2: the word b'.xff' is not UTF-8"),
    (binary([(b"a", [0, 1]), (b"a", [0, 1])]), "row 2: the word 'a' stands in row 1 already"),
    (b"\xff\xfe" + "a 1 2\n".encode("utf-16-le"), "UTF-16"),
    (pickle.dumps({"a": [1.0]}, protocol=4), "pickle.*from_gensim"),
    (pickle.dumps({"a": [1.0]}, protocol=2), "pickle.*from_gensim"),
    (pickle.dumps({"a": [1.0]}, protocol=0), "pickle.*from_gensim"),
    (pickle.dumps(np.zeros(3), protocol=0), "pickle.*from_gensim"),
    (gzip.compress(pickle.dumps([1])), "pickle"),
    (b"\x93NUMPY\x01\x00", "NumPy array.*from_arrays"),
    (b"PK\x03\x04" + bytes(30), "zip archive.*from_arrays"),
    (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", "fastText model .*load_facebook_model"),
    (b"FiFu\x00\x00\x00\x00", "finalfusion"),
    (b"\x89HDF\r\n", "HDF5"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"BZh91AY&SY\x00\x01", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd\x00", "zstd"),
    (struct.pack("<Q", 60) + b'{"embeddings":', "safetensors file; name the model folder"),
    (b"\x00\x01\x02 not text", "neither text nor"),
    (b"just a text\nof words\n", "line 1: not a word and numbers"),
    (b"word\n", "line 1: not a word and numbers"),
    (b"1.5 \n", "line 1: not a word and numbers"),
    (b"\n\n\n", "no vectors"),
    (gzip.compress(TEXT)[:-9], "cut off or damaged"),
    (gzip.compress(TEXT)[:15], "cut off or damaged"),
    (gzip.compress(TEXT)[:-8] + b"\x00" * 8, "cut off or damaged"),
    (gzip.compress(gzip.compress(TEXT)), "gzip within gzip"),
    (gzip.compress(b""), "is empty"),
    (b"\x1f\x8b", "cut off or damaged"),
    (b"a" * 100_000_000, "without the end of a line"),
    (gzip.compress(bytes(50_000_000), 1), "neither text nor"),
    (gzip.compress(b"a" * 50_000_000, 1), "without the end of a line"),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=lambda v: v if isinstance(v, str) else repr(v[:24]))
def test_bad_files(tmp_path, content, message):
    path = put(tmp_path, content)
    with pytest.raises(FormatError, match=message) as caught:
        formats.load(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and "\n" not in text and len(text) < 400 + len(str(path))
    with pytest.raises(FormatError):
        formats.convert(path, tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["vectors"]


@pytest.mark.parametrize("content", [binary(ROWS), binary(ROWS, newline=b"")])
def test_binary_cut_off_at_every_byte(tmp_path, content):
    for size in range(len(content.rstrip(b"\n"))):
        path = put(tmp_path, content[:size])
        with pytest.raises(FormatError):
            formats.load(path, format="word2vec-binary")


def test_binary_without_a_space(tmp_path):
    path = put(tmp_path, b"1 2\n" + b"a" * 100_000 + b" " + bytes(8))
    with pytest.raises(FormatError, match="row 1: no space ends the word within 65536 bytes"):
        formats.load(path, format="word2vec-binary")


def test_text_cut_off_at_every_byte(tmp_path):
    for size in range(len(TEXT.rstrip())):
        with pytest.raises(FormatError):
            formats.load(put(tmp_path, TEXT[:size]))


def test_words_with_spaces(tmp_path):
    content = b". . . 1 2\nnew york 3 4\nat name@domain.com 5 6\ncan't 7 8\n"
    read = formats.load(put(tmp_path, content))
    assert read.words == [". . .", "new york", "at name@domain.com", "can't"]
    assert read.vectors.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert formats.load(put(tmp_path, b"4 2\n" + content)).words == read.words


def test_words_that_are_numbers(tmp_path):
    read = formats.load(put(tmp_path, b"2 2\n1990 1 2\nnan 3 4\n"))
    assert read.words == ["1990", "nan"]
    assert formats.load(put(tmp_path, b"1990 1 2\n7 3 4\n")).words == ["1990", "7"]


def test_a_header_like_first_row_can_be_told_apart(tmp_path):
    path = put(tmp_path, b"5 3\n6 4\n")
    assert formats.load(path, format="glove").words == ["5", "6"]
    with pytest.raises(FormatError):
        formats.load(path)


def test_only_spaces_and_tabs_separate(tmp_path):
    words = ["a\u00a0b", "a\u2003b", "a\x0bb", "\u0085"]
    content = "".join(f"{word} 1 2\n" for word in words).encode()
    assert formats.load(put(tmp_path, content), format="glove").words == words


def test_broken_words_can_be_replaced_and_are_counted(tmp_path, caplog):
    content = b"3 1\ncaf\xe9 1\nx 2\n\xff\xfe 3\n"
    with caplog.at_level("WARNING"):
        read = formats.load(put(tmp_path, content), encoding_errors="replace")
    assert read.words == ["caf\ufffd", "x", "\ufffd\ufffd"]
    assert read.provenance["imported"]["words_with_replaced_bytes"] == 2
    assert "2 words had bytes that are not UTF-8" in caplog.text


def test_words_that_become_equal_when_replaced_are_duplicates(tmp_path):
    path = put(tmp_path, b"a\xe9 1\na\xe8 2\n")
    with pytest.raises(FormatError, match="stands in line 1 already"):
        formats.load(path, encoding_errors="replace")


def test_the_first_of_repeated_words_can_be_kept(tmp_path, caplog):
    content = b"6 1\na 1\nb 2\na 3\nc 4\nb 5\nd 6\n"
    for data in (content, gzip.compress(content)):
        with caplog.at_level("WARNING"):
            read = formats.load(put(tmp_path, data), duplicates="first")
        assert read.words == ["a", "b", "c", "d"]
        assert read.vectors[:, 0].tolist() == [1, 2, 4, 6]
        assert read.provenance["imported"]["duplicates_left_out"] == 2
    assert "2 rows repeated a word" in caplog.text


@pytest.mark.parametrize(
    "options", [{"format": "fasttext"}, {"encoding_errors": "ignore"}, {"duplicates": "last"}, {"threads": 0}]
)
def test_options_that_are_none(tmp_path, options):
    with pytest.raises(OptionError):
        formats.load(put(tmp_path, TEXT), **options)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_many_blocks_and_any_number_of_threads(tmp_path, monkeypatch, threads):
    from wordgeo.formats import reader, source

    monkeypatch.setattr(reader, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(source, "HEAD_BYTES", 300)
    matrix = np.random.default_rng(1).standard_normal((700, 6)).astype(np.float32)
    words = [f"wörd{i}" for i in range(700)]
    lines = "".join(f"{w} {' '.join(f'{x:.9g}' for x in row)}\n" for w, row in zip(words, matrix.tolist(), strict=True))
    rows = list(zip([w.encode() for w in words], matrix.tolist(), strict=True))
    for content in (lines.encode(), f"700 6\n{lines}".encode(), binary(rows)):
        for data in (content, gzip.compress(content, 1)):
            read = formats.load(put(tmp_path, data), threads=threads)
            assert read.words == words and read.vectors.tobytes() == matrix.tobytes()
    lines = lines.replace("wörd555 ", "wörd555 x ", 1).replace("wörd600 ", "wörd600 1 ", 1)
    with pytest.raises(FormatError, match=r"line 601: 'wörd600 1' has more|line 601: 'wörd600' has more"):
        formats.load(put(tmp_path, lines.encode()), threads=threads)


def test_a_header_alone_makes_no_room(tmp_path):
    # 4 GB are announced in gzip, whose size says nothing; the process may have 1 GB more than it has.
    path = put(tmp_path, gzip.compress(b"1000000 1000\na" + b" 1" * 1000 + b"\n"))
    script = textwrap.dedent(f"""
        import resource
        from wordgeo import formats
        from wordgeo.errors import FormatError
        import wordgeo.formats.reader
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 30),) * 2)
        try:
            formats.load({str(path)!r})
        except FormatError as problem:
            print(problem)
    """)
    if not hasattr(resource, "RLIMIT_AS") or not sys.platform.startswith("linux"):
        pytest.skip("needs limits on memory")
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert "says 1000000 words and 1 follow" in run.stdout, run.stderr
