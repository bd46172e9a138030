"""Joins numbered blocks, in order, into the files of a corpus, and renumbers the words by frequency at the end."""

from __future__ import annotations

import contextlib
import functools
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo.corpus.blocks import Block, Numbered
from wordgeo.corpus.encoded import ARRAYS, DOCUMENTS, IDS, NPY_HEADER_BYTES, SENTENCES, npy_header
from wordgeo.corpus.filters import WordFilter
from wordgeo.vocabulary import Vocabulary, WordCounter

__all__ = ["Joiner"]

REMAP_TOKENS = 1 << 22

log = logging.getLogger(__name__)


class Joiner:
    """Joins numbered blocks, in order, into the files of the corpus; word numbers are provisional until `renumber`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counter = WordCounter()
        self.tokens = self._sentences = self._documents = 0
        self._sentence_end = self._document_end = 0  # the last one written
        self.dropped: dict[str, dict[str, int]] = {}  # types and tokens, by the option that had them go

    def __enter__(self) -> Joiner:
        with contextlib.ExitStack() as stack:
            self._files = {name: stack.enter_context((self._folder / name).open("wb")) for name in ARRAYS}
            self._stack = stack.pop_all()
        for name, file in self._files.items():
            file.write(bytes(NPY_HEADER_BYTES))
            if name != IDS:
                file.write(bytes(8))  # the first sentence and document begin at 0
        return self

    def __exit__(self, *problem: object) -> None:
        with self._stack:
            if problem[0] is None:
                self._end_sentence()
                self._write_documents(np.array([self._sentences], dtype=np.uint64))
                lengths = (self.tokens, self._sentences + 1, self._documents + 1)
                for (name, dtype), length in zip(ARRAYS.items(), lengths, strict=True):
                    self._files[name].seek(0)
                    self._files[name].write(npy_header(dtype, length))

    def add(self, block: Block, numbered: Numbered) -> None:
        """Adds the next block."""
        if not block.mid_line:
            self._end_sentence()
        ends = numbered.sentences + np.uint64(self.tokens)
        documents = numbered.documents + np.uint64(self._sentences)
        if len(ends) and ends[0] == self._sentence_end:
            ends = ends[1:]
            documents -= np.uint64(1)
        mapping = self._counter.add(numbered.blob, numbered.offsets, numbered.counts)
        self._files[IDS].write(mapping[numbered.ids].astype("<u4", copy=False).data)
        self.tokens += len(numbered.ids)
        self._write_sentences(ends)
        self._write_documents(documents)

    def _end_sentence(self) -> None:
        if self.tokens > self._sentence_end:
            self._write_sentences(np.array([self.tokens], dtype=np.uint64))

    def _write_sentences(self, ends: npt.NDArray[np.uint64]) -> None:
        if len(ends):
            self._files[SENTENCES].write(ends.astype("<u8", copy=False).data)
            self._sentences += len(ends)
            self._sentence_end = int(ends[-1])

    def _write_documents(self, ends: npt.NDArray[np.uint64]) -> None:
        if len(ends) and ends[0] == self._document_end:
            ends = ends[1:]
        if len(ends):
            self._files[DOCUMENTS].write(ends.astype("<u8", copy=False).data)
            self._documents += len(ends)
            self._document_end = int(ends[-1])

    @functools.cached_property
    def _ranked(self) -> tuple[Vocabulary, npt.NDArray[np.uint32]]:
        return self._counter.ranked()

    @property
    def vocabulary(self) -> Vocabulary:
        """All words with their counts, once every block was added."""
        return self._ranked[0]

    def renumber(self, max_vocab: int | None, words: WordFilter | None = None) -> tuple[Vocabulary, dict[str, int]]:
        """Gives words their rank as number and drops those that `words` has go, then those beyond `max_vocab`.

        Returns the vocabulary and what `max_vocab` dropped; what `words` dropped is in `dropped`.
        """
        vocabulary, ranks = self._ranked
        if words and words.recorded():
            vocabulary, moved, self.dropped = words.applied(vocabulary)
            ranks = moved[ranks]
        dropped = sum(part["tokens"] for part in self.dropped.values())
        if dropped:
            log.warning(
                "%d tokens were dropped: %s",
                dropped,
                ", ".join(f"{part['tokens']} by {name}" for name, part in self.dropped.items() if part["tokens"]),
            )
        ids = np.memmap(self._folder / IDS, "<u4", "r+", NPY_HEADER_BYTES)
        most = len(vocabulary) if max_vocab is None else min(max_vocab, len(vocabulary))
        if most == len(vocabulary) and not dropped:
            for begin in range(0, len(ids), REMAP_TOKENS):
                ids[begin : begin + REMAP_TOKENS] = ranks[ids[begin : begin + REMAP_TOKENS]]
            ids.flush()
            return vocabulary, {"types": 0, "tokens": 0}
        kept = self._drop(ids, ranks, most)
        pruned = {"types": len(vocabulary) - most, "tokens": self.tokens - dropped - kept}
        if pruned["types"]:
            log.warning(
                "max_vocab %d: the %d rarest words were dropped, %d tokens", most, pruned["types"], pruned["tokens"]
            )
        return vocabulary.head(most), pruned

    def _drop(self, ids: np.memmap, ranks: npt.NDArray[np.uint32], most: int) -> int:
        """Moves the tokens that stay together, in place, and the sentences and documents with them."""
        sentences = np.array(np.load(self._folder / SENTENCES, mmap_mode="r"))
        documents = np.array(np.load(self._folder / DOCUMENTS, mmap_mode="r"))
        kept = low = 0
        moved = np.zeros_like(sentences)
        for begin in range(0, len(ids), REMAP_TOKENS):
            numbers = ranks[ids[begin : begin + REMAP_TOKENS]]
            stays = numbers < most
            high = int(np.searchsorted(sentences, begin + len(numbers)))
            before = np.concatenate([[0], np.cumsum(stays)])
            moved[low:high] = kept + before[(sentences[low:high] - np.uint64(begin)).astype(np.int64)]
            low = high
            ids[kept : kept + int(before[-1])] = numbers[stays]
            kept += int(before[-1])
        moved[low:] = kept
        ids.flush()
        # A sentence without tokens is no sentence, and a document without sentences no document.
        full = np.concatenate([[True], moved[1:] > moved[:-1]])
        documents = np.unique(np.cumsum(full)[documents.astype(np.int64)] - 1).astype("<u8")
        sentences = moved[full].astype("<u8")
        for name, array in ((SENTENCES, sentences), (DOCUMENTS, documents)):
            (self._folder / name).write_bytes(npy_header("<u8", len(array)) + array.tobytes())
        with (self._folder / IDS).open("r+b") as file:
            file.write(npy_header("<u4", kept))
            file.truncate(NPY_HEADER_BYTES + 4 * kept)
        return kept
