"""Phrases: pairs of words that gensim's `Phrases` finds become one word, `new_york`, in the numbers of a corpus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wordgeo.corpus.blocks import Block, Numbered, pack
from wordgeo.corpus.encoded import ARRAYS, DOCUMENTS, IDS, SENTENCES
from wordgeo.corpus.joiner import Joiner
from wordgeo.errors import OptionError
from wordgeo.progress import Progress
from wordgeo.validate import number, whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["PhraseOptions", "join_phrases"]

DELIMITER = "_"
MOST_PASSES = 10
TOKENS_AT_ONCE = 1 << 21
SENTENCES_AT_ONCE = 1 << 14

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class PhraseOptions:
    """How often phrases are looked for, and the `min_count` and `threshold` of gensim's `Phrases`."""

    passes: int = 0
    min_count: int = 5
    threshold: float = 10.0

    def __post_init__(self) -> None:
        whole_number("phrases", self.passes, 0, MOST_PASSES)
        whole_number("phrases_min_count", self.min_count, 1)
        object.__setattr__(self, "threshold", number("phrases_threshold", self.threshold, 0))
        if self.threshold == 0:
            raise OptionError("phrases_threshold is 0; give a number above 0")
        for name, default in (("min_count", 5), ("threshold", 10.0)):
            value = getattr(self, name)
            if not self.passes and value != default:
                raise OptionError(f"phrases_{name} is {value}, but phrases is 0; say how many passes (phrases=1)")

    def recorded(self) -> dict[str, Any]:
        """The options and the version of gensim, where phrases are looked for."""
        if not self.passes:
            return {}
        return {
            "phrases": self.passes,
            "phrases_min_count": self.min_count,
            "phrases_threshold": self.threshold,
            "phrases_gensim": version("gensim"),
        }


def join_phrases(
    folder: Path, vocabulary: Vocabulary, options: PhraseOptions, max_vocab: int | None, progress: Progress
) -> tuple[Vocabulary, dict[str, int], list[int]]:
    """Joins phrases in the files of a corpus, pass after pass; then drops what is beyond `max_vocab`.

    Returns the new vocabulary, what was dropped, and how many phrases each pass found. In each pass a pair of adjacent
    words of a sentence is a phrase if gensim scores it above `threshold`; they are taken from left to right, and a word
    belongs to one of them at most.
    """
    found: list[int] = []
    pruned: dict[str, int] = {}
    for i in range(options.passes):
        ids, sentences, documents = (np.load(folder / name, mmap_mode="r") for name in (IDS, SENTENCES, DOCUMENTS))
        pairs = _phrases(ids, sentences, vocabulary.words, options, i + 1, progress)
        found.append(len(pairs))
        fresh = folder / "joined"
        fresh.mkdir()
        with Joiner(fresh) as joiner:
            for numbered in _joined(ids, sentences, documents, vocabulary.words, pairs):
                joiner.add(Block(b"", 0, mid_line=True), numbered)
        vocabulary, pruned = joiner.renumber(max_vocab if i + 1 == options.passes else None)
        for name in ARRAYS:
            (fresh / name).replace(folder / name)
        fresh.rmdir()
    return vocabulary, pruned, found


def _phrases(
    ids: U32, sentences: U64, words: list[str], options: PhraseOptions, number: int, progress: Progress
) -> U64:
    """The pairs that gensim takes for phrases, as first << 32 | second, ascending."""
    from gensim.models.phrases import Phrases

    progress.start(f"phrases, pass {number}", len(ids), "words")
    try:
        model = Phrases(
            _decoded(ids, sentences, words, progress),
            min_count=options.min_count,
            threshold=options.threshold,
            delimiter=DELIMITER,
        )
    finally:
        progress.finish()
    pairs = np.empty(0, dtype=np.uint64)
    for begin in range(0, len(ids) - 1, TOKENS_AT_ONCE):
        near, inside = _adjacent(ids, sentences, begin)
        pairs = np.union1d(pairs, near[inside])
    firsts, seconds = (pairs >> np.uint64(32)).tolist(), (pairs & np.uint64(2**32 - 1)).tolist()
    good = (model.score_candidate(words[a], words[b], [])[1] is not None for a, b in zip(firsts, seconds, strict=True))
    return pairs[np.fromiter(good, dtype=bool, count=len(pairs))]


