"""Evaluation protocols: declarations of how a tool reads a benchmark, all run by one solver."""

from __future__ import annotations

import dataclasses
import string
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.query.analogies import COSMUL_EPSILON
from wordgeo.validate import choice, number, whole_number

__all__ = ["PROTOCOLS", "RULES", "Lookup", "Protocol"]

ASCII_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)

FOLDS: Mapping[str, Callable[[str], str]] = {
    "none": str,
    "upper": str.upper,
    "ascii-upper": lambda word: word.translate(ASCII_UPPER),  # what upper-casing single bytes does to UTF-8
    "lower": str.lower,
    "lower-alphanumeric": lambda word: "".join(filter(str.isalnum, word.lower())),
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The rules by which a question or a pair is looked up and an answer counted.

    `reproduces` is the tool whose counts these rules give; `version` changes with the rules. `fold` is applied to the
    words of the suite ("none", "upper", "ascii-upper", "lower", "lower-alphanumeric"), and to those of the model where
    `fold_model` says so: among rows that fold alike the first one stands for all (the most frequent, where rows are in
    the order of their counts). `limit` is how many rows from the first are known at all (None: all).

    `unknown` says what the headline score does with a question or pair that has a word outside them: "skip" it, count
    it "wrong" (a pair: cosine 0), or ask it with the "mean" of all vectors in the place of the word (a question whose
    expected word is unknown is wrong). `unknown_sets` is the same for methods that learn from all pairs of a section.

    `exclude`: the "row" of each given word is no answer, or no "string" that folds like one, or "none" is excluded.
    With "string" `shortlist` is how many of the best rows are looked at after those of the given words are dropped: the
    first whose folded word is none of the given ones is the answer, and the last one looked at where none qualifies.

    `direction` "forward" asks a : b = c : ?, "inverted" b : a = d : ? with the expected word c. `positive` demands a
    score above 0 of an answer. `unit` is whether 3CosAdd is asked of unit vectors, or of vectors as they are. `epsilon`
    is that of 3CosMul. `syntactic` says which sections are: those whose names begin with "gram", or all "after-five".

    >>> PROTOCOLS["gensim"].limit
    300000
    """

    name: str
    reproduces: str
    version: int = 1
    fold: str = "none"
    fold_model: bool = False
    limit: int | None = None
    unknown: str = "skip"
    unknown_sets: str = "skip"
    exclude: str = "row"
    shortlist: int = 1
    direction: str = "forward"
    positive: bool = False
    unit: bool = True
    epsilon: float = COSMUL_EPSILON
    syntactic: str = "gram"

    def __post_init__(self) -> None:
        choice("fold", self.fold, tuple(FOLDS))
        choice("unknown", self.unknown, ("skip", "wrong", "mean"))
        choice("unknown_sets", self.unknown_sets, ("skip", "wrong"))
        choice("exclude", self.exclude, ("string", "row", "none"))
        choice("direction", self.direction, ("forward", "inverted"))
        choice("syntactic", self.syntactic, ("gram", "after-five"))
        whole_number("shortlist", self.shortlist, 1)
        number("epsilon", self.epsilon, 0)
        if self.limit is not None:
            whole_number("limit", self.limit, 1)

    def lookup(self, vocabulary: Sequence[str]) -> Lookup:
        """The words of a model as this protocol finds them."""
        return Lookup(vocabulary, FOLDS[self.fold], self.fold_model, self.limit)


class Lookup:
    """Folded words and their rows. `same[i]` is the row that stands for row i, int64 [rows known]."""

    same: npt.NDArray[np.int64]

    def __init__(
        self, vocabulary: Sequence[str], fold: Callable[[str], str], fold_model: bool, limit: int | None
    ) -> None:
        self._fold = fold
        self._first: dict[str, int] = {}
        words = (vocabulary.words if hasattr(vocabulary, "words") else vocabulary)[:limit]
        of_model = _folded(words, fold) if fold_model else words
        self.same = np.fromiter(map(self._first.setdefault, of_model, range(len(words))), np.int64, len(words))
        later = np.flatnonzero(self.same != np.arange(len(words)))
        self._later = later[np.argsort(self.same[later], kind="stable")]
        self._bounds = np.searchsorted(self.same[self._later], np.arange(len(words) + 1)) if len(later) else None

    def rows(self, words: Iterable[str]) -> npt.NDArray[np.int64]:
        """The row that stands for each word, -1 for one that is not known."""
        return np.array([self._first.get(self._fold(word), -1) for word in words], dtype=np.int64)

    def variants(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The later rows for which `rows` int64 [n] (-1: none) stand: which of the n each belongs to, and the row."""
        if self._bounds is None:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        places = np.flatnonzero(rows >= 0)
        begin = self._bounds[rows[places]]
        sizes = self._bounds[rows[places] + 1] - begin
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return np.repeat(places, sizes), self._later[np.repeat(begin, sizes) + within]


def _folded(words: Sequence[str], fold: Callable[[str], str]) -> Iterable[str]:
    """Every word folded; all at once where that is the same, since folding knows no lines."""
    if fold in (str.upper, str.lower):
        folded = fold("\n".join(words)).split("\n")
        if len(folded) == len(words):
            return folded
    return map(fold, words)


# Which fields make up a rule whose effect on a score is told apart.
RULES: Mapping[str, tuple[str, ...]] = {
    "case folding": ("fold", "fold_model"),
    "vocabulary": ("limit",),
    "unknown words": ("unknown", "unknown_sets"),
    "exclusion": ("exclude", "shortlist"),
    "direction": ("direction",),
    "score above 0": ("positive",),
    "length of vectors": ("unit",),
    "epsilon": ("epsilon",),
}

_ALL = (
    # KeyedVectors.evaluate_word_analogies and evaluate_word_pairs with their default arguments. gensim also asks that
    # the answer be in the folded vocabulary, which holds for every row below the limit.
    Protocol(
        name="gensim",
        reproduces="gensim 4.4",
        fold="upper",
        fold_model=True,
        limit=300_000,
        exclude="string",
        shortlist=5,
    ),
    # compute-accuracy with the threshold of its demo; `limit` is the threshold.
    Protocol(
        name="word2vec-c",
        reproduces="word2vec.c compute-accuracy, threshold 30000",
        fold="ascii-upper",
        fold_model=True,
        limit=30_000,
        positive=True,
        syntactic="after-five",
    ),
    # Its questions come as lower-cased files.
    Protocol(name="glove", reproduces="GloVe eval/python/evaluate.py", fold="lower", syntactic="after-five"),
    # The script has no default threshold; `limit` is the threshold.
    Protocol(name="fasttext", reproduces="fastText compute_accuracy.py, threshold 200000", fold="lower", limit=200_000),
    Protocol(name="vecmap", reproduces="vecmap eval_analogy.py, threshold 0"),
    Protocol(name="muse", reproduces="MUSE wordsim.py", fold="lower", limit=200_000, direction="inverted"),
    Protocol(
        name="web",
        reproduces="web (word-embeddings-benchmarks)",
        fold="lower-alphanumeric",
        unknown="mean",
        unit=False,
        epsilon=1e-5,
    ),
    Protocol(name="vecto", reproduces="vecto, normalised", fold="lower", unknown="wrong", epsilon=1e-3),
)

PROTOCOLS: Mapping[str, Protocol] = {protocol.name: protocol for protocol in _ALL}
