"""Another sample of the same corpus: which documents a run walks, and in which order. The corpus is never copied."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wordgeo.errors import OptionError, TrainingError
from wordgeo.validate import choice, whole_number
from wordgeo.vocabulary import Vocabulary

if TYPE_CHECKING:
    from wordgeo.corpus import EncodedCorpus

__all__ = [
    "RESAMPLES",
    "Resample",
    "count_words",
    "document_order",
    "recorded",
    "resampled_vocabulary",
    "unit_of",
    "unit_offsets",
]

logger = logging.getLogger(__name__)

RESAMPLES = ("none", "shuffle", "bootstrap")
UNITS_A_BLOCK = 1 << 12

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Resample:
    """Which documents a run walks: `how` is "shuffle", "bootstrap" or "split", drawn from `seed`.

    A "split" is one of two parts of the documents, the other being its counterpart: `part` 0 has `first` of them, part
    1 the rest, drawn at random or, with seed 0, the first ones. `vocabulary` counts words anew in the sample; else
    words and counts are those of the whole corpus, so that all runs have the same words.
    """

    how: str
    seed: int
    vocabulary: bool = False
    part: int | None = None
    first: int | None = None

    def __post_init__(self) -> None:
        choice("resample", self.how, ("shuffle", "bootstrap", "split"))
        whole_number("the seed of the resample", self.seed, 0)
        if (self.how == "split") != (self.part in (0, 1) and self.first is not None):
            raise OptionError("a split has a part, 0 or 1, and the size of the first; other resamples have neither")

    @classmethod
    def of(cls, provenance: dict[str, Any]) -> Resample | None:
        """The one that a model's provenance records, if any."""
        known = provenance.get("resample")
        return None if known is None else cls(**{field.name: known.get(field.name) for field in fields(cls)})

    def order(self, corpus: EncodedCorpus) -> I64:
        """The documents to walk, int64, as numbers of `unit_offsets(corpus)`."""
        if self.how != "split":
            return document_order(corpus, self.how, self.seed)
        size = len(unit_offsets(corpus)) - 1
        if self.first is None or not 0 < self.first < size:
            raise OptionError(f"the first part of a split is {self.first}; give a number from 1 to {size - 1}")
        places = np.random.default_rng([self.seed, *b"split"]).permutation(size) if self.seed else np.arange(size)
        return np.sort(places[self.first :] if self.part else places[: self.first])


def unit_of(corpus: EncodedCorpus) -> str:
    """What is drawn: "document", or "sentence" where the corpus is a single document."""
    return "document" if len(corpus.documents) > 2 else "sentence"


def unit_offsets(corpus: EncodedCorpus) -> npt.NDArray[np.uint64]:
    """uint64 [units + 1]: unit i is the sentences unit_offsets[i] to unit_offsets[i + 1] - 1 of the corpus."""
    return corpus.documents if unit_of(corpus) == "document" else np.arange(len(corpus.sentences), dtype=np.uint64)


def document_order(corpus: EncodedCorpus, how: str, seed: int) -> I64:
    """The documents that a run walks, int64 [documents], as numbers of `unit_offsets(corpus)`.

    "none": all in their order; "shuffle": all, in random order; "bootstrap": as many as there are, drawn with
    replacement, in the order in which they were drawn (Antoniak & Mimno 2018). Sentences take the place of documents
    in a corpus that is a single one; sentences of one text resemble each other, so that intervals from them are too
    narrow, and a warning says so.

    The numbers depend on the arguments alone.
    """
    choice("resample", how, RESAMPLES)
    size = len(unit_offsets(corpus)) - 1
    if how == "none":
        return np.arange(size)
    if unit_of(corpus) == "sentence":
        logger.warning(
            "%s is a single document, so sentences are resampled; they resemble each other, and intervals from such "
            "runs are too narrow: encode it with its documents apart",
            corpus.path,
        )
    random = np.random.default_rng([whole_number("seed", seed, 0), *how.encode()])
    return random.permutation(size) if how == "shuffle" else random.integers(size, size=size)


def count_words(corpus: EncodedCorpus, order: I64) -> npt.NDArray[np.int64]:
    """How often each word of the corpus occurs in the documents of `order`, int64 [words]."""
    offsets = unit_offsets(corpus)
    times = np.bincount(order, minlength=len(offsets) - 1)
    counts = np.zeros(len(corpus.vocabulary), dtype=np.int64)
    for begin in range(0, len(times), UNITS_A_BLOCK):
        ends = corpus.sentences[offsets[begin : begin + UNITS_A_BLOCK + 1]].astype(np.int64)
        weights = np.repeat(times[begin : begin + UNITS_A_BLOCK], np.diff(ends)).astype(np.float64)
        ids = corpus.ids[ends[0] : ends[-1]]
        counts += np.bincount(ids, weights=weights, minlength=len(counts)).astype(np.int64)  # exact below 2^53
    return counts


def resampled_vocabulary(corpus: EncodedCorpus, order: I64) -> Vocabulary:
    """The words that occur in the documents of `order` with their counts there, by (count descending, code points)."""
    counts = count_words(corpus, order)
    # Words of the corpus with equal counts may have had different ones, so their order is made anew.
    words = corpus.vocabulary.words
    rows = sorted(np.flatnonzero(counts).tolist(), key=lambda row: (-int(counts[row]), words[row]))
    if not rows:
        raise TrainingError("the resample has no words; give more text")
    return Vocabulary.from_words([words[row] for row in rows], counts[rows])


def recorded(corpus: EncodedCorpus, resample: Resample, order: I64, words: int) -> dict[str, Any]:
    """What a provenance says of a resample.

    `absent` is how many of the first `words` words of the corpus do not occur in it, so that nothing was learned of
    them (0 where the vocabulary is that of the sample).
    """
    absent = 0
    if resample.how != "shuffle" and not resample.vocabulary:
        absent = int((count_words(corpus, order)[:words] == 0).sum())
    return {**asdict(resample), "unit": unit_of(corpus), "absent": absent}
