"""Encodes text: blocks are numbered side by side, joined in order, and finally renumbered by frequency."""

from __future__ import annotations

import collections
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from wordgeo import files
from wordgeo.corpus.blocks import PLACES_KEPT, TABLES_VERSION, Block, Numbered, Tokenizer
from wordgeo.corpus.custom import numbered_by
from wordgeo.corpus.encoded import ARRAYS, FORMAT, FORMAT_VERSION, MARKER, EncodedCorpus, fingerprint
from wordgeo.corpus.joiner import Joiner
from wordgeo.corpus.phrases import join_phrases
from wordgeo.corpus.readers import Reader, format_by_name
from wordgeo.corpus.settings import Settings
from wordgeo.corpus.sources import Source, Sources, resolve_sources
from wordgeo.errors import CorpusError
from wordgeo.progress import Progress, resolve_progress
from wordgeo.threads import resolve_threads
from wordgeo.vocabulary import Vocabulary

__all__ = ["TOKENIZER_VERSION", "encode", "encode_cached"]

TOKENIZER_VERSION = 1  # counts up when the same text and settings give other tokens

# Thai, Lao, Burmese, Khmer, Hiragana, Katakana, Han: words are not parted there, and each sign comes out as a token.
WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
MOST_WITHOUT_SPACES = 0.5

log = logging.getLogger(__name__)


def encode(
    sources: Sources,
    output: str | Path,
    *,
    tokens: str = "unicode",
    case: str = "lower",
    documents: str = "blank",
    input_format: str | None = None,
    field: str = "text",
    encoding_errors: str = "replace",
    max_vocab: int | None = None,
    stop_words: str | Path | None = None,
    digits: str = "keep",
    min_length: int = 1,
    max_length: int | None = None,
    phrases: int = 0,
    phrases_min_count: int = 5,
    phrases_threshold: float = 10.0,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress | bool | None = None,
) -> EncodedCorpus:
    """Turns text into an encoded corpus: a folder of word numbers that every training reads.

    Parameters
    ----------
    sources
        A path, or several: text, JSON lines, CSV, TSV, HTML, MediaWiki dumps, Parquet, Arrow, packed with gzip, zstd,
        bzip2 or xz, in zip and tar archives; folders (all files below, sorted), globs, "-" for standard input, web
        addresses (`s3://…`); or `Documents(texts)`, or a dataset with `column_names`.
    output
        The folder to make.
    tokens
        "unicode": words of running text after UAX #29, with the exceptions listed in the guide; sentences are
        found. "whitespace": the text is tokenised already; words lie between white space, a line is a sentence.
        "package.module:function": a function of yours, called with each document (`str`), which returns its sentences,
        each an iterable of words (`str`); a flat iterable of words is one sentence.
    case
        "lower" (`str.lower`) or "keep". Words are in Unicode form NFC either way.
    documents
        In plain text "blank" (a blank line ends a document) or "line" (each line is one). Every source begins a new
        document, and a JSON line is one.
    input_format
        "text", "jsonl", "csv", "tsv", "html", "mediawiki", "parquet" or "arrow", where neither the content nor the
        suffix must decide.
    field
        The field of a JSON object, or the column of a table, that holds the text.
    encoding_errors
        What to do about bytes that are not UTF-8: "replace" them by U+FFFD, counted and reported, or "strict": raise.
    max_vocab
        Drop all but this many words, the most frequent. By default no word is dropped.
    stop_words
        A file of words, one a line (UTF-8), that are dropped; they are folded as the text is.
    digits
        "keep", or "zero": every decimal digit of a word becomes 0, so that 1984 and 2001 are one word, 0000.
    min_length, max_length
        Code points: shorter and longer words are dropped.
    phrases
        How many times gensim's `Phrases` looks for pairs of words that go together, which become one word
        (`new_york`); a second pass may find `new_york_city`. 0 for never.
    phrases_min_count, phrases_threshold
        Its `min_count` and `threshold`: how often a pair stands there at least, and the score it has to exceed.
    threads
        The result does not depend on it.
    overwrite
        Replace an encoded corpus that is there already.

    Raises `CorpusError` for text that cannot be read, has no word, or is in a language without spaces (unless its words
    were parted before, `tokens="whitespace"`), `NotFoundError`, `OptionError` and
    `OutputError`. Nothing is left behind then.

    >>> import tempfile, wordgeo.corpus as corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     encoded = corpus.encode(corpus.Documents(["The cat sat. The dog sat too."]), folder + "/cats")
    ...     encoded.vocabulary.words, encoded.sentences.tolist()
    (['sat', 'the', 'cat', 'dog', 'too'], [0, 3, 7])
    """
    settings = Settings.of(
        tokens=tokens,
        case=case,
        documents=documents,
        input_format=input_format,
        field=field,
        encoding_errors=encoding_errors,
        max_vocab=max_vocab,
        stop_words=stop_words,
        digits=digits,
        min_length=min_length,
        max_length=max_length,
        phrases=phrases,
        phrases_min_count=phrases_min_count,
        phrases_threshold=phrases_threshold,
    )
    count, shown = resolve_threads(threads), resolve_progress(progress)
    found = resolve_sources(sources)
    with files.atomic_folder(output, marker=MARKER, overwrite=overwrite) as folder:
        _encode_into(folder, found, settings, count, shown)
    return EncodedCorpus.open(output)


