"""What a file holds, told from its first bytes; the name is never trusted."""

from __future__ import annotations

import re
from pathlib import Path

from wordgeo.errors import FormatError

__all__ = ["FORMATS", "GZIP_MAGIC", "HEADER", "UTF8_MARK", "detect", "refuse_foreign"]

FORMATS = ("word2vec", "word2vec-binary", "glove")
GZIP_MAGIC = b"\x1f\x8b"
UTF8_MARK = b"\xef\xbb\xbf"
# The first line of word2vec's formats: how many words, how many dimensions.
HEADER = re.compile(rb"[ \t]*([-+]?[0-9]{1,20})[ \t]+([-+]?[0-9]{1,20})[ \t\r]*")
PICKLE = re.compile(
    rb"\x80[\x01-\x05][\x95(c}\]\x8c]|\(?c[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n|\([dl]p\d+\n|\(i[A-Za-z_][\w.]*\n"
)
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

EXPORT = "export it as word2vec text from the tool that made it"
FOREIGN = {
    b"\xba\x16\x4f\x2f": (
        "a Facebook fastText model (.bin), which this version does not read; its .vec file holds the word vectors, or "
        "load it with gensim.models.fasttext.load_facebook_model and wordgeo.from_gensim"
    ),
    b"FiFu": f"a finalfusion file, which this version does not read; {EXPORT}",
    b"\x93NUMPY": "a NumPy array, which has no words; load both and use wordgeo.from_arrays(words, vectors)",
    b"PK\x03\x04": "a zip archive (.npz, .zip, a PyTorch model); unpack the vector file, or load both arrays and use "
    "wordgeo.from_arrays(words, vectors)",
    b"PK\x05\x06": "an empty zip archive",
    b"\x89HDF": f"an HDF5 file; {EXPORT}",
    b"SQLite format 3\x00": f"an SQLite database (Magnitude?), which this version does not read; {EXPORT}",
    b"BZh": "compressed with bzip2; unpack it first (only gzip is read)",
    b"\xfd7zXZ": "compressed with xz; unpack it first (only gzip is read)",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first (only gzip is read)",
    b"\xff\xfe": "UTF-16 text; convert it to UTF-8",
    b"\xfe\xff": "UTF-16 text; convert it to UTF-8",
    GZIP_MAGIC: "gzip within gzip; unpack it once",
}
A_PICKLE = (
    "a Python pickle, which can run any program when it is opened, so it is never read here; open it in gensim if you "
    "trust it and use wordgeo.from_gensim(model), or save it there with save_word2vec_format"
)


def refuse_foreign(head: bytes, path: str | Path) -> None:
    """Raises `FormatError` that says what a file is that begins with `head`, if it is known and not read."""
    if not head:
        raise FormatError("the file is empty", path)
    if PICKLE.match(head):
        raise FormatError(A_PICKLE, path)
    for magic, what in FOREIGN.items():
        # A magic of letters only could begin a text.
        if head.startswith(magic) and (CONTROL.search(magic) or magic[0] > 127 or CONTROL.search(head[:64])):
            raise FormatError(what, path)
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 32:
        raise FormatError("a safetensors file; name the model folder that it lies in", path)


def detect(head: bytes, path: str | Path) -> str:
    """One of `FORMATS` for a file that begins with `head` (its first 64 KB, or all of it).

    With a header, the rows are text unless control characters or broken UTF-8 stand where the first numbers should.
    Raises `FormatError` for what is neither text nor has a header.
    """
    line, _, rest = head.removeprefix(UTF8_MARK).partition(b"\n")
    header = HEADER.fullmatch(line)
    if header is None:
        if CONTROL.search(line) or b"\x00" in head[:64]:
            raise FormatError("not a vector file: neither text nor a word2vec header at its beginning", path)
        return "glove"
    return "word2vec" if _begins_as_text(rest, int(header[2])) else "word2vec-binary"


def _begins_as_text(rows: bytes, dimensions: int) -> bool:
    row = rows.lstrip(b"\n")
    numbers = row[row.find(b" ") + 1 :][: 4 * max(dimensions, 1)]
    numbers = numbers.partition(b"\n")[0]
    if CONTROL.search(numbers):
        return False
    try:
        numbers.decode()
    except UnicodeDecodeError as problem:
        return problem.end == len(numbers) and problem.reason == "unexpected end of data"
    return True