def _decoded(ids: U32, sentences: U64, words: list[str], progress: Progress) -> Iterator[Iterable[str]]:
    """The sentences as words, each read a piece at a time."""
    table = np.array(words, dtype=object)

    def pieces(begin: int, end: int) -> Iterator[list[str]]:
        for at in range(begin, end, TOKENS_AT_ONCE):
            yield table[ids[at : min(at + TOKENS_AT_ONCE, end)]].tolist()

    for first in range(0, len(sentences) - 1, SENTENCES_AT_ONCE):
        offsets = sentences[first : first + SENTENCES_AT_ONCE + 1].tolist()
        for begin, end in pairwise(offsets):
            yield chain.from_iterable(pieces(begin, end))
        progress.advance(offsets[-1] - offsets[0])


def _adjacent(ids: U32, sentences: U64, begin: int) -> tuple[U64, npt.NDArray[np.bool_]]:
    """The pairs that begin with the tokens of a block, and whether each lies within a sentence."""
    block = np.asarray(ids[begin : begin + TOKENS_AT_ONCE + 1]).astype(np.uint64)
    pairs = block[:-1] << np.uint64(32) | block[1:]
    inside = np.ones(len(pairs), dtype=bool)
    low, high = np.searchsorted(sentences, [begin + 1, begin + len(pairs) + 1])
    inside[np.asarray(sentences[low:high]).astype(np.int64) - begin - 1] = False
    return pairs, inside


def _joined(ids: U32, sentences: U64, documents: U64, words: list[str], pairs: U64) -> Iterator[Numbered]:
    """The corpus block by block with the pairs joined."""
    texts = [word.encode() for word in words]
    texts += [
        texts[a] + DELIMITER.encode() + texts[b]
        for a, b in zip((pairs >> np.uint64(32)).tolist(), (pairs & np.uint64(2**32 - 1)).tolist(), strict=True)
    ]
    taken = False  # whether the first token of the block belongs to a pair of the one before
    for begin in range(0, len(ids), TOKENS_AT_ONCE):
        numbers = np.asarray(ids[begin : begin + TOKENS_AT_ONCE]).astype(np.int64)
        near, inside = _adjacent(ids, sentences, begin)
        places = np.searchsorted(pairs, near)
        hits = np.zeros(len(numbers), dtype=bool)  # the very last token begins no pair
        if len(pairs):
            hits[: len(near)] = inside & (pairs[np.minimum(places, len(pairs) - 1)] == near)
        hits[0] &= not taken
        chosen = _every_second(hits)
        numbers[chosen] = len(words) + places[chosen[: len(places)]]
        stays = np.ones(len(numbers), dtype=bool)
        stays[1:] = ~chosen[:-1]
        stays[0] = not taken
        taken = bool(chosen[-1])
        low, high = np.searchsorted(sentences, [begin + 1, begin + len(numbers) + 1])
        before = np.concatenate([[0], np.cumsum(stays)])
        ends = before[np.asarray(sentences[low:high]).astype(np.int64) - begin]
        first, last = np.searchsorted(documents, [low, high])
        yield _numbered(numbers[stays], ends.astype(np.uint64), documents[first:last] - np.uint64(low - 1), texts)


def _every_second(hits: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The first, third, ... of each run of hits: pairs taken from left to right that share no word."""
    at = np.arange(len(hits))
    begins = hits.copy()
    begins[1:] &= ~hits[:-1]
    run = np.maximum.accumulate(np.where(begins, at, 0))
    return hits & ((at - run) % 2 == 0)


def _numbered(numbers: npt.NDArray[np.int64], sentences: U64, documents: U64, texts: list[bytes]) -> Numbered:
    """A block with a vocabulary of its own, as the joiner takes it."""
    counts = np.bincount(numbers, minlength=len(texts))
    present = np.flatnonzero(counts)
    own = np.zeros(len(texts), dtype=np.uint32)
    own[present] = np.arange(len(present), dtype=np.uint32)
    blob, offsets = pack([texts[i] for i in present.tolist()])
    return Numbered(blob, offsets, counts[present].astype(np.uint64), own[numbers], sentences, documents, 0, 0, 0)