def encode_cached(
    sources: Sources,
    *,
    tokens: str = "unicode",
    case: str = "lower",
    documents: str = "blank",
    input_format: str | None = None,
    field: str = "text",
    encoding_errors: str = "replace",
    max_vocab: int | None = None,
    stop_words: str | Path | None = None,
    digits: str = "keep",
    min_length: int = 1,
    max_length: int | None = None,
    phrases: int = 0,
    phrases_min_count: int = 5,
    phrases_threshold: float = 10.0,
    threads: int | None = None,
    progress: Progress | bool | None = None,
) -> EncodedCorpus:
    """Like `encode`, into the cache: the same content with the same settings is encoded once and then only mapped.

    Entries that were used longest ago make room for new ones beyond `WORDGEO_CACHE_LIMIT` gigabytes.
    """
    settings = Settings.of(
        tokens=tokens,
        case=case,
        documents=documents,
        input_format=input_format,
        field=field,
        encoding_errors=encoding_errors,
        max_vocab=max_vocab,
        stop_words=stop_words,
        digits=digits,
        min_length=min_length,
        max_length=max_length,
        phrases=phrases,
        phrases_min_count=phrases_min_count,
        phrases_threshold=phrases_threshold,
    )
    count, shown = resolve_threads(threads), resolve_progress(progress)
    cache = files.cache_folder("corpora")
    found = resolve_sources(sources)
    entry = None
    if all(source.size is not None for source in found):
        entry = cache / _cache_key([(source.name, _checksum(source.path)) for source in found if source.path], settings)
    if entry is None or not EncodedCorpus.is_one(entry):
        # What can be read only once is encoded before its checksum is known.
        fresh = entry or cache / f"stream-{secrets.token_hex(8)}"
        with files.atomic_folder(fresh, marker=MARKER, overwrite=True) as folder:
            info = _encode_into(folder, found, settings, count, shown)
        if entry is None:
            entry = cache / _cache_key([(source["name"], source["blake2b"]) for source in info["sources"]], settings)
            _keep_in_cache(fresh, entry)
    os.utime(entry)
    files.evict(cache, entry)
    return EncodedCorpus.open(entry)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def _cache_key(sources: list[tuple[str, str]], settings: Settings) -> str:
    contents = [(format_by_name(name), checksum) for name, checksum in sources]  # names tell nothing but the format
    key = json.dumps(
        [contents, {**settings.text, **settings.steps()}, TOKENIZER_VERSION, TABLES_VERSION, FORMAT_VERSION]
    )
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _keep_in_cache(fresh: Path, entry: Path) -> None:
    """Gives a fresh folder its name, unless that entry is there already."""
    try:
        fresh.rename(entry)
    except OSError:
        shutil.rmtree(fresh)


def _encode_into(
    folder: Path, sources: list[Source], settings: Settings, threads: int, progress: Progress
) -> dict[str, Any]:
    """Fills the folder; returns what its `corpus.json` holds."""
    flaws = _Flaws(refuse=settings.text["encoding_errors"] == "strict")
    reader = Reader(sources, input_format=settings.text["input_format"], field=settings.text["field"], report=flaws.add)
    flaws.names = reader.names
    sizes = [source.size for source in sources]
    progress.start("encoding", None if None in sizes else sum(size or 0 for size in sizes), "B")
    try:
        with Joiner(folder) as joiner:
            done = 0
            for block, numbered in _numbered(reader, settings, threads):
                flaws.add_block(block, numbered)
                joiner.add(block, numbered)
                progress.advance(reader.position - done)
                done = reader.position
    finally:
        progress.finish()
    if not joiner.tokens:
        raise CorpusError(f"no word in {', '.join(source.name for source in sources[:3])}; there is nothing to encode")
    if settings.text["tokens"] == "unicode":
        _refuse_languages_without_spaces(joiner.vocabulary)
    max_vocab, phrases = settings.text["max_vocab"], settings.phrases
    vocabulary, pruned = joiner.renumber(None if phrases.passes else max_vocab, settings.words)
    found: dict[str, Any] = {"dropped": joiner.dropped} if settings.words.recorded() else {}
    if phrases.passes:
        vocabulary, pruned, found["phrases_found"] = join_phrases(folder, vocabulary, phrases, max_vocab, progress)
    with (folder / "vocabulary").open("wb") as file:
        vocabulary.write(file)
    made = {
        "tokens": settings.text["tokens"],
        "case": settings.text["case"],
        "normalization": "NFC",
        "unicode": TABLES_VERSION,
        "tokenizer_version": TOKENIZER_VERSION,
        **settings.steps(),
    }
    arrays = [np.load(folder / name, mmap_mode="r") for name in ARRAYS]
    info = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fingerprint": fingerprint(arrays, vocabulary, json.dumps(made)),
        **made,
        "documents": settings.text["documents"],
        "counts": {
            "tokens": len(arrays[0]),
            "types": len(vocabulary),
            "sentences": len(arrays[1]) - 1,
            "documents": len(arrays[2]) - 1,
        },
        "sources": reader.facts,
        "replaced": flaws.to_dict(),
        "nul_characters": flaws.nul_characters,
        "pruned": pruned,
        **found,
    }
    files.write_json(folder / MARKER, info)
    return info


