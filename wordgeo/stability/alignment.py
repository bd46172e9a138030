"""Two spaces laid on each other by a rotation, and the nearest words of one in the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wordgeo.embeddings import Embeddings
from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.evaluation.statistics import wilson_interval
from wordgeo.query import Neighbors, WordVectors
from wordgeo.query.search import top_k
from wordgeo.results import Result, Table
from wordgeo.validate import choice, whole_number
from wordgeo.vocabulary import Vocabulary

__all__ = ["Alignment", "Precision", "align", "procrustes", "read_dictionary"]

FREQUENT = 5000  # words that anchors="frequent" takes
REFINED_WORDS = 10_000  # of each space, among which refinement looks for pairs
CSLS_NEIGHBORS = 10
QUERIES_A_BLOCK = 256

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, repr=False)
class Precision(Result):
    """How often a translation is among the k nearest words: precision@k for each k, with its Wilson interval.

    Of the `words` of the source in the dictionary, `asked` are in the source and have a translation in the target.
    """

    method: str
    words: int
    asked: int
    k: tuple[int, ...]
    precision: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def tables(self) -> list[Table]:
        """One row for each k."""
        title = f"translation by {self.method}: {self.asked} of {self.words} words of the dictionary are known"
        rows = list(zip(self.k, self.precision, self.low, self.high, strict=True))
        return [Table(("k", "precision", "low", "high"), rows, title, ["low to high: 95 % Wilson interval"])]


@dataclass(frozen=True, repr=False, eq=False)
class Alignment(Result):
    """A space turned onto another: `source` is the first with its vectors in the axes of `target`, the second.

    Both have unit vectors (centred, where `centred`); `rotation` float64 [d, d] maps those of the source, x ↦ x R.
    `anchors` pairs of words fixed it, in `rounds` fits; `residual` is ‖XR - Y‖ / (‖X‖² + ‖Y‖²)^½ over them, 0 where the
    two are rotations of each other, and `cosine` their mean cosine.
    """

    source: WordVectors
    target: WordVectors
    rotation: F64
    anchors: int
    rounds: int
    centred: bool
    residual: float
    cosine: float

    def tables(self) -> list[Table]:
        """The facts."""
        rows = [("anchors", self.anchors), ("fits", self.rounds), ("residual", self.residual), ("cosine", self.cosine)]
        return [Table(("what", "value"), rows, "alignment")]

    def to_dict(self) -> dict[str, object]:
        """Everything but the spaces."""
        names = ("anchors", "rounds", "centred", "residual", "cosine")
        return {**{name: getattr(self, name) for name in names}, "rotation": self.rotation.tolist()}

    def translate(self, words: Sequence[str], k: int = 10, *, method: str = "csls") -> list[Neighbors]:
        """The k words of the target nearest to words of the source, by "csls" or "cosine".

        CSLS(x, y) = 2 cos(x, y) - r(x) - r(y), r being the mean cosine with the 10 nearest of the other space, which
        keeps words that are near to everything from being every word's translation (Conneau et al. 2018).
        """
        choice("method", method, ("csls", "cosine"))
        if isinstance(words, str):
            raise OptionError(f"got the one string {words!r}; give a list of words")
        rows = self.source.vocabulary.rows(words)
        found, scores = self._nearest(rows, whole_number("k", k, 1), method)
        return [
            Neighbors(word, tuple(self.target.vocabulary[j] for j in own.tolist()), of_word, own)
            for word, own, of_word in zip(words, found, scores, strict=True)
        ]

    def precision(
        self,
        dictionary: Sequence[tuple[str, str]],
        *,
        ks: Sequence[int] = (1, 5, 10),
        method: str = "csls",
    ) -> Precision:
        """How often one of a word's translations is among the k nearest; words that either space lacks are counted."""
        choice("method", method, ("csls", "cosine"))
        answers: dict[str, set[int]] = {}
        known = self.target.vocabulary.find([b for _, b in dictionary])
        for (a, _), row in zip(dictionary, known.tolist(), strict=True):
            answers.setdefault(a, set()).update({row} - {-1})
        asked = [word for word, rows in answers.items() if rows and word in self.source]
        if not asked:
            raise OptionError("no pair of the dictionary is in both spaces; give one of these languages")
        found, _ = self._nearest(self.source.vocabulary.rows(asked), max(ks), method)
        right = [
            [bool(answers[word] & set(row[:k].tolist())) for k in ks] for word, row in zip(asked, found, strict=True)
        ]
        hits = np.array(right).sum(axis=0).tolist()
        ends = [wilson_interval(hit, len(asked)) or (0.0, 1.0) for hit in hits]
        return Precision(
            method, len(answers), len(asked), tuple(ks), tuple(hit / len(asked) for hit in hits),
            tuple(low for low, _ in ends), tuple(high for _, high in ends),
        )  # fmt: skip

    def _nearest(self, rows: I64, k: int, method: str) -> tuple[I64, F32]:
        if method == "cosine":
            return top_k(self.target, self.source.vectors[rows], k=k)
        return _csls(self.source, self.target, rows, min(k, len(self.target)))


