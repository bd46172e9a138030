"""Words by a function of the user's, named as `package.module:function`: a document goes in, its sentences come out."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wordgeo.corpus.blocks import LINE_END, Block, Numbered, fold, pack, valid_text
from wordgeo.errors import CorpusError, OptionError
from wordgeo.validate import choice

__all__ = ["CustomTokenizer", "check_tokens", "is_custom"]

NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n|\Z)")


def is_custom(tokens: str) -> bool:
    """Whether `tokens` names a function; says nothing about whether there is one."""
    return isinstance(tokens, str) and NAME.fullmatch(tokens) is not None


def check_tokens(name: str, tokens: str) -> str:
    """`tokens` if it can be one. Imports nothing. Raises `OptionError`."""
    return tokens if is_custom(tokens) else choice(name, tokens, ("unicode", "whitespace", "package.module:function"))


class CustomTokenizer:
    """The function that `tokens` names, which is imported here and nowhere else.

    Raises `OptionError` if there is no such module or function.
    """

    def __init__(self, tokens: str) -> None:
        self.name = tokens
        module, _, path = tokens.partition(":")
        try:
            found: Any = importlib.import_module(module)
        except ImportError as problem:
            raise OptionError(
                f"tokens is '{tokens}', and {module} cannot be imported ({problem}); "
                "install it, or put its folder on PYTHONPATH"
            ) from None
        except Exception as problem:  # whatever the user's module does when it is imported
            raise OptionError(
                f"tokens is '{tokens}', and importing {module} raises {type(problem).__name__}: {_line(problem)}"
            ) from problem
        source: str | None = getattr(found, "__file__", None)
        for part in path.split("."):
            if not hasattr(found, part):
                raise OptionError(f"tokens is '{tokens}', and {module} has no {path}; name a function in it")
            found = getattr(found, part)
        if not callable(found):
            raise OptionError(f"tokens is '{tokens}', which is of type {type(found).__name__}; name a function")
        self._function: Callable[[str], Iterable[Any]] = found
        # The name alone would not tell one state of the user's code from the next.
        self.blake2b = (
            hashlib.blake2b(Path(source).read_bytes(), digest_size=32).hexdigest()
            if source is not None and Path(source).is_file()
            else None
        )

    def sentences(self, document: str, place: str) -> list[list[str]]:
        """The sentences of a document, checked. Raises `CorpusError`, with `place` as the name of the document."""
        where = f"{place}: {self.name}"
        try:
            given = _listed(self._function(document))
            items = [_listed(item) for item in given] if isinstance(given, list) else None
        except Exception as problem:  # the user's function may raise anything
            raise CorpusError(f"{where} raises {type(problem).__name__}: {_line(problem)}") from problem
        if items is None:
            raise CorpusError(f"{where} returns {type(given).__name__}; return a list of sentences, lists of words")
        if items and all(isinstance(item, str) for item in items):
            items = [items]  # one sentence
        for item in items:
            if not isinstance(item, list):
                raise CorpusError(f"{where} has a sentence of type {type(item).__name__}; give lists of words")
            for word in item:
                _check_word(word, where)
        return [item for item in items if item]


def _listed(value: Any) -> Any:
    """An iterable as a list; anything else, and `str` and `bytes`, as it is."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else value


def _check_word(word: Any, where: str) -> None:
    if not isinstance(word, str):
        raise CorpusError(f"{where} has a word of type {type(word).__name__}; give str")
    if word.split() != [word] or "\0" in word:
        raise CorpusError(f"{where} has the word {word!r}; words are not empty, and hold no white space and no NUL")
    if not word.isascii():
        try:
            word.encode()
        except UnicodeEncodeError:
            raise CorpusError(f"{where} has the word {word!r}, which holds half a character (a surrogate)") from None


def _line(problem: Exception) -> str:
    return " ".join(str(problem).split())[:200]


class _Documents:
    """Cuts blocks, which come in order, into documents by the rules that all text has."""

    def __init__(self, ends: str) -> None:
        self._line_ends, self._kept, self._blank = ends == "line", [""], True

    def take(self, text: str, plain: bool) -> Iterator[str]:
        """The documents that end in this text."""
        if not plain:
            self._kept.append(text)
            return
        for line in LINE.findall(text):
            self._kept.append(line)
            self._blank &= not line.strip()
            if line.endswith(("\n", "\r")):
                if self._line_ends or self._blank:
                    yield from self.end()
                self._blank = True

    def end(self) -> Iterator[str]:
        """The document so far, unless it is empty."""
        document, self._kept, self._blank = "".join(self._kept).replace("\0", " ").strip(), [], True
        if document:
            yield document


def numbered_by(
    tokenizer: CustomTokenizer, blocks: Iterator[Block], names: list[str], *, lower: bool, documents: str
) -> Iterator[tuple[Block, Numbered]]:
    """The blocks with what became of them: the words of the documents that end in each.

    `names` are those of the files, and grow while blocks are read. The function is called in this thread, once for each
    document, in order.
    """
    cut, seen, source = _Documents(documents), Counter[int](), 0

    def words_of(document: str) -> list[list[str]]:
        seen[source] += 1
        return tokenizer.sentences(document, f"{names[source]}, document {seen[source]}")

    for block in blocks:
        text, replaced, places = valid_text(block.text)
        found: list[list[list[str]]] = []
        begin = 0
        for stop in (*block.breaks, None):
            piece = text[begin:stop].decode()
            if piece:
                source = block.source
            found += map(words_of, cut.take(piece, block.plain))
            if stop is not None:
                found += map(words_of, cut.end())
                begin = stop
        lines = len(LINE_END.findall(text))
        yield Block(b"", block.source), _numbered(found, lower, lines, text.count(b"\0"), replaced, places)
    yield Block(b"", source), _numbered([words_of(document) for document in cut.end()], lower, 0, 0, 0, [])


def _numbered(
    documents: list[list[list[str]]], lower: bool, lines: int, nul_characters: int, replaced: int, places: list[int]
) -> Numbered:
    """Documents as numbers into a vocabulary of their own; each distinct word is folded once."""
    own: dict[str, int] = {}
    sentences = [sentence for document in documents for sentence in document]
    numbers = [own.setdefault(word, len(own)) for sentence in sentences for word in sentence]
    blob, offsets = pack([fold(word, lower).encode() for word in own])
    ids = np.array(numbers, dtype=np.uint32)
    return Numbered(
        blob,
        offsets,
        np.bincount(ids, minlength=len(own)).astype(np.uint64),
        ids,
        np.cumsum([len(sentence) for sentence in sentences], dtype=np.uint64),
        np.cumsum([len(document) for document in documents if document], dtype=np.uint64),
        lines,
        nul_characters,
        replaced,
        places,
    )
