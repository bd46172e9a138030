"""What an encoded corpus is like: its size, how its words are distributed, and what a cut by count would keep."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wordgeo.corpus.encoded import EncodedCorpus
from wordgeo.results import Result, Table

__all__ = ["CorpusStats", "Coverage", "Cut", "stats"]

COVERAGE_RANKS = (1_000, 5_000, 10_000, 30_000, 100_000)
CUTS = (2, 5, 10, 20, 50, 100)
ZIPF_LEAST_COUNT = 10
TOP_WORDS = 20


@dataclass(frozen=True)
class Coverage:
    """The share of all tokens that the most frequent `words` make up."""

    words: int
    share: float


@dataclass(frozen=True)
class Cut:
    """What is left when words below `min_count` are dropped."""

    min_count: int
    types: int
    tokens: int
    token_share: float


@dataclass(frozen=True, repr=False)
class CorpusStats(Result):
    """Statistics of a corpus; see `stats`."""

    tokens: int
    types: int
    sentences: int
    documents: int
    mean_sentence_length: float
    zipf_slope: float
    coverage: tuple[Coverage, ...]
    cuts: tuple[Cut, ...]
    top_words: tuple[tuple[str, int], ...]

    def tables(self) -> list[Table]:
        """Sizes, coverage, cuts and the most frequent words."""
        sizes = [
            ("tokens", self.tokens),
            ("types (distinct words)", self.types),
            ("sentences", self.sentences),
            ("documents", self.documents),
            ("tokens a sentence", round(self.mean_sentence_length, 2)),
            ("Zipf slope", None if math.isnan(self.zipf_slope) else round(self.zipf_slope, 3)),
        ]
        return [
            Table(("", "value"), sizes, title="Corpus"),
            Table(
                ("most frequent words", "% of tokens"),
                [(part.words, round(100 * part.share, 2)) for part in self.coverage],
                title="Coverage",
            ),
            Table(
                ("min_count", "types kept", "types dropped", "tokens kept", "tokens dropped", "% of tokens kept"),
                [
                    (
                        cut.min_count,
                        cut.types,
                        self.types - cut.types,
                        cut.tokens,
                        self.tokens - cut.tokens,
                        round(100 * cut.token_share, 2),
                    )
                    for cut in self.cuts
                ],
                title="What min_count keeps",
            ),
            Table(("word", "count"), self.top_words, title="Most frequent words"),
        ]


def stats(corpus: EncodedCorpus) -> CorpusStats:
    """Counts, coverage, the Zipf slope, and what common values of `min_count` would keep.

    The Zipf slope is b of the line log(count) = a + b·log(rank), fitted by ordinary least squares to the words that
    occur at least 10 times, in such a way that every word has weight 1 / rank: each factor of e in rank then weighs
    about the same, and the many rare words do not decide alone. Natural text has about -1. It is NaN where fewer
    than three words occur that often. (G. K. Zipf, Human Behavior and the Principle of Least Effort, 1949.)

    >>> import tempfile, wordgeo.corpus as corpus
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     encoded = corpus.encode(corpus.Documents(["a b a. C a"]), folder + "/c")
    ...     report = corpus.stats(encoded)
    >>> report.tokens, report.types, report.mean_sentence_length, report.top_words[0]
    (5, 3, 2.5, ('a', 3))
    """
    counts = corpus.vocabulary.counts
    assert counts is not None  # `EncodedCorpus.open` demands them
    tokens, sentences = len(corpus.ids), len(corpus.sentences) - 1
    running = np.cumsum(counts)
    # Counts fall with rank, so that the words with at least n occurrences are the first so many.
    kept = [int(np.searchsorted(-counts.astype(np.int64), -least, side="right")) for least in CUTS]
    return CorpusStats(
        tokens=tokens,
        types=len(counts),
        sentences=sentences,
        documents=len(corpus.documents) - 1,
        mean_sentence_length=tokens / sentences,
        zipf_slope=_zipf_slope(counts),
        coverage=tuple(
            Coverage(rank, int(running[rank - 1]) / tokens) for rank in COVERAGE_RANKS if rank <= len(counts)
        ),
        cuts=tuple(
            Cut(least, types, covered, covered / tokens)
            for least, types in zip(CUTS, kept, strict=True)
            for covered in [int(running[types - 1]) if types else 0]
        ),
        top_words=tuple((corpus.vocabulary[i], int(count)) for i, count in enumerate(counts[:TOP_WORDS].tolist())),
    )


def _zipf_slope(counts: npt.NDArray[np.uint64]) -> float:
    counts = counts[counts >= ZIPF_LEAST_COUNT]
    if len(counts) < 3:
        return math.nan
    ranks = np.arange(1, len(counts) + 1, dtype=np.float64)
    weights = 1 / ranks
    x, y = np.log(ranks), np.log(counts.astype(np.float64))
    x_mean, y_mean = np.average(x, weights=weights), np.average(y, weights=weights)
    return float(np.sum(weights * (x - x_mean) * (y - y_mean)) / np.sum(weights * (x - x_mean) ** 2))