def align(
    a: Embeddings,
    b: Embeddings,
    *,
    anchors: str | Sequence[tuple[str, str]] = "all",
    center: bool = True,
    refine: int = 0,
) -> Alignment:
    """Turns `a` onto `b` by the rotation that brings anchor words closest: orthogonal Procrustes (Schönemann 1966).

    With unit vectors x_i and y_i of the anchors it minimises Σ |x_i R - y_i|² over orthogonal R = U Vᵀ, where
    XᵀY = U S Vᵀ. `anchors` are "all" words that both have, the 5,000 most "frequent" of these, or pairs (word of a,
    word of b), such as a dictionary of two languages. `center` takes the mean from each space first, and makes vectors
    unit again. `refine` further rounds take the pairs that are each other's nearest by CSLS among the 10,000 most
    frequent words as anchors (Conneau et al. 2018).

    Raises `OptionError` for spaces of different dimensions, and for fewer anchors than dimensions.

    >>> import numpy as np, wordgeo as wg
    >>> vectors = np.random.default_rng(1).normal(size=(50, 3))
    >>> turn, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    >>> words = [f"w{i}" for i in range(50)]
    >>> found = wg.align(wg.from_arrays(words, vectors), wg.from_arrays(words, vectors @ turn))
    >>> round(found.cosine, 6)
    1.0
    """
    if a.dimensions != b.dimensions:
        raise OptionError(f"the spaces have {a.dimensions} and {b.dimensions} dimensions; align needs the same number")
    refine = whole_number("refine", refine, 0, 100)
    rows_a, rows_b = _anchors(a, b, anchors)
    x, y = _prepared(a, center), _prepared(b, center)
    source, target = WordVectors(a.vocabulary, x), WordVectors(b.vocabulary, y)
    rotation = procrustes(x[rows_a], y[rows_b])
    for _ in range(refine):
        turned = WordVectors(a.vocabulary, _turned(x, rotation))
        rows_a, rows_b = _mutual(turned, target)
        _enough(len(rows_a), a.dimensions)
        rotation = procrustes(x[rows_a], y[rows_b])
    source = WordVectors(a.vocabulary, _turned(x, rotation), provenance=a.provenance)
    left, right = source.vectors[rows_a].astype(np.float64), y[rows_b].astype(np.float64)
    lengths = float((left**2).sum() + (right**2).sum())
    return Alignment(
        source=source,
        target=target,
        rotation=rotation,
        anchors=len(rows_a),
        rounds=1 + refine,
        centred=center,
        residual=float(np.sqrt(((left - right) ** 2).sum() / lengths)),
        cosine=float((left * right).sum(axis=1).mean()),
    )


def procrustes(x: npt.ArrayLike, y: npt.ArrayLike) -> F64:
    """The orthogonal R [d, d] that minimises ‖X R - Y‖, of X and Y [n, d] (Schönemann 1966)."""
    left, _, right = np.linalg.svd(np.asarray(x, np.float64).T @ np.asarray(y, np.float64))
    rotation: F64 = left @ right
    return rotation


