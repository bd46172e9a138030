"""An encoded corpus: a folder of word numbers with the offsets of sentences and documents, opened by mapping."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo.errors import FormatError, NotFoundError
from wordgeo.files import is_partial, read_json, recover
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus.concordance import Concordance

__all__ = ["FORMAT_VERSION", "MARKER", "EncodedCorpus"]

FORMAT, FORMAT_VERSION = "wordgeo corpus", 1
MARKER, IDS, SENTENCES, DOCUMENTS = "corpus.json", "ids.npy", "sentences.npy", "documents.npy"
ARRAYS = {IDS: "<u4", SENTENCES: "<u8", DOCUMENTS: "<u8"}
NPY_HEADER_BYTES = 128
CHECKED_AT_ONCE = 1 << 22
COUNTS = ("tokens", "types", "sentences", "documents")

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


class EncodedCorpus:
    """Text as numbers: word i of the vocabulary is the one with rank i by (count descending, code points).

    Attributes
    ----------
    path : the folder
    ids : uint32 [tokens], mapped read-only; every token as its word's number
    sentences : uint64 [sentences + 1]; sentence i is ids[sentences[i]:sentences[i + 1]]
    documents : uint64 [documents + 1]; document i is the sentences documents[i] to documents[i + 1] - 1
    vocabulary : the words with their counts
    fingerprint : of tokens, sentences, documents, words and the way they were made; the same text and settings give
        the same
    info : what `corpus.json` holds: the settings (`tokens`, `case`, `documents`), `sources`, `counts`, and what was
        replaced or pruned
    """

    def __init__(
        self, path: Path, ids: U32, sentences: U64, documents: U64, vocabulary: Vocabulary, info: dict[str, Any]
    ) -> None:
        self.path, self.ids, self.sentences, self.documents = path, ids, sentences, documents
        self.vocabulary, self.info = vocabulary, info
        self.fingerprint: str = info["fingerprint"]

    @staticmethod
    def is_one(path: str | Path) -> bool:
        """Whether a path is the folder of an encoded corpus."""
        return Path(path, MARKER).is_file() and not is_partial(path)

    @classmethod
    def open(cls, path: str | Path) -> EncodedCorpus:
        """Maps an encoded corpus. Raises `NotFoundError`, or `FormatError` for a folder that does not hold one.

        Sizes and offsets are checked here, the word numbers by `check`, since that reads all of them.
        """
        path = Path(path)
        recover(path)
        if not path.is_dir():
            raise NotFoundError(f"{path} does not exist" if not path.exists() else f"{path} is not a folder")
        if not cls.is_one(path):
            raise FormatError(f"not an encoded corpus (it has no {MARKER})", path)
        info = read_json(path / MARKER)
        if info.get("format") != FORMAT:
            raise FormatError(f"not an encoded corpus ({MARKER} is of another kind)", path)
        version = info.get("format_version")
        if version != FORMAT_VERSION:
            raise FormatError(
                f"an encoded corpus of format {version!r}, and this wordgeo reads format {FORMAT_VERSION}; "
                "use the wordgeo that wrote it, or encode again",
                path,
            )
        counts = info.get("counts")
        if not isinstance(info.get("fingerprint"), str) or not isinstance(counts, dict):
            raise FormatError(f"{MARKER} has no fingerprint or no counts; it is damaged", path)
        n: dict[str, int] = {}
        for name in COUNTS:
            value = counts.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**62:
                raise FormatError(f"{MARKER} says {value!r} {name}; it is damaged", path)
            n[name] = value
        ids = _mapped(path / IDS, ARRAYS[IDS], n["tokens"])
        sentences = _mapped(path / SENTENCES, ARRAYS[SENTENCES], n["sentences"] + 1)
        documents = _mapped(path / DOCUMENTS, ARRAYS[DOCUMENTS], n["documents"] + 1)
        _check_offsets(path / SENTENCES, sentences, n["tokens"])
        _check_offsets(path / DOCUMENTS, documents, n["sentences"])
        try:
            vocabulary = Vocabulary.open(path / "vocabulary")
        except FileNotFoundError:
            raise FormatError("it has no vocabulary; it is damaged", path) from None
        if len(vocabulary) != n["types"] or vocabulary.counts is None:
            raise FormatError(f"the vocabulary is not the one of {n['types']} counted words", path)
        if int(vocabulary.counts.sum()) != n["tokens"] or (vocabulary.counts[1:] > vocabulary.counts[:-1]).any():
            raise FormatError("the counts of the vocabulary do not fit the tokens; it is damaged", path)
        return cls(path, ids, sentences, documents, vocabulary, info)

    def check(self) -> None:
        """Reads all word numbers and compares them with the counts. Raises `FormatError`."""
        types = len(self.vocabulary)
        counts = np.zeros(types, dtype=np.int64)
        for begin in range(0, len(self.ids), CHECKED_AT_ONCE):
            block = self.ids[begin : begin + CHECKED_AT_ONCE]
            if block.max() >= types:
                raise FormatError(f"a token has number {block.max()}, and there are {types} words", self.path / IDS)
            counts += np.bincount(block, minlength=types)
        if (counts.astype(np.uint64) != self.vocabulary.counts).any():
            raise FormatError("the tokens do not fit the counts of the words; it is damaged", self.path / IDS)

    def context(self, word: str, near: str | None = None, *, window: int = 5, limit: int = 20) -> Concordance:
        """Lines of the corpus around a word, or around it where `near` stands close by: see `concordance.context`."""
        from wordgeo.corpus.concordance import context

        return context(self, word, near, window=window, limit=limit)

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return (
            f"<EncodedCorpus: {len(self.ids)} tokens of {len(self.vocabulary)} words, "
            f"{len(self.sentences) - 1} sentences, {len(self.documents) - 1} documents from {self.path}>"
        )


def npy_header(dtype: str, length: int) -> bytes:
    """The header of a one-dimensional `.npy` file (format 1.0), always `NPY_HEADER_BYTES` long."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({length},), }}"
    return (
        b"\x93NUMPY\x01\x00"
        + (NPY_HEADER_BYTES - 10).to_bytes(2, "little")
        + text.ljust(NPY_HEADER_BYTES - 11).encode()
        + b"\n"
    )