def _refuse_languages_without_spaces(vocabulary: Vocabulary) -> None:
    """Raises `CorpusError` if the text is mostly of scripts whose words the rules of `unicode` cannot find."""
    counts = vocabulary.counts
    assert counts is not None  # of an encoding
    rows = [row for row, word in enumerate(vocabulary.words) if WITHOUT_SPACES.match(word)]
    share = float(counts[rows].sum()) / float(counts.sum())
    if share > MOST_WITHOUT_SPACES:
        raise CorpusError(
            f"{share:.0%} of the tokens are signs of Chinese, Japanese, Thai, Lao, Khmer or Burmese, which put no "
            "spaces between words; part the words with a segmenter of that language first, and give its output with "
            "tokens 'whitespace' (--tokens whitespace)"
        )


def _numbered(reader: Reader, settings: Settings, threads: int) -> Iterator[tuple[Block, Numbered]]:
    """The blocks with what became of them, in order; a few are in flight."""

    def tokenizer() -> Tokenizer:
        return Tokenizer(
            tokens=settings.text["tokens"], case=settings.text["case"], documents=settings.text["documents"]
        )

    blocks, how = reader.blocks(), settings.text
    if settings.tokenizer:
        lower = how["case"] == "lower"
        yield from numbered_by(settings.tokenizer, blocks, reader.names, lower=lower, documents=how["documents"])
        return
    if threads == 1:
        alone = tokenizer()
        for block in blocks:
            yield block, alone.number(block)
        return
    of_thread = threading.local()

    def number(block: Block) -> Numbered:
        if not hasattr(of_thread, "tokenizer"):
            of_thread.tokenizer = tokenizer()
        return of_thread.tokenizer.number(block)

    pool = ThreadPoolExecutor(threads, thread_name_prefix="wordgeo-encode")
    waiting: collections.deque[tuple[Block, Future[Numbered]]] = collections.deque()
    try:
        for block in blocks:
            waiting.append((block, pool.submit(number, block)))
            if len(waiting) > threads + 1:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Flaws:
    """What had to be replaced: how much, and where first."""

    def __init__(self, *, refuse: bool) -> None:
        self.names: list[str] = []  # of the files, in which they are found by number
        self._refuse = refuse
        self._counts: Counter[int] = Counter()
        self._places: dict[int, list[int]] = {}  # of each file, so that it does not matter which was read ahead
        self._lines: Counter[int] = Counter()
        self.nul_characters = 0

    def add(self, file: int, line: int, what: str) -> None:
        """One sequence of bytes or one surrogate, at a line counted from 1."""
        if self._refuse:
            raise CorpusError(
                f"{self.names[file]}, line {line}: {what}; convert the text to UTF-8, or let such "
                "characters be replaced (encoding_errors 'replace')"
            )
        self._counts[file] += 1
        places = self._places.setdefault(file, [])
        if len(places) < PLACES_KEPT and line not in places:
            places.append(line)

    def add_block(self, block: Block, numbered: Numbered) -> None:
        """What a block of plain text had."""
        for line in numbered.places:
            self.add(block.source, self._lines[block.source] + line + 1, "not UTF-8")
        self._counts[block.source] += numbered.replaced - len(numbered.places)
        self._lines[block.source] += numbered.lines
        self.nul_characters += numbered.nul_characters

    def to_dict(self) -> dict[str, Any]:
        """The total and the first places; also logged."""
        places = [
            {"source": self.names[file], "line": line} for file, lines in sorted(self._places.items()) for line in lines
        ]
        total = self._counts.total()
        if total:
            first = places[0]
            log.warning(
                "%d sequences that are not UTF-8 were replaced, first in %s, line %d",
                total,
                first["source"],
                first["line"],
            )
        if self.nul_characters:
            log.warning("%d NUL characters were read as spaces", self.nul_characters)
        return {"count": total, "places": places}