def read_dictionary(path: str | Path) -> list[tuple[str, str]]:
    """Pairs of words from a text file, one pair a line, parted by a tab or spaces.

    Raises `NotFoundError`, and `FormatError` naming the line that is not a pair.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist; name a file with two words a line") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise FormatError(f"not a text file in UTF-8 ({problem})", path) from None
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        parts = line.split("\t") if "\t" in line else line.split()
        if not line.strip():
            continue
        if len(parts) != 2 or not all(part.strip() for part in parts):
            raise FormatError(f"{len(parts)} words; a dictionary has two a line", path, number)
        pairs.append((parts[0].strip(), parts[1].strip()))
    if not pairs:
        raise FormatError("no pair of words", path)
    return pairs


def _anchors(a: Embeddings, b: Embeddings, anchors: str | Iterable[tuple[str, str]]) -> tuple[I64, I64]:
    """Rows of the anchors in both spaces."""
    if isinstance(anchors, str):
        choice("anchors", anchors, ("all", "frequent"))
        rows_b = b.vocabulary.find(a.words)
        rows_a = np.flatnonzero(rows_b >= 0)
        rows_b = rows_b[rows_a]
        if anchors == "frequent":
            first = np.argsort(np.maximum(rows_a, rows_b), kind="stable")[:FREQUENT]
            rows_a, rows_b = rows_a[first], rows_b[first]
    else:
        pairs = list(anchors)
        rows_a, rows_b = a.vocabulary.find([x for x, _ in pairs]), b.vocabulary.find([y for _, y in pairs])
        both = (rows_a >= 0) & (rows_b >= 0)
        rows_a, rows_b = rows_a[both], rows_b[both]
    _enough(len(rows_a), a.dimensions)
    return rows_a, rows_b


def _enough(anchors: int, dimensions: int) -> None:
    if anchors < dimensions:
        raise OptionError(
            f"{anchors} words are in both spaces as anchors, and {dimensions} dimensions need at least as many; "
            "give a larger dictionary, or models of the same language"
        )


def _prepared(model: Embeddings, center: bool) -> F32:
    vectors = _unit(model.vectors.astype(np.float64))
    return _unit(vectors - vectors.mean(axis=0)).astype(np.float32) if center else vectors.astype(np.float32)


def _unit(vectors: F64) -> F64:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _turned(vectors: F32, rotation: F64) -> F32:
    return np.ascontiguousarray((vectors.astype(np.float64) @ rotation).astype(np.float32))


def _reach(of: Embeddings, among: Embeddings) -> F32:
    """Mean cosine of each row with its 10 nearest rows of the other space, float32 [rows]."""
    scores = top_k(among, of.vectors, k=min(CSLS_NEIGHBORS, len(among)))[1]
    return scores.mean(axis=1, dtype=np.float32)


def _csls(source: WordVectors, target: WordVectors, rows: I64, k: int) -> tuple[I64, F32]:
    """The k rows of the target with the highest CSLS for rows of the source; ties by row."""
    reach = target.derived(f"csls {id(source)}", lambda: _reach(target, source))
    found = np.empty((len(rows), k), dtype=np.int64)
    scores = np.empty((len(rows), k), dtype=np.float32)
    for begin in range(0, len(rows), QUERIES_A_BLOCK):
        asked = source.vectors[rows[begin : begin + QUERIES_A_BLOCK]]
        cosine = asked @ target.vectors.T
        near = min(CSLS_NEIGHBORS, len(target))
        own = np.sort(np.partition(cosine, -near, axis=1)[:, -near:], axis=1).mean(axis=1)
        value = 2 * cosine - own[:, None] - reach
        least = np.partition(value, -k, axis=1)[:, -k]
        for i, (of_word, worst) in enumerate(zip(value, least, strict=True), start=begin):
            enough = np.flatnonzero(of_word >= worst)  # more than k where scores tie
            found[i] = enough[np.argsort(-of_word[enough], kind="stable")[:k]]
            scores[i] = of_word[found[i]]
    return found, scores


def _mutual(source: WordVectors, target: WordVectors) -> tuple[I64, I64]:
    """Rows of the frequent words that are each other's nearest by CSLS."""
    first = WordVectors(source.vocabulary.head(REFINED_WORDS), source.vectors[:REFINED_WORDS])
    second = WordVectors(target.vocabulary.head(REFINED_WORDS), target.vectors[:REFINED_WORDS])
    there = _csls(first, second, np.arange(len(first)), 1)[0][:, 0]
    back = _csls(second, first, np.arange(len(second)), 1)[0][:, 0]
    rows = np.flatnonzero(back[there] == np.arange(len(first)))
    return rows, there[rows]


def shared_vocabulary(a: Embeddings, b: Embeddings) -> tuple[Vocabulary, I64, I64]:
    """The words of both, most frequent in both first, with the rows of each; counts are the lesser of the two."""
    rows_b = b.vocabulary.find(a.words)
    rows_a = np.flatnonzero(rows_b >= 0)
    rows_b = rows_b[rows_a]
    if a.counts is not None and b.counts is not None:
        counts = np.minimum(np.asarray(a.counts)[rows_a], np.asarray(b.counts)[rows_b])
        order = np.lexsort((rows_a, -counts.astype(np.int64)))
    else:
        counts, order = None, np.argsort(np.maximum(rows_a, rows_b), kind="stable")
    rows_a, rows_b = rows_a[order], rows_b[order]
    words = Vocabulary.from_words([a.vocabulary[i] for i in rows_a.tolist()], None if counts is None else counts[order])
    return words, rows_a, rows_b