def fingerprint(arrays: list[np.ndarray], vocabulary: Vocabulary, settings: str) -> str:
    """blake2b over settings, words, counts and arrays."""
    digest = hashlib.blake2b(settings.encode(), digest_size=16)
    blob, offsets = vocabulary.packed
    for array in (blob, offsets, vocabulary.counts, *arrays):
        digest.update(np.ascontiguousarray(array).data.cast("B"))
    return digest.hexdigest()


def _mapped(path: Path, dtype: str, length: int) -> np.ndarray:
    """Maps an array file that must be of this kind and length, to the byte."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FormatError("not a regular file", path)
        with path.open("rb") as file:
            header = file.read(NPY_HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise FormatError("the file is missing; the encoded corpus is damaged", path) from None
    if header != npy_header(dtype, length):
        raise FormatError(f"not an array of {length} numbers of type {dtype}; it is damaged", path)
    expected = NPY_HEADER_BYTES + length * np.dtype(dtype).itemsize
    if size != expected:
        raise FormatError(f"{size} bytes instead of {expected}; it is damaged", path)
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.shape != (length,):
        raise FormatError("the file changed while it was opened", path)
    return array


def _check_offsets(path: Path, offsets: U64, end: int) -> None:
    """Offsets begin at 0, end at `end`, and every part has something in it."""
    if int(offsets[0]) != 0 or int(offsets[-1]) != end:
        raise FormatError(f"the offsets do not go from 0 to {end}; it is damaged", path)
    for begin in range(0, len(offsets) - 1, CHECKED_AT_ONCE):
        block = offsets[begin : begin + CHECKED_AT_ONCE + 1]
        if (block[1:] <= block[:-1]).any():
            raise FormatError("the offsets do not rise; it is damaged", path)
