"""Two encoded corpora as one: the documents of the first, then those of the second, in one vocabulary."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo import files
from wordgeo.corpus.encoded import (
    ARRAYS,
    DOCUMENTS,
    FORMAT,
    FORMAT_VERSION,
    IDS,
    MARKER,
    SENTENCES,
    EncodedCorpus,
    npy_header,
)
from wordgeo.corpus.encoded import fingerprint as fingerprint_of
from wordgeo.errors import CorpusError
from wordgeo.vocabulary import WordCounter

__all__ = ["pool"]

TOKENS_A_BLOCK = 1 << 20
SETTINGS = ("tokens", "case", "normalization", "unicode", "tokenizer_version", "stop_words", "digits", "min_length",
            "max_length", "phrases", "tokens_blake2b")  # fmt: skip


def pool(first: EncodedCorpus, second: EncodedCorpus) -> EncodedCorpus:
    """Both corpora in one, kept in the cache; its first documents are those of `first`.

    Raises `CorpusError` where they were encoded in different ways.
    """
    for name in SETTINGS:
        if first.info.get(name) != second.info.get(name):
            raise CorpusError(
                f"{first.path} and {second.path} were encoded in different ways ({name}: {first.info.get(name)!r} and "
                f"{second.info.get(name)!r}); encode both alike"
            )
    key = hashlib.blake2b(f"{first.fingerprint} {second.fingerprint}".encode(), digest_size=16).hexdigest()
    cache = files.cache_folder("corpora")
    entry = cache / f"pooled-{key}"
    if not EncodedCorpus.is_one(entry):
        fresh = Path(tempfile.mkdtemp(prefix=".pool.", dir=cache))
        try:
            _write(fresh, first, second)
            files.recover(entry)
            if not entry.exists():
                fresh.rename(entry)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return EncodedCorpus.open(entry)


def _write(folder: Path, first: EncodedCorpus, second: EncodedCorpus) -> None:
    counter = WordCounter()
    numbers = []
    for corpus in (first, second):
        counts = corpus.vocabulary.counts
        assert counts is not None  # of an encoding
        numbers.append(counter.add(*corpus.vocabulary.packed, counts))
    vocabulary, ranks = counter.ranked()
    with (folder / IDS).open("wb") as file:
        file.write(npy_header(ARRAYS[IDS], len(first.ids) + len(second.ids)))
        for corpus, own in zip((first, second), numbers, strict=True):
            for begin in range(0, len(corpus.ids), TOKENS_A_BLOCK):
                file.write(ranks[own[corpus.ids[begin : begin + TOKENS_A_BLOCK]]].astype("<u4").data)
    for name, a, b in ((SENTENCES, first.sentences, second.sentences), (DOCUMENTS, first.documents, second.documents)):
        joined: npt.NDArray[np.uint64] = np.concatenate([a, b[1:] + a[-1]])
        with (folder / name).open("wb") as file:
            file.write(npy_header(ARRAYS[name], len(joined)))
            file.write(joined.astype("<u8").data)
    with (folder / "vocabulary").open("wb") as file:
        vocabulary.write(file)
    made = {name: first.info[name] for name in SETTINGS if name in first.info}
    arrays = [np.load(folder / name, mmap_mode="r") for name in ARRAYS]
    info = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fingerprint": fingerprint_of(arrays, vocabulary, json.dumps(made)),
        **made,
        "documents": first.info["documents"],
        "counts": {
            "tokens": len(arrays[0]),
            "types": len(vocabulary),
            "sentences": len(arrays[1]) - 1,
            "documents": len(arrays[2]) - 1,
        },
        "sources": [*first.info.get("sources", []), *second.info.get("sources", [])],
        "pooled": [first.fingerprint, second.fingerprint],
    }
    files.write_json(folder / MARKER, info)
